package checks

import (
	"fmt"
	"strconv"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A waypoint without the one listener that waypoints have: HBONE on port 15008. istiod rejects any
// other (config/kube/gateway/conversion.go unexpectedWaypointListener) and still lets Services be bound
// to the waypoint; ztunnels always connect to 15008.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/waypoint-listener",
	Title:    "A waypoint without a listener for HBONE",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.Gateway},
	Cases:    []int{71},
	Controls: evidenceFor(authorization(), resilience()),
	Doc: `A waypoint has exactly one listener, with protocol HBONE on port 15008. Without it the waypoint does not listen
where ztunnels connect to, and calls to whatever is bound to it fail. Other listeners are rejected and do nothing.`,
	Remedy: "Give it a single listener with protocol HBONE on port 15008.",
	Run: func(p *policies.Pass) {
		gw := p.Object
		if p.ClassOf(gw) != mesh.ClassWaypoint || p.Sandwiched(gw) {
			return
		}
		listeners := gw.Spec.(*mesh.GatewayBody).Spec.Listeners
		var wrong []int
		for i, l := range listeners {
			if l.Protocol != "HBONE" || l.Port != 15008 {
				wrong = append(wrong, i)
			}
		}
		switch {
		case len(listeners) == 0:
			p.Report(policies.Finding{Field: "spec.listeners", Message: fmt.Sprintf("calls through waypoint %s fail: it has no listener.", gw.Key())})
		case len(wrong) == 0:
		case len(wrong) < len(listeners):
			l := listeners[wrong[0]]
			p.Report(policies.Finding{Severity: policies.Low, Field: fmt.Sprintf("spec.listeners[%d]", wrong[0]),
				Message: fmt.Sprintf("listener %q of waypoint %s does nothing: a waypoint has one listener only, HBONE on port 15008.", l.Name, gw.Key()),
				Remedy:  "Remove it."})
		default:
			l := listeners[wrong[0]]
			f := policies.Finding{Field: fmt.Sprintf("spec.listeners[%d]", wrong[0]),
				Message: fmt.Sprintf("calls through waypoint %s fail: ztunnels connect to port 15008 with HBONE, and its listener %q is %s on port %d.", gw.Key(), l.Name, l.Protocol, l.Port)}
			if len(listeners) == 1 {
				f.Fixes = []policies.Fix{{Message: "make the listener HBONE on port 15008", Patch: listenerOps(l)}}
			}
			p.Report(f)
		}
	},
})

func listenerOps(l mesh.Listener) []policies.Op {
	var ops []policies.Op
	at := "/spec/listeners/" + strconv.Itoa(0)
	if l.Port != 15008 {
		ops = append(ops, policies.Op{Op: "add", Path: at + "/port", Value: 15008})
	}
	if l.Protocol != "HBONE" {
		ops = append(ops, policies.Op{Op: "add", Path: at + "/protocol", Value: "HBONE"})
	}
	return ops
}
