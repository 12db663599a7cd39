package checks

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Namespace with a waypoint whose pods nothing captures. Ambient clients still go through the
// waypoint; everybody else reaches the pods directly, and no ztunnel stands before them.
var _ = policies.Register(policies.Check{
	ID:       "enrolment/waypoint-without-ambient",
	Title:    "A waypoint for a Namespace that is not in ambient mode",
	Severity: policies.Low,
	Kinds:    []mesh.Kind{mesh.Namespace},
	Cases:    []int{78},
	Controls: configuration(),
	Doc: `The Namespace asks for a waypoint, but its pods are not in ambient mode. Calls from ambient pods pass the waypoint
and go on to the pods in plain text; nothing refuses calls that go round it, because no ztunnel stands before the pods.`,
	Remedy: "Enrol the Namespace with label istio.io/dataplane-mode=ambient.",
	Run: func(p *policies.Pass) {
		a, ok := askOf(p)
		ns := p.Object.Name
		if !ok || len(a.services) == 0 || p.Object.Labels[label.IoIstioDataplaneMode.Name] == "ambient" {
			return
		}
		apps := slices.DeleteFunc(slices.Clone(p.Workloads(ns)), func(w *mesh.Workload) bool {
			return w.Mode == mesh.ModeGateway || w.Mode == mesh.ModeWaypoint || w.Source.Kind == mesh.WorkloadEntry || w.Source.Kind == mesh.ServiceEntry
		})
		captured := func(w *mesh.Workload) bool { return w.Mode == mesh.ModeAmbient }
		if len(apps) == 0 && !p.HasWorkloads(ns) {
			apps = []*mesh.Workload{p.Imagine(ns, nil)}
		}
		if len(apps) == 0 || slices.ContainsFunc(apps, captured) {
			return
		}
		f := policies.Finding{
			Field:   useWaypointField,
			Message: fmt.Sprintf("nothing makes calls to the pods of %s pass waypoint %s/%s: the pods are not in ambient mode, because %s.", short(p.Object), a.Namespace, a.Name, apps[0].Why),
		}
		if rely := relying(p, a.services); len(rely) > 0 {
			f.Severity, f.Related = policies.Medium, refsOf(rely)
		}
		p.Report(f)
	},
})
