package checks

import (
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// sentences are the first n sentences of a message.
func sentences(message string, n int) string {
	parts := strings.SplitAfterN(message, ". ", n+1)
	return strings.TrimSpace(strings.Join(parts[:min(n, len(parts))], ""))
}

// lastOf is the remedy of an effect's message, which says consequence: cause. remedy.
func lastOf(message string) string {
	parts := strings.SplitAfter(message, ". ")
	return parts[len(parts)-1]
}

// tokenFields are where an AuthorizationPolicy asks for what only a validated token has.
func tokenFields(spec *mesh.AuthorizationPolicySpec) []policies.Attribute {
	var out []policies.Attribute
	for _, a := range policies.L7Attributes(spec) {
		if a.Name == "requestPrincipals" || a.Name == "notRequestPrincipals" || strings.HasPrefix(a.Name, "request.auth.") {
			out = append(out, a)
		}
	}
	return out
}

// noHTTP is whether no HTTP of the target passes a waypoint.
func noHTTP(e policies.Effect) bool {
	return e.Reason == policies.Protocol || e.Reason == policies.HeadlessService || e.Reason == policies.ExternalNameService
}

// tokenCause is why a target is not served, as a clause.
func tokenCause(e policies.Effect) string {
	if e.Causes[0].Text != "" {
		return e.Causes[0].Text
	}
	return "istiod does not look at the policy (" + e.Reason + ")"
}
