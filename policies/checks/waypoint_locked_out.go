package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An ALLOW without rules, the usual default deny, over pods behind a waypoint that no ALLOW lets in. Told only
// where the waypoint itself admits somebody, so that it is clear that calls are meant to get through; a
// mesh in which nothing is admitted yet is as its author wrote it.
var _ = policies.Register(policies.Check{
	ID:       "effect/waypoint-locked-out",
	Title:    "A default deny that locks the waypoint out",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{17},
	Controls: resilience(),
	Doc: `An ALLOW without rules denies everything at the pods that no other ALLOW admits, and that goes for the waypoint too: to ztunnel it is
one more client. So what an ALLOW at the waypoint admits is denied one hop later, unless an ALLOW at the pods names the
waypoint's identity.`,
	Remedy: "Let the waypoint in with an ALLOW of its principal at the pods.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		if policies.Action(spec) != policies.Allow || len(spec.Rules) > 0 || policies.Tries(p.Object) || spec.Selector != nil && spec.Selector.MatchLabels == nil {
			return
		}
		for _, f := range policies.Fronts(p.Snapshot, p.Object) {
			if f.Admitted {
				continue
			}
			for _, svc := range f.Services {
				o := admitting(p, svc)
				if o == nil {
					continue
				}
				id := p.Identity(f.Waypoint)
				p.Report(policies.Finding{
					Verdict: policies.Enforced, Field: "spec", WaitsFor: another(mesh.AuthorizationPolicy, svc.Namespace), Related: []mesh.Ref{o.Ref(), svc.Ref()},
					Message: fmt.Sprintf("calls to %s that %s admits at waypoint %s are denied at its pods: this ALLOW admits nobody, and no other lets %s in.", svc, o, f.Waypoint.Key(), id),
					Fixes:   []policies.Fix{{Message: fmt.Sprintf("let waypoint %s in; what it admits gets through from then on", f.Waypoint.Key()), Apply: []map[string]any{letIn(svc, id)}}},
				})
				break
			}
		}
	},
})

// admitting is an ALLOW with a rule that the waypoint of a Service applies to it.
func admitting(p *policies.Pass, svc *mesh.Object) *mesh.Object {
	for _, o := range policies.OnChain(p.Snapshot, mesh.AuthorizationPolicy, svc) {
		if spec := o.Spec.(*mesh.AuthorizationPolicySpec); policies.Action(spec) == policies.Allow && len(spec.Rules) > 0 {
			return o
		}
	}
	return nil
}

// letIn is an ALLOW of one principal at the pods of a Service.
func letIn(svc *mesh.Object, principal string) map[string]any {
	spec := map[string]any{
		"action": policies.Allow,
		"rules":  []any{map[string]any{"from": []any{map[string]any{"source": map[string]any{"principals": []any{principal}}}}}},
	}
	if b, ok := svc.Spec.(*mesh.ServiceSpec); ok {
		labels := map[string]any{}
		for k, v := range b.Selector {
			labels[k] = v
		}
		spec["selector"] = map[string]any{"matchLabels": labels}
	}
	return policy(svc, svc.Name+"-from-waypoint", spec)
}
