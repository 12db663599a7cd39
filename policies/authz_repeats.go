package policies

import (
	"reflect"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// enforces is whether the waypoint itself denies the callers of a DENY rule: by a policy bound to it
// that has the same rule on who calls, or by the policy itself.
func (c *caller) enforces(s *mesh.Snapshot, o *mesh.Object, r *mesh.Rule) bool {
	return c.layered(s, o, r) || c.everyChain(s, func(at *mesh.Object) bool {
		p := at.Spec.(*mesh.AuthorizationPolicySpec)
		return Action(p) == Deny && slices.ContainsFunc(p.Rules, func(own mesh.Rule) bool {
			return repeats(sourced(&own, at.Namespace, ""), sourced(r, o.Namespace, spiffeScheme))
		})
	})
}

// layered is whether istiod is told to apply policies without targetRefs at the waypoint's own port too, and this one is over its pods
// (plugin/authz/authorization.go NewWaypointTerminationBuilder). A rule on what is called means that port there.
func (c *caller) layered(s *mesh.Snapshot, o *mesh.Object, r *mesh.Rule) bool {
	return s.Settings().Flag("ENABLE_LAYERED_WAYPOINT_AUTHORIZATION_POLICIES", false) && o.Spec.(*mesh.AuthorizationPolicySpec).Selector == nil &&
		(o.Namespace == c.waypoint.Namespace || o.Namespace == s.RootNamespace()) && len(r.To) == 0 && len(conditions(r, false)) == 0
}

// repeats is whether a rule at the waypoint is true of every call of which a rule at the pods means to be:
// it asks the same of who calls, and no more of what is called. Ports differ on the two sides by nature.
func repeats(at, r *mesh.Rule) bool {
	return reflect.DeepEqual(at.From, r.From) && equal(conditions(at, true), conditions(r, true)) &&
		(len(at.To) == 0 || reflect.DeepEqual(at.To, r.To) || onlyPorts(at) && onlyPorts(r)) &&
		(len(conditions(at, false)) == 0 || equal(conditions(at, false), conditions(r, false)))
}

// conditions are a rule's conditions on the source, or the others.
func conditions(r *mesh.Rule, source bool) []mesh.Condition {
	return slices.DeleteFunc(slices.Clone(r.When), func(w mesh.Condition) bool { return strings.HasPrefix(w.Key, "source.") != source })
}

func equal(a, b []mesh.Condition) bool {
	return slices.EqualFunc(a, b, func(x, y mesh.Condition) bool { return reflect.DeepEqual(x, y) })
}

func onlyPorts(r *mesh.Rule) bool {
	return len(r.To) > 0 && len(l7Fields(&mesh.Rule{To: r.To}, "")) == 0
}

// sourced is a rule with service accounts by their whole names, and principals without a prefix: ztunnel strips spiffe://, a waypoint
// does not.
func sourced(r *mesh.Rule, ns, prefix string) *mesh.Rule {
	mapped := func(values []string, name func(string) string) []string {
		out := slices.Clone(values)
		for i := range out {
			out[i] = name(out[i])
		}
		return out
	}
	plain := func(principal string) string { return strings.TrimPrefix(principal, prefix) }
	whole := func(account string) string {
		if strings.Contains(account, "/") {
			return account
		}
		return ns + "/" + account
	}
	out := *r
	out.From, out.When = slices.Clone(r.From), slices.Clone(r.When)
	for i := range out.From {
		from := &out.From[i].Source
		from.Principals, from.NotPrincipals = mapped(from.Principals, plain), mapped(from.NotPrincipals, plain)
		from.ServiceAccounts, from.NotServiceAccounts = mapped(from.ServiceAccounts, whole), mapped(from.NotServiceAccounts, whole)
	}
	for i := range out.When {
		if w := &out.When[i]; w.Key == "source.principal" {
			w.Values, w.NotValues = mapped(w.Values, plain), mapped(w.NotValues, plain)
		}
	}
	return &out
}
