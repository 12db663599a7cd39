package policies

import (
	"fmt"
	"slices"

	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies/mesh"
)

// asWritten is the message of an effect that is as the policy says: enforced, or only tried.
func asWritten(o *mesh.Object, by string, several bool) string {
	s := "s"
	if several {
		s = ""
	}
	if Tries(o) {
		tries := map[bool]string{true: " try it and only count and log what they", false: " tries it and only counts and logs what it"}[several]
		return by + tries + " would do, as annotation " + annotation.IoIstioDryRun.Name + " asks."
	}
	return by + " enforce" + s + " it as written."
}

// ztunnelMessage says consequence: cause. remedy.
func ztunnelMessage(s *mesh.Snapshot, o *mesh.Object, e *Effect) string {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	action, cause := Action(p), firstText(e.Causes, e.Reason)
	remedy := ztunnelRemedy(s, o, e)
	if e.Reason == UnsupportedValue {
		cause = "ztunnel cannot compare " + Names(L7Attributes(p))
	}
	consequence := map[Verdict][2]string{ // of an ALLOW, and of a DENY
		NotEnforced:       {"has no effect", "denies nothing"},
		DeniesAll:         {"admits nobody, so everything that no other ALLOW admits is denied", ""},
		PartiallyEnforced: {"admits more than it says", "denies less than it says"},
		OverDenies:        {"admits less than it says", "denies more than it says"},
	}
	switch text, ok := consequence[e.Verdict]; {
	case ok && action == Deny && e.Verdict == NotEnforced:
		return fmt.Sprintf("this DENY denies nothing: %s, so no rule is left that can match. %s", cause, remedy)
	case ok && e.Verdict == DeniesAll:
		return fmt.Sprintf("this ALLOW %s: %s, and no rule is left that can match. %s", text[0], cause, remedy)
	case ok && action == Deny:
		return fmt.Sprintf("this DENY %s: %s. %s", text[1], cause, remedy)
	case ok:
		return fmt.Sprintf("this %s %s: %s. %s", action, text[0], cause, remedy)
	case action == Deny && len(p.Rules) == 0:
		return "ztunnel enforces it as written, and that is nothing: a DENY without rules denies nobody."
	case action == Allow && len(p.Rules) == 0:
		return "ztunnel enforces it as written: an ALLOW without rules admits nobody, so what no other ALLOW admits is denied."
	}
	return "ztunnel enforces it as written."
}

func ztunnelRemedy(s *mesh.Snapshot, o *mesh.Object, e *Effect) string {
	action := Action(o.Spec.(*mesh.AuthorizationPolicySpec))
	switch e.Reason {
	case WaypointIdentity:
		switch {
		case action == Deny && e.Verdict == OverDenies:
			return "Bind the policy to the Service with targetRefs, or leave the waypoint's identity out of it."
		case action == Deny && o.Namespace == s.RootNamespace():
			return "Repeat the rule in a policy of the root namespace whose targetRefs name GatewayClass " + mesh.WaypointClassName + "."
		case action == Deny:
			return "Repeat the rule in a policy that is bound to the Service with targetRefs."
		case e.Verdict == PartiallyEnforced:
			return "Repeat the rule in an ALLOW that is bound to the Service with targetRefs."
		}
		return "Bind the rules on who calls to the Service with targetRefs, and let the waypoint's identity in here."
	case PortNeverMatches:
		return "Name what the pods have: the ports on which they listen, and their own addresses."
	case TrustDomainNever:
		return fmt.Sprintf("Name the principals with trust domain %s as well.", s.Settings().TrustDomain)
	case TrustDomainsDropped:
		return "Write the trust domains as principals, as in \"<trust domain>/*\"."
	}
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	switch {
	case onlyIdentity(L7Attributes(p)):
		return "Ask for source.principal instead, or name the serviceAccounts in from, which ztunnel can compare."
	case action == Allow:
		return "Bind the policy to its Services with targetRefs once their waypoint is ready, so that it enforces all of it."
	}
	return "Bind the policy to its Services with targetRefs, so that their waypoint enforces all of it."
}

// onlyIdentity is whether attributes are conditions on the caller's identity, which can be put in words
// that ztunnel knows.
func onlyIdentity(attributes []Attribute) bool {
	return len(attributes) > 0 && !slices.ContainsFunc(attributes, func(a Attribute) bool { return a.Name != "source.serviceAccount" && a.Name != "source.trustDomain" })
}

func firstText(causes []Cause, reason string) string {
	for _, c := range causes {
		if c.Reason == reason && c.Text != "" {
			return c.Text
		}
	}
	for _, c := range causes {
		if c.Text != "" {
			return c.Text
		}
	}
	return ""
}
