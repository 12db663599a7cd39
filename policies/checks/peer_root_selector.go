package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A PeerAuthentication of the root namespace with a selector. An AuthorizationPolicy there selects
// pods in every namespace; a PeerAuthentication there is looked at only without a selector, by
// ztunnel's configuration (ambient/authorization.go convertedSelectorPeerAuthentications) as by
// sidecars' (pilot/pkg/security/authn/policy_applier.go ComposePeerAuthentication), and not even for
// pods of the root namespace itself (istio/istio#61023).
var _ = policies.Register(policies.Check{
	ID:       "effect/peer-root-selector",
	Title:    "A PeerAuthentication with a selector in the root namespace",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.PeerAuthentication},
	Cases:    []int{45},
	Controls: encryption(),
	Doc: `In the root namespace only PeerAuthentications without a selector count, for the whole mesh. One with a selector
is stored and never looked at: the pods that it means keep accepting plaintext. No condition says so.`,
	Remedy: "Create it in the namespace of the pods, with the same selector.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Reason != policies.RootSelector {
				continue
			}
			f := policies.Finding{Verdict: e.Verdict, Field: e.Field,
				Message: fmt.Sprintf("this PeerAuthentication has no effect: in the root namespace %s Istio looks only at those without a selector.", p.Object.Namespace)}
			if !demandsMTLS(p.Object) {
				f.Severity = policies.Medium
			}
			p.Report(f)
		}
	},
})
