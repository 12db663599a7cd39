package checks

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A VirtualService, route or DestinationRule in a namespace from which the waypoint takes nothing. A
// waypoint acts for all callers, so it reads VirtualServices and routes only from the Service's
// namespace and its own (listener_waypoint.go getVirtualServiceForWaypoint), DestinationRules from the
// root namespace besides (push_context.go destinationRule). A client's own rules, which sidecars know,
// have no place: istio/istio#58117, #58747. The status of such a route is Accepted=True.
var _ = policies.Register(policies.Check{
	ID:       "effect/traffic-other-namespace",
	Title:    "Traffic management in a namespace that the waypoint does not read",
	Severity: policies.Medium,
	Kinds:    slices.Concat(routing, []mesh.Kind{mesh.DestinationRule}),
	Cases:    []int{83, 92, 99},
	Controls: configuration(),
	Doc: `Sidecars carry out what the caller's namespace says. A waypoint stands at the called Service and acts for all
callers, so it takes VirtualServices and routes only from the Service's namespace and from its own, and
DestinationRules from the root namespace besides. Anything elsewhere is silently ignored, and a route still
has Accepted=True.`,
	Remedy: "Move it to the Service's namespace; it then holds for all callers.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.OtherNamespace) {
			if heldElsewhere(p, e) {
				continue
			}
			f := told(e)
			f.Field = "metadata.namespace"
			p.Report(f)
		}
	},
})
