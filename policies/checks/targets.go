package checks

import (
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// what is how messages call a policy: by its action, if it has one.
func what(o *mesh.Object) string {
	if p, ok := o.Spec.(*mesh.AuthorizationPolicySpec); ok {
		return policies.Action(p)
	}
	return o.Kind.String()
}

// elsewhere warns that istiod's condition hides the effect: one bound targetRef makes it True.
func elsewhere(effects []policies.Effect, e policies.Effect) string {
	for _, other := range effects {
		if other.EnforcedBy != policies.Nobody && other.Target.String() != e.Target.String() {
			return ", and istiod reports the policy as accepted all the same, because another of its targetRefs is bound"
		}
	}
	return ""
}

// lastSentence is the remedy of an effect's message, which says consequence: cause. remedy.
func lastSentence(message string) string {
	if i := strings.LastIndex(strings.TrimSuffix(message, "."), ". "); i >= 0 {
		return message[i+2:]
	}
	return message
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
