package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// `selector: {}`. Sidecars and gateways take it for the whole namespace; istiod neither makes it a policy of
// the namespace for ztunnel nor finds a workload that it selects (ambient/workloads.go
// buildWorkloadPolicies), and reports it as accepted.
var _ = policies.Register(policies.Check{
	ID:       "effect/empty-selector",
	Title:    "A selector that selects nothing in ambient mode",
	Severity: policies.Critical,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{15},
	Controls: authorization(),
	Doc: `A policy with an empty selector is sent to ztunnel as one for selected workloads, and is attached to none. Sidecars and gateways
take the same selector for "all". An empty matchLabels is a coin toss: depending on how the object was copied it
selects everything or nothing.`,
	Remedy: "Remove spec.selector if the whole namespace is meant.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Has(policies.EmptySelector) {
				tell(p, e)
			}
		}
	},
})
