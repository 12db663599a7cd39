package checks

import (
	"fmt"
	"strconv"

	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// istio.io/dry-run on a policy without targetRefs. istiod sends no dry runs to ztunnel unless told to
// (AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY), so nothing is tried. A value that is not a bool is logged
// and taken for false: the policy is enforced (authorization.go convertAuthorizationPolicy). And a dry run of a CUSTOM
// denies at proxies (pilot/pkg/security/authz/builder/builder.go buildHTTP).
var _ = policies.Register(policies.Check{
	ID:       "effect/dry-run",
	Title:    "A dry run that is not one",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{14},
	Controls: authorization(),
	Doc: `ztunnel does not support dry runs unless istiod has a flag for it, so nothing is logged and nothing learned. And a value that is not
a bool is no dry run at all: the policy is in force, which is the opposite of what its author wants. With action CUSTOM a waypoint or
gateway denies every call that the rules match.`,
	Remedy: "Correct the annotation, or try the policy at a waypoint with targetRefs.",
	Run: func(p *policies.Pass) {
		key := annotation.IoIstioDryRun.Name
		value, ok := p.Object.Annotations[key]
		if !ok {
			return
		}
		field := "metadata.annotations[" + key + "]"
		if _, err := strconv.ParseBool(value); err != nil && value != "" {
			p.Report(policies.Finding{Severity: policies.High, Verdict: policies.Enforced, Field: field,
				Message: fmt.Sprintf("this %s is in force: annotation %s is %q, which istiod takes for false.", policies.Action(p.Object.Spec.(*mesh.AuthorizationPolicySpec)), key, value),
				Remedy:  "Set it to \"true\" if the policy is only to be tried, or remove it."})
			return
		}
		for _, e := range p.Effects(p.Object) {
			switch {
			case e.Reason == policies.TriedCustom:
				p.Report(policies.Finding{Severity: policies.High, Verdict: e.Verdict, Field: field, Related: byOf(e),
					Message: fmt.Sprintf("every call that the rules match is denied at %s, and not only tried: %s.", e.Target, e.Causes[0].Text),
					Remedy:  "Remove the policy, or the annotation."})
			case e.EnforcedBy == policies.Nobody && e.Field == field:
				tell(p, e)
			}
		}
	},
})
