package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// DISABLE below STRICT. At a sidecar it turns mTLS off. At ztunnel the transport between enrolled pods
// is HBONE whatever a PeerAuthentication says, and Istio's documentation has it that DISABLE is
// ignored; in the code it counts as PERMISSIVE, so that it turns off the STRICT above it
// (ambient/authorization.go convertedSelectorPeerAuthentications).
var _ = policies.Register(policies.Check{
	ID:       "effect/peer-disable-permits",
	Title:    "DISABLE that turns off a STRICT",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.PeerAuthentication},
	Cases:    []int{47},
	Controls: encryption(),
	Doc: `Between enrolled pods the transport stays mTLS whatever a PeerAuthentication says. DISABLE is not ignored, though:
it is like PERMISSIVE, and turns off the STRICT of the namespace or the mesh above it, so that plaintext is let in.`,
	Remedy: "Say PERMISSIVE if plaintext is meant to be let in, and STRICT if it is not.",
	Run: func(p *policies.Pass) {
		reportPeer(p, policies.DisablePermits, "plaintext is let in and mTLS stays on", func(f *policies.Finding, _ policies.Cause) bool {
			f.WaitsFor = another(mesh.PeerAuthentication, p.Object.Namespace) // one that takes the STRICT away
			return true
		})
	},
})
