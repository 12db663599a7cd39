package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A VirtualService or DestinationRule whose exportTo leaves out the namespace of the Service's
// waypoint. The waypoint reads what is visible to its own namespace, so `exportTo: ["."]` beside the
// Service is not enough where the waypoint runs in another namespace.
var _ = policies.Register(policies.Check{
	ID:       "effect/traffic-not-exported",
	Title:    "Traffic management that the waypoint cannot see",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.VirtualService, mesh.DestinationRule},
	Cases:    []int{84},
	Controls: configuration(),
	Doc: `A waypoint only reads what is exported to the namespace in which it runs. An object that is exported to
its own namespace alone has no effect where the waypoint is in another.`,
	Remedy: "Add the waypoint's namespace to spec.exportTo.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.NotExported) {
			f := told(e)
			f.Fixes = export(p, e)
			p.Report(f)
		}
	},
})

// export offers to add the waypoint's namespace, where the object then does no more than it says and
// takes the place of nothing.
func export(p *policies.Pass, e policies.Effect) []policies.Fix {
	svc, gw := targetOf(p, e.Target), waypointOf(p, e.Target)
	if svc == nil || gw == nil || p.Clients().Sidecar[gw.Namespace] {
		return nil
	}
	switch spec := p.Object.Spec.(type) {
	case *mesh.VirtualServiceSpec:
		if len(spec.ExportTo) == 0 || !safeAt(p, p.Object, gw) || len(p.RoutesFrom(svc)) > 0 || len(p.VirtualServicesFor(svc)) > 1 {
			return nil
		}
	case *mesh.DestinationRuleSpec:
		if len(spec.ExportTo) == 0 || len(policies.Lookup(p.Snapshot, svc, gw.Namespace)) > 0 {
			return nil
		}
	}
	return []policies.Fix{{
		Message: fmt.Sprintf("export it to Namespace %s, so that waypoint %s applies it to all calls to %s", gw.Namespace, gw.Key(), svc),
		Patch:   []policies.Op{{Op: "add", Path: "/spec/exportTo/-", Value: gw.Namespace}},
	}}
}
