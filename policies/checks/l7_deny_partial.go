package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A DENY without targetRefs of which some rules, or alternatives inside a rule, need what ztunnel cannot
// compare: those never match, the others do. istiod calls it accepted and "more restrictive"
// (pilot/pkg/serviceregistry/ambient/authorization.go handleRule).
var _ = policies.Register(policies.Check{
	ID:       "effect/l7-deny-partial",
	Title:    "A DENY that denies less than it says",
	Severity: policies.Critical,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{5, 7, 10},
	Controls: authorization(),
	Doc: `ztunnel strips HTTP attributes from the rules of a DENY. A rule, or an alternative in its "to" or "from", of which nothing is
left never matches, while the others still do. So part of what the policy denies gets through, and istiod reports the
policy as accepted, even as more restrictive than requested.`,
	Remedy: "Repeat the policy for its Services with targetRefs, so that their waypoint enforces all of it.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		for _, e := range p.Effects(p.Object) {
			if policies.Action(spec) == policies.Deny && atPods(e) && e.Verdict == policies.PartiallyEnforced && e.Reason == policies.UnsupportedValue {
				tell(p, e, append(conditionsAsPrincipals(p, spec), twin(p)...)...)
			}
		}
	},
})
