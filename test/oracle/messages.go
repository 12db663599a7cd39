package oracle

import (
	"fmt"
	"strconv"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Messages compares what istiod says beside a WaypointBound that both sides agree on: which waypoint it
// is, whether ingress gateways send through it, and why the canary is left out, for which there is
// neither a condition nor a reason of its own (pilot/pkg/model/service.go GetConditions).
func (r Recording) Messages() Result {
	var out Result
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry, mesh.WorkloadEntry} {
		for o := range r.Snapshot.All(kind) {
			b := r.Snapshot.Binding(o)
			for _, c := range r.Conditions[key(o)] {
				if c.Type == WaypointBound && c.Status+" "+c.Reason == bound(b) {
					out.compare("the message of "+WaypointBound, o, r.boundMessage(o, b), c.Message)
				}
			}
		}
	}
	return out
}

func (r Recording) boundMessage(o *mesh.Object, b mesh.Binding) string {
	name := b.Namespace + "/" + b.Name
	traffic := "service"
	if o.Kind == mesh.WorkloadEntry {
		traffic = "workload"
	}
	if !b.Bound {
		return refusal(b.Reason, name, traffic)
	}
	out := "Successfully attached to waypoint " + name
	if o.Kind == mesh.WorkloadEntry {
		return out
	}
	_, own := o.Labels[label.IoIstioIngressUseWaypoint.Name]
	_, inherited := r.Snapshot.NamespaceLabels(o.Namespace)[label.IoIstioIngressUseWaypoint.Name]
	switch {
	case r.Snapshot.IngressUsesWaypoint(o):
		out += ". Ingress traffic will traverse the waypoint"
	case own || inherited:
		out += ". Ingress traffic is not using the waypoint, set the istio.io/ingress-use-waypoint label to true if desired."
	}
	if c := r.Snapshot.Canary(o); c.Reason != "" && c.Reason != mesh.CanaryNotAsked {
		out += ". Canary waypoint not attached: " + refusal(c.Reason, c.Namespace+"/"+c.Name, traffic)
	}
	return out
}

// refusal is istiod's sentence for a reason (pilot/pkg/serviceregistry/ambient/status.go).
func refusal(reason, waypoint, traffic string) string {
	switch reason {
	case mesh.WaypointIsNotReady:
		return fmt.Sprintf("waypoint %q is not ready", waypoint)
	case mesh.AttachmentDenied:
		return fmt.Sprintf("we are not permitted to attach to waypoint %q (missing allowedRoutes?)", waypoint)
	case mesh.UnsupportedTrafficType:
		return fmt.Sprintf("attempting to bind to traffic type %q which the waypoint %q does not support", traffic, waypoint)
	case mesh.CanaryInvalidWeight:
		return fmt.Sprintf("canary waypoint %q has an invalid weight; must be an integer in [0,100]", waypoint)
	case mesh.CanarySameAsPrimary:
		return fmt.Sprintf("canary waypoint %q must differ from the primary waypoint", waypoint)
	}
	return reason
}

// Canaries compares how the calls to a Service or ServiceEntry are shared out between its waypoint and the canary.
func (r Recording) Canaries() Result {
	var out Result
	for _, sent := range r.Ambient.Services {
		o := r.sent(sent)
		if o == nil {
			continue
		}
		ours, istiod := Nothing, Nothing
		if c := r.Snapshot.Canary(o); c.Attached {
			ours = share(address(r.Snapshot.Binding(o).Gateway), 100-c.Weight) + share(address(c.Gateway), c.Weight)
		}
		if len(sent.WeightedWaypoints) > 0 {
			istiod = ""
			for _, w := range sent.WeightedWaypoints {
				istiod += share(w.Destination.raw(), w.Weight)
			}
		}
		out.compare("the canary of the "+o.Kind.String(), o, ours, istiod)
	}
	return out
}

func share(address string, weight int) string {
	return strings.Join([]string{strconv.Itoa(weight), "% to ", address, " "}, "")
}
