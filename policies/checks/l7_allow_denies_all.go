package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An ALLOW without targetRefs whose every rule needs something that ztunnel cannot compare. ztunnel drops
// each such rule whole, and an ALLOW without rules admits nobody: every connection that no other ALLOW
// admits is denied (authorization.go handleRule, the branch for ALLOW).
var _ = policies.Register(policies.Check{
	ID:       "effect/l7-allow-denies-all",
	Title:    "An ALLOW that denies everything",
	Severity: policies.Critical,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{1, 3, 10, 11, 12, 13},
	Controls: authorization(),
	Doc: `ztunnel drops an ALLOW rule that has anything it cannot compare: methods, paths, hosts, tokens, the original client's address,
and every condition but those on source and destination. The policy stays, and an ALLOW that no rule of can match denies
everything to the pods it selects. That holds for a rule that has an L4 alternative as well: it is dropped whole.`,
	Remedy: "Bind the policy to its Services with targetRefs, so that their waypoint enforces it, and let the waypoint in at the pods.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		for _, e := range p.Effects(p.Object) {
			if policies.Action(spec) == policies.Allow && atPods(e) && e.Verdict == policies.DeniesAll && e.Reason == policies.UnsupportedValue {
				fixes := retarget(p, e)
				if len(fixes) == 0 {
					fixes = twin(p)
				}
				tell(p, saving(e, spec), fixes...)
			}
		}
	},
})
