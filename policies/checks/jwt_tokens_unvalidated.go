package checks

import (
	"fmt"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An AuthorizationPolicy at a waypoint that goes by tokens which no RequestAuthentication validates
// there. A request has a principal only once a RequestAuthentication of the same waypoint has
// validated its token; otherwise requestPrincipals never match: such an ALLOW admits nobody, a DENY of
// those without one denies everybody, and a DENY of one of them denies nobody. Typical of a migration that
// took the one object along and left the other with its selector.
var _ = policies.Register(policies.Check{
	ID:       "effect/jwt-tokens-unvalidated",
	Title:    "A policy on tokens that nobody validates",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{58},
	Controls: evidenceFor(userIdentity(), userAuthorization()),
	Doc: `requestPrincipals and request.auth.* are what a RequestAuthentication read from a valid token. Where none is applied
by the waypoint that applies this policy, no request has them, whatever token it carries: rules that ask for one never
match, and rules on those without one match everybody.`,
	Remedy: "Bind a RequestAuthentication to the same targets.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		fields := tokenFields(spec)
		if len(fields) == 0 || len(spec.Attachment().Refs()) == 0 || policies.Action(spec) == policies.Custom {
			return
		}
		for _, e := range p.Effects(p.Object) {
			svc := serviceOf(p, e.Target)
			if e.EnforcedBy != policies.Waypoint || svc == nil || !settled(p, svc) || len(policies.ValidatesTokens(p.Snapshot, svc)) > 0 {
				continue
			}
			f := policies.Finding{Verdict: e.Verdict, Field: fields[0].Field, WaitsFor: another(mesh.RequestAuthentication, p.Object.Namespace),
				Message: fmt.Sprintf("%s %s at %s: no RequestAuthentication is applied there, so no request has a validated token.", fields[0].Name, answer(fields[0]), e.Target)}
			for _, ra := range p.List(mesh.RequestAuthentication, p.Object.Namespace) {
				if len(ra.Spec.(*mesh.RequestAuthenticationSpec).Attachment().Refs()) == 0 {
					f.Related = append(f.Related, ra.Ref())
				}
			}
			if len(f.Related) > 0 {
				f.Remedy = fmt.Sprintf("Bind %s to the same targets; a waypoint does not look at selectors.", f.Related[0])
			}
			p.Report(f)
		}
	},
})

// answer is what a field says of requests of which none has a validated token.
func answer(field policies.Attribute) string {
	if strings.HasPrefix(field.Name, "not") {
		return "matches every request"
	}
	return "matches no request"
}

// serviceOf is the Service or ServiceEntry that a target is; nil for others.
func serviceOf(p *policies.Pass, t policies.Target) *mesh.Object {
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry} {
		if t.Kind == kind.String() {
			return p.Get(kind, t.Namespace, t.Name)
		}
	}
	return nil
}

// settled is whether the input shows all that could validate tokens for the Service: the namespaces
// of the Service and its waypoint, and the root namespace; and nothing else touches its filters.
func settled(p *policies.Pass, svc *mesh.Object) bool {
	b := p.Binding(svc)
	for _, ns := range []string{svc.Namespace, b.Namespace, p.RootNamespace()} {
		if !p.Known(ns) || len(p.List(mesh.EnvoyFilter, ns)) > 0 {
			return false
		}
	}
	return true
}
