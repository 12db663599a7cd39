package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A DENY without rules denies nothing, everywhere in Istio; an ALLOW without rules denies everything. Who writes
// the one often means the other.
var _ = policies.Register(policies.Check{
	ID:       "effect/deny-without-rules",
	Title:    "A DENY without rules",
	Severity: policies.Info,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{},
	Controls: authorization(),
	Doc: `A policy without rules matches no call. So a DENY without rules denies nothing, at ztunnel as at every proxy. To deny everything,
write an ALLOW without rules, or a DENY with one empty rule.`,
	Remedy: "Write an ALLOW without rules to deny everything, or remove the policy.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		if policies.Action(spec) == policies.Deny && len(spec.Rules) == 0 {
			p.Report(policies.Finding{Field: "spec.rules", Verdict: policies.Enforced, Message: "this DENY denies nothing, as it is written: it has no rules, and a policy without rules matches no call."})
		}
	},
})
