package checks

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A PeerAuthentication with ports by which its pods lose STRICT altogether. istiod decides in two
// places: whether the pods refer to a policy made of the ports, in place of the one that refuses
// plaintext (ambient/authorization.go convertedSelectorPeerAuthentications), and whether it makes that
// policy (convertPeerAuthentication). The two disagree
//   - where the mesh is STRICT, the namespace has a PeerAuthentication that says nothing, the pods' one has
//     no mode, and a port is PERMISSIVE;
//   - where the mesh is STRICT, the namespace says nothing, and the pods' one is PERMISSIVE with
//     a STRICT port, which is left out as though the mesh's mode held for it;
//   - where the namespace's STRICT has `selector: {}`.
//
// ztunnel then skips the policy that it does not know, and every port accepts plaintext.
var _ = policies.Register(policies.Check{
	ID:       "effect/peer-strict-lost",
	Title:    "A port's mTLS mode by which pods lose STRICT",
	Severity: policies.Critical,
	Kinds:    []mesh.Kind{mesh.PeerAuthentication},
	Cases:    []int{49},
	Controls: encryption(),
	Doc: `In some combinations with the PeerAuthentications of the namespace and the mesh, istiod tells ztunnel that a policy
made of portLevelMtls holds for the pods, in place of the one that refuses plaintext, and then makes no such policy.
ztunnel skips what it does not know: ports that are meant to be STRICT accept plaintext. Nothing reports it.`,
	Remedy: "Set spec.mtls.mode: STRICT here and list the ports that stay PERMISSIVE, or remove the namespace's PeerAuthentication that says nothing.",
	Run: func(p *policies.Pass) {
		if len(p.Object.Spec.(*mesh.PeerAuthenticationSpec).PortLevelMTLS) == 0 {
			return // its STRICT is lost to another's ports, and found there
		}
		for _, e := range p.Effects(p.Object) {
			i := slices.IndexFunc(e.Causes, func(c policies.Cause) bool { return c.Reason == policies.DanglingPort })
			if i >= 0 {
				p.Report(policies.Finding{Verdict: e.Verdict, Field: e.Causes[i].Field,
					Message: "ports that are meant to refuse plaintext accept it: " + e.Causes[i].Text + "."})
			}
		}
	},
})
