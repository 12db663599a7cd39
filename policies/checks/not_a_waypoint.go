package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A use-waypoint label that names an ingress gateway. istiod never looks at the class: any Gateway with
// an address is a waypoint to it (ambient/waypoints.go gatewayToWaypointTransform), and it reports the
// binding as successful. ztunnels then send HBONE to port 15008 of something that does not speak it.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/not-a-waypoint",
	Title:    "A gateway that is no waypoint",
	Severity: policies.Critical,
	Kinds:    carriers,
	Cases:    []int{29, 70},
	Controls: authorization(),
	Doc: `The label istio.io/use-waypoint names a Gateway that is not a waypoint but an ingress gateway. istiod reports it as
bound, and every call from the mesh fails, because the gateway does not speak HBONE.`,
	Remedy: "Name a Gateway of class istio-waypoint.",
	Run: func(p *policies.Pass) {
		a, ok := askOf(p)
		if !ok || a.Gateway == nil || !mesh.Ready(a.Gateway) || p.Sandwiched(a.Gateway) {
			return
		}
		if class := p.ClassOf(a.Gateway); class != mesh.ClassGateway && class != mesh.ClassAgentIngress {
			return
		}
		if a.Reason != mesh.WaypointAccepted || p.Object.Kind == mesh.Namespace && len(a.services) == 0 {
			return
		}
		p.Report(policies.Finding{
			Field: a.field, Related: []mesh.Ref{a.Waypoint()},
			Message: fmt.Sprintf("calls from the mesh to %s fail: %s is of class %s, an ingress gateway, which does not speak HBONE, although istiod reports the binding as successful.",
				destination(p.Object), short(a.Gateway), a.Gateway.Spec.(*mesh.GatewayBody).Spec.GatewayClassName),
		})
	},
})

func destination(o *mesh.Object) string {
	if o.Kind == mesh.Namespace {
		return "the Services of " + short(o)
	}
	return short(o)
}
