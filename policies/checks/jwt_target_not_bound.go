package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A RequestAuthentication whose target no waypoint serves: the Service is not bound or does not exist,
// the GatewayClass is not the one that is matched, the Gateway is agentgateway or serves nothing.
// In contrast to an AuthorizationPolicy it has no condition that could tell.
var _ = policies.Register(policies.Check{
	ID:       "effect/jwt-target-not-bound",
	Title:    "A RequestAuthentication whose target no waypoint serves",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.RequestAuthentication},
	Cases:    []int{56},
	Controls: userIdentity(),
	Doc: `A RequestAuthentication with targetRefs is applied by the waypoint of the Service that it names, or by the waypoint
that it names itself. Where there is no such waypoint, no token is validated; there is no condition to say so.`,
	Remedy: "Bind the Service to a waypoint that is ready.",
	Run: func(p *policies.Pass) {
		if len(p.Object.Spec.(*mesh.RequestAuthenticationSpec).Attachment().Refs()) == 0 {
			return
		}
		for _, e := range p.Effects(p.Object) {
			if e.EnforcedBy != policies.Nobody || e.Verdict == policies.Unknown || len(e.Causes) == 0 || noHTTP(e) {
				continue
			}
			f := policies.Finding{Verdict: e.Verdict, Field: e.Field, Remedy: remedyAt(p, e),
				Message: fmt.Sprintf("no token is validated at %s: %s.", e.Target, tokenCause(e))}
			if hint, remedy := whereItIs(p, e); remedy != "" {
				f.Message, f.Remedy = fmt.Sprintf("no token is validated at %s: %s%s.", e.Target, tokenCause(e), hint), remedy
			}
			if e.Target.Kind == mesh.Service.String() {
				f.Related = []mesh.Ref{{APIVersion: "v1", Kind: e.Target.Kind, Namespace: e.Target.Namespace, Name: e.Target.Name}}
			}
			f.Fixes = waypointFor(p, e.Target)
			if onItsWay(e) {
				f.Severity = policies.Medium
			}
			p.Report(f)
		}
	},
})
