package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A VirtualService or DestinationRule for a host that is neither a Service nor a ServiceEntry. A sidecar
// serves such a host all the same, because it sees the Host header of every call. For ambient pods it is
// an address like any other: no waypoint takes the calls, so nothing is done with them.
var _ = policies.Register(policies.Check{
	ID:       "effect/host-not-described",
	Title:    "Traffic management for a host that the mesh does not know",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.VirtualService, mesh.DestinationRule},
	Cases:    []int{89},
	Controls: configuration(),
	Doc: `A waypoint only takes calls to Services and ServiceEntries. A VirtualService or DestinationRule for a host that
is neither does nothing for calls of ambient pods, in contrast to sidecars.`,
	Remedy: "Describe the host with a ServiceEntry that is bound to a waypoint.",
	Run: func(p *policies.Pass) {
		d, isRule := p.Object.Spec.(*mesh.DestinationRuleSpec)
		for _, e := range effectsFor(p, policies.TargetNotFound) {
			if e.Target.Kind == "Host" && !(isRule && asksNothingNew(d)) {
				p.Report(told(e))
			}
		}
	},
})
