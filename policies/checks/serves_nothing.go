package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A policy at a waypoint to which nothing is bound. The condition says that the policy is bound to the
// waypoint, and no call ever passes it.
var _ = policies.Register(policies.Check{
	ID:       "effect/serves-nothing",
	Title:    "A policy at a waypoint that serves nothing",
	Severity: policies.Medium,
	Kinds:    bound,
	Cases:    []int{23, 63},
	Controls: configuration(),
	Doc: `The waypoint exists and is ready, but no Service, ServiceEntry, WorkloadEntry or pod is bound to it, so no
call passes it and the policy judges nothing. istiod reports it as accepted.`,
	Remedy: "Bind the Services, or their Namespace, with label istio.io/use-waypoint.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Reason == policies.ServesNothing {
				f := policies.Finding{
					Verdict: e.Verdict, Field: e.Field, Related: byOf(e), Remedy: lastSentence(e.Message),
					Message: fmt.Sprintf("this %s judges nothing at %s: %s.", what(p.Object), e.Target, e.Causes[0].Text),
				}
				if p.Object.Kind != mesh.AuthorizationPolicy {
					f.Severity = policies.Low
					f.Message = fmt.Sprintf("this %s does nothing at %s: %s.", what(p.Object), e.Target, e.Causes[0].Text)
				}
				p.Report(f)
			}
		}
	},
})
