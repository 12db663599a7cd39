package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A CUSTOM or AUDIT policy without targetRefs over enrolled pods. istiod sends neither to ztunnel
// (authorization.go convertAuthorizationPolicy), and because all that it does not send share one key, it
// says so of only one of them.
var _ = policies.Register(policies.Check{
	ID:       "effect/action-needs-waypoint",
	Title:    "An action that ztunnel does not support",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{8},
	Controls: authorization(),
	Doc: `ztunnel knows ALLOW and DENY. A CUSTOM policy without targetRefs asks no provider, so what its external authorizer would refuse
gets through; an AUDIT policy marks nothing. istiod reports only one of several such policies.`,
	Remedy: "Bind the policy to its Services with targetRefs, so that their waypoint carries it out.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		for _, e := range p.Effects(p.Object) {
			if action := policies.Action(spec); action == policies.Allow || action == policies.Deny || !atPods(e) || e.Reason != policies.UnsupportedValue || policies.DryRun(p.Snapshot, p.Object) {
				continue
			}
			message, remedy := parted(e)
			f := policies.Finding{Verdict: e.Verdict, Field: e.Field, Message: message, Remedy: remedy, Fixes: retarget(p, e)}
			if policies.Action(spec) == policies.Custom {
				f.Severity = policies.Critical
			}
			p.Report(f)
		}
	},
})
