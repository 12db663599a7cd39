package checks

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Gateway without an address that something asks for as its waypoint. istiod gives a waypoint its
// address once its first pod is ready and never takes it away, so one without was never ready, or has
// been made anew under the same name; either way the bindings to it are gone and traffic goes direct
// (ambient/waypoints.go gatewayToWaypointTransform).
var _ = policies.Register(policies.Check{
	ID:       "waypoint/waypoint-not-ready",
	Title:    "A waypoint that is not ready",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.Gateway},
	Cases:    []int{60, 137},
	Controls: evidenceFor(authorization(), resilience()),
	Doc: `A waypoint counts once its Gateway has an address, which istiod writes when the first pod is ready. Until then
what asks for it is bound to nothing: calls go straight to the pods, and policies for the waypoint do nothing.`,
	Remedy: "Find out why it is not ready: read the Gateway's conditions and the events of its Deployment.",
	Run: func(p *policies.Pass) {
		gw := p.Object
		if mesh.Ready(gw) {
			return
		}
		services, asking := waiting(p, gw)
		rely := relyingOn(p, services, gw.Namespace, gw.Name)
		if len(asking) == 0 && (len(rely) == 0 || p.ClassOf(gw) == mesh.ClassGateway) {
			return
		}
		message := fmt.Sprintf("the policies for waypoint %s do nothing: it has no address", gw.Key())
		if len(asking) > 0 {
			message = fmt.Sprintf("%s reach the pods without passing waypoint %s: it has no address%s", callsTo(asking), gw.Key(), because(rely))
		}
		p.Report(policies.Finding{
			Severity: weight(rely, len(services)), Verdict: policies.Pending, Field: "status.addresses",
			Message: message + ".", Related: refsOf(slices.Concat(asking, rely)),
		})
	},
})

// waiting are the objects whose label names the Gateway, and the Services that would be bound by it.
func waiting(p *policies.Pass, gw *mesh.Object) (services, asking []*mesh.Object) {
	for _, o := range p.AskingFor(gw) {
		if o.Labels[label.IoIstioUseWaypoint.Name] != gw.Name {
			continue
		}
		switch o.Kind {
		case mesh.Namespace:
			services = append(services, p.Inheriting(o.Name)...)
		case mesh.Service, mesh.ServiceEntry:
			services = append(services, o)
		default:
			continue
		}
		asking = append(asking, o)
	}
	return services, asking
}

func callsTo(asking []*mesh.Object) string {
	return "calls to what asks for it (" + enumerate(asking) + ")"
}
