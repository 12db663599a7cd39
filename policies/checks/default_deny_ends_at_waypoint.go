package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A default deny for a whole namespace or the mesh, over pods whose waypoint is let in by another ALLOW, while
// no AuthorizationPolicy at all guards the Service at the waypoint. Waypoints ignore policies for namespaces
// and the mesh (pilot/pkg/model/policyattachment.go ShouldAttachPolicy; istio/istio#52590, #54780): the
// default deny ends where the waypoint begins.
var _ = policies.Register(policies.Check{
	ID:       "effect/default-deny-ends-at-waypoint",
	Title:    "A default deny that a waypoint gets round",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{16},
	Controls: defaultDeny(),
	Doc: `Waypoints apply only policies that name them, their class or their Services. A default deny for a namespace or the mesh holds at the pods,
where the waypoint is one client among others; once an ALLOW lets the waypoint in, everybody who calls the Service gets in with it,
unless a policy at the waypoint says otherwise.`,
	Remedy: "Bind a default deny to the waypoint as well: an ALLOW without rules whose targetRefs name its Gateway, or from the root namespace its GatewayClass.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		if policies.Action(spec) != policies.Allow || len(spec.Rules) > 0 || spec.Selector != nil || policies.Tries(p.Object) {
			return
		}
		for _, f := range policies.Fronts(p.Snapshot, p.Object) {
			if !f.Admitted {
				continue
			}
			var open []*mesh.Object
			for _, svc := range f.Services {
				if len(policies.OnChain(p.Snapshot, mesh.AuthorizationPolicy, svc)) == 0 {
					open = append(open, svc)
				}
			}
			if len(open) > 0 {
				p.Report(policies.Finding{
					Verdict: policies.Enforced, Field: "spec", WaitsFor: another(mesh.AuthorizationPolicy, f.Waypoint.Namespace), Related: []mesh.Ref{f.Waypoint.Ref()},
					Message: fmt.Sprintf("whoever calls %s by waypoint %s gets in: the pods let the waypoint in, and no policy guards the calls there.", enumerate(open), f.Waypoint.Key()),
				})
			}
		}
	},
})
