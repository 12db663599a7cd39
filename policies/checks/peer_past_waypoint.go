package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// PERMISSIVE or DISABLE for pods behind a waypoint that applies policies. Who calls in plaintext is
// outside the mesh, and nothing sends its calls through a waypoint: they reach the pods directly, and
// what the waypoint enforces does not hold for them. Without a PeerAuthentication that is so as
// well; here somebody asked for it. STRICT does not make calls pass the waypoint either: it refuses
// plaintext, and says nothing on the way that mTLS takes.
var _ = policies.Register(policies.Check{
	ID:       "effect/peer-past-waypoint",
	Title:    "Plaintext is let in past the waypoint",
	Severity: policies.Info,
	Kinds:    []mesh.Kind{mesh.PeerAuthentication},
	Cases:    []int{54},
	Controls: encryption(),
	Doc: `A waypoint takes calls by mTLS only, from the mesh. Letting plaintext in, for callers outside the mesh, does not let
them through the waypoint: they reach the pods directly, and no policy of the waypoint holds for them.`,
	Remedy: "Let callers from outside in through a gateway, and refuse plaintext at the pods.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.PeerAuthenticationSpec)
		mode := mesh.ModeOf(p.Object)
		if mode != mesh.Permissive && mode != mesh.Disable || policies.PeerScope(p.Snapshot, p.Object) != policies.ScopeSelector || len(p.Effects(p.Object)) == 0 ||
			p.Effects(p.Object)[0].EnforcedBy != policies.Ztunnel {
			return
		}
		for _, w := range p.Select(p.Object.Namespace, spec.Selector.MatchLabels) {
			for _, svc := range p.ServicesOf(w) {
				b := p.Binding(svc)
				if w.Mode != mesh.ModeAmbient || !b.Bound || len(p.PoliciesFor(svc))+len(p.PoliciesFor(b.Gateway)) == 0 {
					continue
				}
				p.Report(policies.Finding{Field: "spec.mtls.mode", Related: []mesh.Ref{svc.Ref()},
					Message: fmt.Sprintf("callers in plaintext get round the policies of %s: they reach the pods without passing waypoint %s.", svc.Ref(), b.Gateway.Key())})
				return
			}
		}
	},
})
