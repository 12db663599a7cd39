package checks

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// use-waypoint written as an annotation. Only labels are read.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/waypoint-annotation",
	Title:    "A waypoint asked for by an annotation",
	Severity: policies.Medium,
	Kinds:    carriers,
	Cases:    []int{66, 76},
	Controls: evidenceFor(authorization(), configuration()),
	Doc:      "istio.io/use-waypoint and the labels that go with it are labels. As annotations nobody reads them.",
	Remedy:   "Make it a label.",
	Run: func(p *policies.Pass) {
		for _, key := range []string{label.IoIstioUseWaypoint.Name, label.IoIstioUseWaypointNamespace.Name, label.IoIstioIngressUseWaypoint.Name} {
			v, ok := p.Object.Annotations[key]
			if _, labelled := p.Object.Labels[key]; !ok || labelled {
				continue
			}
			services := touched(p, p.Object)
			if p.Object.Kind == mesh.WorkloadEntry {
				services = nil
			}
			rely := relying(p, slices.DeleteFunc(slices.Clone(services), func(svc *mesh.Object) bool { return p.Binding(svc).Bound }))
			f := policies.Finding{
				Severity: policies.Medium, Field: "metadata.annotations[" + key + "]", Related: refsOf(rely),
				Message: fmt.Sprintf("%s on %s is ignored: it is an annotation, and only a label is read%s.", key, short(p.Object), because(rely)),
			}
			if len(rely) > 0 {
				f.Severity = weight(rely, 0)
			}
			if key == label.IoIstioUseWaypoint.Name && v != "none" && v != "" && p.Object.Kind != mesh.WorkloadEntry {
				if r := relabelled(p, p.Object, key, v); r.safe && binds(p, v) {
					f.Fixes = []policies.Fix{{Message: "make it a label" + r.then(), Patch: labelOps(p.Object, key, v)}}
				}
			}
			p.Report(f)
		}
	},
})

// binds is whether a waypoint of that name, in the object's own namespace, is ready for its Services.
func binds(p *policies.Pass, name string) bool {
	if _, other := p.Object.Labels[label.IoIstioUseWaypointNamespace.Name]; other {
		return false
	}
	gw := p.Get(mesh.Gateway, p.Object.Home(), name)
	return gw != nil && mesh.Ready(gw) && p.ClassOf(gw) == mesh.ClassWaypoint && mesh.ServesServices(p.TrafficType(gw))
}
