package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A VirtualService and an HTTPRoute or GRPCRoute for the same Service, both in force at its waypoint.
// Istio does not support the mixture. What it does is to append the rules of one to those of the other,
// in an order that depends on namespaces and ages, and rules behind one that takes every call never hold.
var _ = policies.Register(policies.Check{
	ID:       "effect/mixed-routing",
	Title:    "A VirtualService and a route for the same Service",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.VirtualService},
	Cases:    []int{90},
	Controls: configuration(),
	Doc: `Istio does not support a VirtualService and a route of the Gateway API for the same Service. A waypoint appends the
rules of one to those of the other; which come first depends on namespaces and ages, and what stands behind
a rule that takes every call never holds.`,
	Remedy: "Write all rules for the Service in one of the two.",
	Run: func(p *policies.Pass) {
		if len(p.Object.Spec.(*mesh.VirtualServiceSpec).HTTP) == 0 {
			return
		}
		for _, e := range p.Effects(p.Object) {
			svc := targetOf(p, e.Target)
			if svc == nil || e.EnforcedBy != policies.Waypoint {
				continue
			}
			for _, r := range p.RoutesFrom(svc) {
				if (r.Kind == mesh.HTTPRoute || r.Kind == mesh.GRPCRoute) && atWaypoint(p, r, e.Target) {
					p.Report(policies.Finding{Verdict: e.Verdict, Field: "spec.hosts", Related: []mesh.Ref{r.Ref()},
						Message: fmt.Sprintf("which rules hold for calls to %s is undefined: %s has rules for it too, and Istio does not support the mixture.", svc, r)})
				}
			}
		}
	},
})

// atWaypoint is whether a waypoint applies another object to a target.
func atWaypoint(p *policies.Pass, o *mesh.Object, t policies.Target) bool {
	for _, e := range p.Effects(o) {
		if e.EnforcedBy == policies.Waypoint && e.Target.Kind == t.Kind && e.Target.Namespace == t.Namespace && e.Target.Name == t.Name {
			return true
		}
	}
	return false
}
