package checks

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A principal with spiffe://, as it stands in certificates. istiod puts that before each principal that it sends to Envoy
// (pilot/pkg/security/authz/model/generator.go srcPrincipalGenerator), so that nobody has the result. ztunnel strips it (src/rbac.rs).
var _ = policies.Register(policies.Check{
	ID:       "effect/principal-scheme",
	Title:    "A principal with spiffe://, which matches nobody",
	Severity: policies.Critical,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Controls: evidenceFor(authorization(), serviceIdentity()),
	Doc: `Principals are written without spiffe://. At waypoints, gateways and sidecars one that has it matches nobody: a DENY lets through, an
ALLOW denies, and who is left out by notPrincipals is not. ztunnel takes it with or without, so that the same rules do as they say at pods and
nothing at a waypoint. istiod reports the policy as accepted.`,
	Remedy: "Write the principals without spiffe://.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		if !slices.ContainsFunc(spec.Rules, func(r mesh.Rule) bool { return policies.NamesScheme(&r) }) {
			return
		}
		for _, e := range p.Effects(p.Object) {
			c := causeOf(e, policies.SchemeNeverMatches)
			if c.Reason != policies.SchemeNeverMatches || e.Verdict == policies.Enforced {
				continue
			}
			if e.Reason != policies.SchemeNeverMatches {
				e.Field, e.Message = c.Field, fmt.Sprintf("principals of this %s match nobody: %s. Write the principals without spiffe://.", policies.Action(spec), c.Text)
			}
			tell(p, e, plainPrincipals(p, spec)...)
		}
	},
})

// plainPrincipals takes spiffe:// off, where that only restricts: for those whom a DENY names, and those whom an ALLOW leaves out.
func plainPrincipals(p *policies.Pass, spec *mesh.AuthorizationPolicySpec) []policies.Fix {
	var ops []policies.Op
	deny, unfit := policies.Action(spec) == policies.Deny, policies.Action(spec) == policies.Custom
	eachPrincipals(spec, func(list []string, names bool, at string) {
		for i, v := range list {
			if plain := policies.PlainPrincipal(v); plain != v {
				unfit = unfit || names != deny || plain == "" // it would let somebody in, or istiod would refuse it
				ops = append(ops, policies.Op{Op: "replace", Path: fmt.Sprintf("%s/%d", at, i), Value: plain})
			}
		}
	})
	if unfit {
		return nil
	}
	return rewritten(p, "write the principals without spiffe://; from then on their calls are denied", ops)
}
