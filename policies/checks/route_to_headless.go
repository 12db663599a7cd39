package checks

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A VirtualService, DestinationRule, route or backend policy for a headless Service or one of type
// ExternalName. Clients of a headless Service connect to pods; a waypoint's chain for it has a
// placeholder address that never matches (istio/istio#60310). ExternalName Services are not in the ambient
// index at all.
var _ = policies.Register(policies.Check{
	ID:       "effect/route-to-headless",
	Title:    "Traffic management for a Service that no waypoint serves",
	Severity: policies.Medium,
	Kinds:    slices.Concat(routing, shaping),
	Cases:    []int{102},
	Controls: configuration(),
	Doc: `Clients of a headless Service connect to its pods, so their calls never pass the waypoint's chain for the Service, and
ambient mode does not know Services of type ExternalName. A waypoint cannot help either.`,
	Remedy: "Name a Service with a cluster IP, or a ServiceEntry for the external host.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.HeadlessService, policies.ExternalNameService) {
			svc := targetOf(p, e.Target)
			if svc == nil || heldElsewhere(p, e) {
				continue
			}
			f := told(e)
			if p.Object.Kind == mesh.DestinationRule || p.Object.Kind == mesh.XBackendTrafficPolicy {
				f.Severity = policies.Low
			}
			p.Report(f)
		}
	},
})
