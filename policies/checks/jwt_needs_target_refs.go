package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A RequestAuthentication without targetRefs over enrolled pods. ztunnel reads none; a waypoint only
// those that name it, its Services or its class (pilot/pkg/model/policyattachment.go
// ShouldAttachPolicy). There is no condition on it, so nobody is told. Where a gateway or sidecar of
// its scope applies it, the enrolled pods are an aside: the tokens may well be validated at the edge.
var _ = policies.Register(policies.Check{
	ID:       "effect/jwt-needs-target-refs",
	Title:    "A RequestAuthentication that validates no token",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.RequestAuthentication},
	Cases:    []int{55},
	Controls: userIdentity(),
	Doc: `ztunnel knows no tokens, and a waypoint applies a RequestAuthentication only by targetRefs. Without them, one for
enrolled pods is stored and does nothing: forged tokens pass, and there is no condition to say so. An AuthorizationPolicy
that goes by its tokens must be bound to the same targets.`,
	Remedy: "Bind it to the Services with targetRefs, and the AuthorizationPolicies that go by its tokens with it.",
	Run: func(p *policies.Pass) {
		effects := p.Effects(p.Object)
		for _, e := range effects {
			if e.Reason == policies.GatewayNeedsTarget {
				tell(p, e)
			}
			if e.Reason != policies.NeedsTargetRefs {
				continue
			}
			f := policies.Finding{Verdict: e.Verdict, Field: e.Field,
				Message: "no token is validated on the way to the enrolled pods: ztunnel does not read RequestAuthentications, and a waypoint only those with targetRefs."}
			if len(effects) > 1 && e.Target.Kind != policies.ScopeSelector {
				f.Severity = policies.Info
			}
			for _, fix := range retarget(p, e) {
				if policies.Once(p.View, "go by tokens", goByTokens) {
					continue
				}
				fix.Message += "; it refuses requests with a token that is not valid, and passes a valid one on only where forwardOriginalToken says so"
				f.Fixes = append(f.Fixes, fix)
			}
			p.Report(f)
		}
	},
})

// goByTokens is whether any policy asks for tokens: once they are validated, it would open what is
// closed now.
func goByTokens(s *mesh.Snapshot) bool {
	for o := range s.All(mesh.AuthorizationPolicy) {
		if len(tokenFields(o.Spec.(*mesh.AuthorizationPolicySpec))) > 0 {
			return true
		}
	}
	return false
}
