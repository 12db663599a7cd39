package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A policy over workloads that nothing captures: not enrolled, on the host's network, left out of ambient mode,
// or described by a WorkloadEntry before which no ztunnel stands. istiod attaches the policy and reports it as
// accepted; nobody enforces it. Whole namespaces and the mesh count only where nothing in them is captured:
// some workload outside the mesh is nobody's mistake.
var _ = policies.Register(policies.Check{
	ID:       "effect/not-enrolled",
	Title:    "A policy for workloads that nothing captures",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{38, 41},
	Controls: evidenceFor(authorization(), encryption()),
	Doc: `A policy is enforced before a workload by what captures its traffic: ztunnel, a sidecar, or the gateway that it is. Where there is
none of them it guards nothing, and istiod still reports it as accepted.`,
	Remedy: "Enrol the workloads, or enforce the policy at a waypoint with targetRefs.",
	Run: func(p *policies.Pass) {
		effects := p.Effects(p.Object)
		for _, e := range effects {
			if e.Reason == policies.NotEnrolled && (len(effects) == 1 || e.Target.Kind == policies.ScopeSelector) {
				tell(p, e)
			}
		}
	},
})
