package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// `selector: {}` in the root namespace. Sidecars take it for none, so that the policy holds for the
// whole mesh; for workloads of ztunnel istiod fetches from the root namespace only those whose
// selector is absent (ambient/workloads.go fetchPeerAuthentications). Removing it changes what holds
// in the whole mesh, so that is printed and never applied.
var _ = policies.Register(policies.Check{
	ID:       "effect/peer-empty-selector",
	Title:    "A mesh-wide PeerAuthentication that is not mesh-wide",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.PeerAuthentication},
	Cases:    []int{46},
	Controls: encryption(),
	Doc: "A PeerAuthentication of the root namespace with `selector: {}` holds for all sidecars, and for no enrolled pod\n" +
		"outside the root namespace: there only an absent selector means the mesh.",
	Remedy: "Remove spec.selector, once everything that calls in plaintext is known.",
	Run: func(p *policies.Pass) {
		reportPeer(p, policies.EmptySelector, "this PeerAuthentication does not hold at ztunnel", func(f *policies.Finding, _ policies.Cause) bool {
			if !demandsMTLS(p.Object) {
				f.Severity = policies.Medium
			}
			return true
		})
	},
})
