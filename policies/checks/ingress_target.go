package checks

import (
	"fmt"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A policy that names an ingress gateway which somebody takes for a waypoint. A policy for an ingress
// gateway is nothing unusual, so this asks for evidence of the mistake: a use-waypoint label that
// names the Gateway, a waypoint-for label on it, or a listener for HBONE.
var _ = policies.Register(policies.Check{
	ID:       "effect/ingress-target",
	Title:    "A policy at an ingress gateway that is taken for a waypoint",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{29},
	Controls: evidenceFor(authorization(), ingress()),
	Doc: `The Gateway that the policy names is an ingress gateway: it enforces the policy for what comes in through
it, and calls inside the mesh never pass it. istiod reports the policy as bound to a waypoint as soon as the Gateway has
an address, whatever its class.`,
	Remedy: "Name the Services, or a Gateway of class istio-waypoint.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			gw := p.Get(mesh.Gateway, e.Target.Namespace, e.Target.Name)
			if e.Target.Kind != "Gateway" || gw == nil || p.ClassOf(gw) != mesh.ClassGateway {
				continue
			}
			if why := takenForWaypoint(p.Snapshot, gw); why != "" {
				p.Report(policies.Finding{
					Verdict: e.Verdict, Field: e.Field, Related: []mesh.Ref{gw.Ref()},
					Message: fmt.Sprintf("calls inside the mesh never meet this %s: %s is an ingress gateway, although %s.", what(p.Object), short(gw), why),
				})
			}
		}
	},
})

// takenForWaypoint is the evidence, as a clause; "" without any.
func takenForWaypoint(s *mesh.Snapshot, gw *mesh.Object) string {
	for _, o := range s.AskingFor(gw) {
		return fmt.Sprintf("%s asks for it as its waypoint", short(o))
	}
	if v, ok := gw.Labels[label.IoIstioWaypointFor.Name]; ok {
		return fmt.Sprintf("it has label %s=%s", label.IoIstioWaypointFor.Name, v)
	}
	for _, l := range gw.Spec.(*mesh.GatewayBody).Spec.Listeners {
		if l.Protocol == "HBONE" {
			return "it has a listener for HBONE"
		}
	}
	return ""
}
