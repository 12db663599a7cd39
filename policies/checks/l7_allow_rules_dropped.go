package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An ALLOW without targetRefs of which some rules need what ztunnel cannot compare: those are dropped
// whole, with what else stands in them, and the rest is enforced (authorization.go handleRule).
var _ = policies.Register(policies.Check{
	ID:       "effect/l7-allow-rules-dropped",
	Title:    "An ALLOW that admits less than it says",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{2, 3, 13},
	Controls: authorization(),
	Doc: `ztunnel drops an ALLOW rule that has anything it cannot compare, and keeps the others. What only a dropped rule admits is denied.
A rule is dropped whole: also the alternatives of its "to" and "from" that ztunnel could compare, and they can be saved by
giving them a rule of their own.`,
	Remedy: "Part the policy: what ztunnel can compare here, and all of it in a policy bound to the Services with targetRefs.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		for _, e := range p.Effects(p.Object) {
			if policies.Action(spec) == policies.Allow && atPods(e) && e.Verdict == policies.OverDenies && e.Reason == policies.UnsupportedValue {
				tell(p, saving(e, spec), twin(p)...)
			}
		}
	},
})
