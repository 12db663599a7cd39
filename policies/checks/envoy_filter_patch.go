package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A patch of an EnvoyFilter for something that a waypoint has and does not patch: the clusters of
// the Services bound to it, which are built without a patcher (pilot/pkg/networking/core/cluster.go
// buildClusters, case Waypoint), and the routes of a Service that has a VirtualService or HTTPRoute,
// of which only the default ones are patched (listener_waypoint.go buildWaypointInboundHTTPRouteConfig).
var _ = policies.Register(policies.Check{
	ID:       "effect/envoy-filter-patch",
	Title:    "An EnvoyFilter that patches what a waypoint does not patch",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.EnvoyFilter},
	Cases:    []int{118, 119},
	Controls: configuration(),
	Doc: `A waypoint adds the clusters that an EnvoyFilter asks for, but never changes or removes those of the
Services bound to it. It patches routes and virtual hosts only of Services that have no VirtualService,
HTTPRoute or GRPCRoute.`,
	Remedy: "Say it in a DestinationRule, or in the VirtualService or HTTPRoute.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			for _, c := range e.Causes {
				if c.Reason != policies.PatchNeverApplies {
					continue
				}
				what := "nothing comes of this patch"
				if c.Verdict == policies.PartiallyEnforced {
					what = "this patch reaches a part of what it says"
				}
				p.Report(policies.Finding{Verdict: c.Verdict, Field: c.Field,
					Message: fmt.Sprintf("at %s %s: %s.", e.Target, what, c.Text)})
			}
		}
	},
})
