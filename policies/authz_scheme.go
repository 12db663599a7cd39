package policies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// spiffeScheme begins the identity in a certificate. Istio's principals are without it: istiod puts it before each one that it sends to
// Envoy (pilot/pkg/security/authz/model/generator.go srcPrincipalGenerator), also before one that has it already, and its conversion of
// trust domains leaves such a one as it is (trustdomain/bundle.go ReplaceTrustDomainAliases). So it matches nobody at a waypoint, gateway
// or sidecar. ztunnel strips it (src/rbac.rs).
const spiffeScheme = "spiffe://"

const schemeRemedy = "Write the principals without " + spiffeScheme + "."

// PlainPrincipal is a principal as Istio compares it everywhere.
func PlainPrincipal(principal string) string { return strings.TrimPrefix(principal, spiffeScheme) }

// NamesScheme is whether a rule has a principal with spiffe://.
func NamesScheme(r *mesh.Rule) bool {
	for i := range r.From {
		if src := &r.From[i].Source; schemed(src.Principals) || schemed(src.NotPrincipals) {
			return true
		}
	}
	return slices.ContainsFunc(r.When, func(c mesh.Condition) bool {
		return c.Key == "source.principal" && (schemed(c.Values) || schemed(c.NotValues))
	})
}

func schemed(principals []string) bool {
	return slices.ContainsFunc(principals, func(p string) bool { return strings.HasPrefix(p, spiffeScheme) })
}

// principalFate is what becomes of a condition on principals at an Envoy, which stands in two fields of something. It keeps nothing of
// at, which nearly nobody needs then.
func principalFate(list, not []string, at, field, notField string) fate {
	var f fate
	if !schemed(list) && !schemed(not) {
		return f
	}
	never := func(p string, beside []string) bool {
		plain := PlainPrincipal(p)
		return plain != p && !slices.ContainsFunc(beside, func(o string) bool { return PlainPrincipal(o) == o && MatchString(o, plain) })
	}
	gone := 0
	for _, p := range list {
		if PlainPrincipal(p) != p {
			gone++
		}
		if never(p, list) {
			f.lost = true
			f.add(SchemeNeverMatches, strings.Clone(at)+field, twice(p))
		}
	}
	f.never = len(list) > 0 && gone == len(list)
	f.lost = f.lost && !f.never
	for _, p := range not {
		if never(p, not) {
			f.widen(SchemeNeverMatches, strings.Clone(at)+notField, twice(p))
		}
	}
	return f
}

func twice(principal string) string {
	return fmt.Sprintf("Envoy compares %q with %s before it, which nobody has", principal, spiffeScheme)
}

// sourceFate is what becomes of the principals of a source at an Envoy.
func sourceFate(src *mesh.Source, at string) fate {
	return principalFate(src.Principals, src.NotPrincipals, at, ".principals", ".notPrincipals")
}

// judgePrincipals judges what principals come to at a sidecar or gateway, which compare everything.
func judgePrincipals(p *mesh.AuthorizationPolicySpec, by string, e *Effect) {
	if !slices.ContainsFunc(p.Rules, func(r mesh.Rule) bool { return NamesScheme(&r) }) {
		return
	}
	fates := make([]fate, len(p.Rules))
	for i := range p.Rules {
		r, path := &p.Rules[i], rulePath(i)
		alternatives := make([]fate, len(r.From))
		for j := range r.From {
			alternatives[j] = sourceFate(&r.From[j].Source, path+".from["+strconv.Itoa(j)+"].source")
		}
		parts := []fate{anyOf(alternatives)}
		for j := range r.When {
			if w, at := &r.When[j], path+".when["+strconv.Itoa(j)+"]"; w.Key == "source.principal" {
				parts = append(parts, principalFate(w.Values, w.NotValues, at, ".values", ".notValues"))
			}
		}
		fates[i] = allOf(parts)
	}
	j := weigh(Action(p), fates, unconditional(p))
	e.Verdict, e.Causes = j.verdict, j.causes
	if j.verdict == Enforced {
		return
	}
	e.Reason, e.Field = j.causes[0].Reason, j.causes[0].Field
	e.Message = waypointMessage(Action(p), by, e)
	if j.verdict == NotEnforced {
		e.EnforcedBy, e.By = Nobody, nil
	}
}
