package checks

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// What asks for a waypoint must be what the waypoint is for: label istio.io/waypoint-for on the
// Gateway, else on its GatewayClass, else service (ambient/waypoints.go fetchWaypointForService). A
// value that is not one of the four counts as none. For a Namespace only its Services are reported:
// its pods never had the waypoint, and nobody expects it.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/waypoint-for",
	Title:    "A waypoint that is not for what asks for it",
	Severity: policies.High,
	Kinds:    append(slices.Clip(carriers), mesh.Gateway),
	Cases:    []int{62, 63},
	Controls: evidenceFor(authorization(), configuration()),
	Doc: `A waypoint takes traffic to Services, to workloads, to both (all) or to nothing (none), as its label
istio.io/waypoint-for says; without it, to Services. What asks for a waypoint that is not for it is bound to nothing.
Any other word in the label means nothing at all.`,
	Remedy: "Set label istio.io/waypoint-for of the waypoint to what asks for it: service, workload or all.",
	Run: func(p *policies.Pass) {
		if p.Object.Kind == mesh.Gateway {
			wrongWord(p)
			return
		}
		a, ok := askOf(p)
		if !ok || a.Reason != mesh.UnsupportedTrafficType || p.Object.Kind == mesh.Namespace && len(a.services) == 0 {
			return
		}
		if tt, own := a.Gateway.Labels[label.IoIstioWaypointFor.Name]; own && !mesh.ServesWorkloads(tt) && !mesh.ServesServices(tt) {
			return // nothing can be bound to it: told on the waypoint
		}
		needs := "service"
		if p.Object.Kind == mesh.WorkloadEntry {
			needs = "workload"
		}
		tt := p.TrafficType(a.Gateway)
		if p.Object.Kind == mesh.Namespace && mesh.ServesWorkloads(tt) && len(relying(p, a.services)) == 0 {
			return // a waypoint for pods, and nothing asks for more
		}
		rely := relying(p, a.services)
		p.Report(policies.Finding{
			Severity: weight(rely, len(a.services)), Field: a.field, Related: append([]mesh.Ref{a.Waypoint()}, refsOf(rely)...),
			Message: fmt.Sprintf("%s without passing a waypoint: waypoint %s/%s is for %s traffic only, not for %s%s.",
				calls(p.Object), a.Namespace, a.Name, tt, needs, because(rely)),
		})
	},
})

// wrongWord is a waypoint that nothing can be bound to.
func wrongWord(p *policies.Pass) {
	tt, ok := p.Object.Labels[label.IoIstioWaypointFor.Name]
	_, asking := waiting(p, p.Object)
	rely := relyingOn(p, nil, p.Object.Namespace, p.Object.Name)
	if !ok || slices.Contains([]string{"service", "workload", "all"}, tt) || tt == "none" && len(asking)+len(rely) == 0 {
		return
	}
	message := fmt.Sprintf("nothing can be bound to waypoint %s: %q is not a kind of traffic.", p.Object.Key(), tt)
	if tt == "none" {
		message = fmt.Sprintf("nothing can be bound to waypoint %s: label %s=none says so, although %s.", p.Object.Key(), label.IoIstioWaypointFor.Name, wanted(asking, rely))
	}
	p.Report(policies.Finding{
		Severity: weight(rely, len(asking)), Field: "metadata.labels[" + label.IoIstioWaypointFor.Name + "]",
		Message: message, Remedy: "Set it to service, workload or all.", Related: refsOf(slices.Concat(asking, rely)),
	})
}

func wanted(asking, rely []*mesh.Object) string {
	if len(asking) > 0 {
		return "it is asked for by " + enumerate(asking)
	}
	return "it is named by " + enumerate(rely)
}
