package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A port with DISABLE in a PeerAuthentication without a mode of its own, below STRICT. To find out
// whether a workload has exceptions, istiod looks for PERMISSIVE only (ambient/authorization.go
// convertedSelectorPeerAuthentications); where there is none, the DISABLE is overlooked and the port
// stays STRICT. Its callers in plaintext are refused.
var _ = policies.Register(policies.Check{
	ID:       "effect/peer-port-ignored",
	Title:    "A port's DISABLE that is overlooked",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.PeerAuthentication},
	Cases:    []int{48},
	Controls: encryption(),
	Doc: `Below a STRICT of the namespace or the mesh, a PeerAuthentication without a mode of its own opens ports only if
one of them is PERMISSIVE. If all it has is DISABLE, istiod overlooks it and the port refuses plaintext.`,
	Remedy: "Set the port's mode to PERMISSIVE, or spec.mtls.mode to STRICT beside it.",
	Run: func(p *policies.Pass) {
		reportPeer(p, policies.PortModeIgnored, "callers in plaintext are refused", nil)
	},
})
