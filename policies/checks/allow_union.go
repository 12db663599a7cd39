package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An ALLOW for a Service next to an ALLOW for its whole waypoint that admits everybody. ALLOWs add up,
// so the narrow one restricts nothing (docs/semantics.md). Two ALLOWs that each admit something
// are how ALLOWs are meant, so only one without any condition counts.
var _ = policies.Register(policies.Check{
	ID:       "effect/allow-union",
	Title:    "An ALLOW that a wider ALLOW makes void",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{32},
	Controls: evidenceFor(authorization(), leastPrivilege()),
	Doc: `The ALLOW policies that name a Service, its waypoint's Gateway and GatewayClass istio-waypoint add up: a call is
admitted if any of them admits it. Next to one that admits everybody, an ALLOW for the Service restricts nothing.`,
	Remedy: "Say what must not happen in a DENY, or narrow the wider ALLOW.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		if policies.Action(spec) != policies.Allow || policies.MatchesAll(spec) {
			return
		}
		for _, e := range p.Effects(p.Object) {
			kind, ok := map[string]mesh.Kind{"Service": mesh.Service, "ServiceEntry": mesh.ServiceEntry}[e.Target.Kind]
			if !ok || e.EnforcedBy != policies.Waypoint {
				continue
			}
			for _, o := range allowsOn(p, p.Get(kind, e.Target.Namespace, e.Target.Name)) {
				if policies.MatchesAll(o.Spec.(*mesh.AuthorizationPolicySpec)) {
					p.Report(policies.Finding{
						Verdict: e.Verdict, Field: e.Field, Related: []mesh.Ref{o.Ref()},
						Message: fmt.Sprintf("this ALLOW restricts nothing at %s: ALLOWs add up, and %s admits every call there.", e.Target, short(o)),
					})
				}
			}
		}
	},
})
