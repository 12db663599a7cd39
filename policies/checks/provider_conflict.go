package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A CUSTOM policy at a waypoint that cannot call its provider: another CUSTOM policy on the same chain
// names another one. Then istiod makes a DENY of the rules of both, unless
// PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS is set (pilot/pkg/security/authz/builder/builder.go).
var _ = policies.Register(policies.Check{
	ID:       "effect/provider-conflict",
	Title:    "Two external authorizers for the same calls",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{43},
	Controls: authorization(),
	Doc: `A proxy asks one external authorizer. Where two CUSTOM policies with different providers hold for the same
Service at a waypoint, all that either of them matches is denied.`,
	Remedy: "Use one provider, or set PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS on istiod.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if c := causeOf(e, policies.ProviderConflict); c.Reason == policies.ProviderConflict {
				p.Report(policies.Finding{Verdict: c.Verdict, Field: c.Field, Related: byOf(e),
					Message: fmt.Sprintf("every call that the rules match is denied at %s: %s.", e.Target, c.Text)})
			}
		}
	},
})
