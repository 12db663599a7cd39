package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A rule on who calls, without targetRefs, over pods behind a waypoint. ztunnel sees the waypoint's identity
// and address, never the client's (docs/semantics.md). So the rule has one answer for all that
// comes through the waypoint.
var _ = policies.Register(policies.Check{
	ID:       "effect/waypoint-identity",
	Title:    "A rule on who calls that sees only the waypoint",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{18, 19, 20, 21},
	Controls: evidenceFor(authorization(), serviceIdentity()),
	Doc: `Behind a waypoint ztunnel sees the waypoint's identity and address. A DENY of a client lets it through the waypoint; an ALLOW of a
client denies everybody who comes through it; a rule on the waypoint's own namespace takes every client for one of
that namespace. The waypoint itself sees the client: rules on who calls belong there.`,
	Remedy: "Bind the rules on who calls to the Service with targetRefs.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if !e.Has(policies.WaypointIdentity) {
				continue
			}
			message, remedy := parted(e)
			if e.Reason != policies.WaypointIdentity {
				continue // what is worse is reported for itself
			}
			f := policies.Finding{Verdict: e.Verdict, Field: e.Field, Message: message, Remedy: remedy, WaitsFor: another(mesh.AuthorizationPolicy, p.Object.Namespace)}
			if e.Verdict.FailsOpen() {
				f.Severity = policies.Critical
			}
			if e.Verdict.FailsOpen() || policies.Action(p.Object.Spec.(*mesh.AuthorizationPolicySpec)) == policies.Allow {
				f.Fixes = twin(p)
			}
			p.Report(f)
		}
	},
})
