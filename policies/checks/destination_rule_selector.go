package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A DestinationRule with a workloadSelector for a Service behind a waypoint. Selectors choose callers;
// a waypoint never matches them (pilot/pkg/model/sidecar.go DestinationRule), and where such a rule is
// the first that it finds, it takes no other instead.
var _ = policies.Register(policies.Check{
	ID:       "effect/destination-rule-selector",
	Title:    "A DestinationRule for chosen callers",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.DestinationRule},
	Cases:    []int{93},
	Controls: configuration(),
	Doc: `A workloadSelector of a DestinationRule chooses the callers to which it applies. A waypoint acts for all callers
and never takes such a rule.`,
	Remedy: "Remove spec.workloadSelector; the rule then holds for all callers.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.SelectorIgnored) {
			f := told(e)
			f.Remedy = p.Check.Remedy
			svc, gw := targetOf(p, e.Target), waypointOf(p, e.Target)
			if gw != nil && len(p.Clients().Sidecar) == 0 && !enforcedBy(p, e.Target, policies.Gateway) && !originatesTLS(p.Object) && alone(p, svc, gw.Namespace) {
				f.Fixes = []policies.Fix{{
					Message: fmt.Sprintf("let it hold for all calls to %s", svc),
					Patch:   []policies.Op{{Op: "remove", Path: "/spec/workloadSelector"}},
				}}
			}
			p.Report(f)
		}
	},
})

// alone is whether the waypoint finds no other DestinationRule for a Service.
func alone(p *policies.Pass, svc *mesh.Object, waypointNamespace string) bool {
	for _, o := range policies.Lookup(p.Snapshot, svc, waypointNamespace) {
		if o != p.Object {
			return false
		}
	}
	return true
}
