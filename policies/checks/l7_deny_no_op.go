package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A DENY without targetRefs whose every rule needs something that ztunnel cannot compare. ztunnel
// strips what it cannot compare; a clause of which nothing is left never matches; so the rule never
// does, even where another clause names principals. istiod reports such a policy as accepted, up to
// 1.31 even as "more restrictive than requested" (istio/istio#61126).
var _ = policies.Register(policies.Check{
	ID:       "effect/l7-deny-no-op",
	Title:    "A DENY that denies nothing",
	Severity: policies.Critical,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{4, 5, 10, 11, 12, 13},
	Controls: evidenceFor(authorization(), defaultDeny()),
	Doc: `ztunnel compares only who calls, from where, and to which port. It strips everything else from a DENY
rule, and a part of which nothing is left never matches. So a DENY on methods, paths, hosts or tokens denies
nothing, even where it names principals as well, and istiod still reports it as accepted.`,
	Remedy: "Bind the policy to its Services with targetRefs, so that their waypoint enforces it.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		if policies.Action(spec) != policies.Deny {
			return
		}
		for _, e := range p.Effects(p.Object) {
			if e.Verdict != policies.NotEnforced || e.Reason != policies.UnsupportedValue || policies.DryRun(p.Snapshot, p.Object) {
				continue
			}
			l7 := policies.L7Attributes(spec)
			_, remedy := parted(e)
			p.Report(policies.Finding{
				Verdict: e.Verdict, Field: l7[0].Field,
				Message: fmt.Sprintf("this DENY denies nothing at %s: ztunnel cannot compare %s, so no rule is left that can match.", e.Target, policies.Names(l7)),
				Remedy:  remedy,
				Fixes:   append(conditionsAsPrincipals(p, spec), retarget(p, e)...),
			})
		}
	},
})
