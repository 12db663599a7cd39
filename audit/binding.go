package audit

import (
	"fmt"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies/mesh"
)

// bindingOf is what there is to say of the waypoint that an object asks for; ok is false for an
// object that asks for none.
func bindingOf(s *mesh.Snapshot, o *mesh.Object) (out report.Binding, ok bool) {
	switch o.Kind {
	case mesh.Service, mesh.ServiceEntry, mesh.WorkloadEntry:
	default:
		return out, false
	}
	b := s.Binding(o)
	if b.Reason == "" {
		return out, false
	}
	out = report.Binding{Object: o.Ref(), Bound: b.Bound, Reason: b.Reason, AskedBy: b.By, Ingress: b.Ingress, Message: BindingMessage(s, o, b)}
	if b.Name != "" {
		out.Waypoint = &report.Named{Kind: mesh.Gateway.String(), Namespace: b.Namespace, Name: b.Name}
	}
	return out, true
}

// BindingMessage explains a Binding: consequence: cause. remedy.
func BindingMessage(s *mesh.Snapshot, o *mesh.Object, b mesh.Binding) string {
	waypoint := "waypoint " + b.Namespace + "/" + b.Name
	asks := fmt.Sprintf("calls go straight to the pods: %s asks for %s", o, waypoint)
	if b.By == "Namespace" {
		asks = fmt.Sprintf("calls go straight to the pods: Namespace %s asks for %s for %s", o.Namespace, waypoint, o)
	}
	switch b.Reason {
	case mesh.WaypointAccepted:
		text := fmt.Sprintf("calls to %s from the mesh pass %s", o, waypoint)
		if o.Kind != mesh.WorkloadEntry && !b.Ingress {
			return text + "; those from ingress gateways do not."
		}
		return text + "."
	case mesh.ReasonUnknown:
		return fmt.Sprintf("which waypoint %s has is not known: %s is not in the input. Add it, or use --live.", o, b.Missing)
	case mesh.WaypointIsNotReady:
		if b.Gateway == nil {
			return asks + ", which does not exist. Make the waypoint, or correct label " + label.IoIstioUseWaypoint.Name + "."
		}
		return asks + ", which is not ready. Find out why it has no address."
	case mesh.AttachmentDenied:
		return fmt.Sprintf("%s, which does not let Namespace %s attach. Widen allowedRoutes of its listener, or use a waypoint of the namespace.", asks, o.Namespace)
	case mesh.UnsupportedTrafficType:
		return fmt.Sprintf("%s, which is for %s traffic only. Set label %s to what it should serve.", asks, s.TrafficType(b.Gateway), label.IoIstioWaypointFor.Name)
	case mesh.CrossNamespaceWaypointForbidden:
		return asks + " of another namespace, while it is visible in its own only. Make a waypoint in its namespace."
	}
	return asks + "."
}
