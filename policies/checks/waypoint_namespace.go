package checks

import (
	"fmt"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// The label use-waypoint-namespace without use-waypoint beside it. The two are read from one object
// only (ambient/waypoints.go GetUseWaypoint).
var _ = policies.Register(policies.Check{
	ID:       "waypoint/waypoint-namespace",
	Title:    "A waypoint's namespace without its name",
	Severity: policies.Medium,
	Kinds:    carriers,
	Cases:    []int{64},
	Controls: configuration(),
	Doc: `istio.io/use-waypoint-namespace counts only beside istio.io/use-waypoint on the same object. Alone, or on a Service
whose Namespace names the waypoint, it is ignored.`,
	Remedy: "Set istio.io/use-waypoint beside it, on the same object.",
	Run: func(p *policies.Pass) {
		key := label.IoIstioUseWaypointNamespace.Name
		ns, ok := p.Object.Labels[key]
		if name, named := p.Object.Labels[label.IoIstioUseWaypoint.Name]; !ok || named && name != "none" {
			return
		}
		f := policies.Finding{
			Field:   "metadata.labels[" + key + "]",
			Message: fmt.Sprintf("label %s=%s on %s is ignored: %s does not stand beside it.", key, ns, short(p.Object), label.IoIstioUseWaypoint.Name),
		}
		if p.Object.Kind == mesh.Namespace && len(p.Inheriting(p.Object.Name)) == 0 {
			f.Severity = policies.Low
		}
		p.Report(f)
	},
})
