package mesh

import (
	"slices"
	"strings"
)

// Resource is what a request to the API server is about, as in {"security.istio.io", "authorizationpolicies", ""}.
type Resource struct{ Group, Resource, Subresource string }

// ParseResource reads a resource as `kubectl auth can-i` has it: "secrets", "authorizationpolicies.security.istio.io", "pods/exec",
// "deployments/scale.apps".
func ParseResource(name string) Resource {
	name, group, _ := strings.Cut(name, ".")
	resource, sub, _ := strings.Cut(name, "/")
	return Resource{group, resource, sub}
}

// Allows is whether the rule lets somebody do that to any object (k8s.io/kubernetes pkg/apis/rbac/v1 evaluation_helpers.go: VerbMatches,
// APIGroupMatches, ResourceMatches). names are the only objects to which, all where there are none.
func (r *PolicyRule) Allows(verb string, on Resource) (names []string, ok bool) {
	if !has(r.Verbs, verb) || !has(r.APIGroups, on.Group) {
		return nil, false
	}
	whole := on.Resource
	if on.Subresource != "" {
		whole += "/" + on.Subresource
	}
	if !has(r.Resources, whole) && (on.Subresource == "" || !slices.Contains(r.Resources, "*/"+on.Subresource)) {
		return nil, false
	}
	return r.ResourceNames, true
}

func has(all []string, one string) bool {
	return slices.Contains(all, one) || slices.Contains(all, "*")
}

// Rights are what a binding lets its subjects do: the rules of the role that it names. known is false where the role is not in
// the input, or may not be read. A role that is put together of others has their rules; in a cluster a controller has written
// them into it, and in files nobody has.
func (s *Snapshot) Rights(binding *Object) (rules []PolicyRule, known bool) {
	body, ok := binding.Spec.(*RoleBindingBody)
	if !ok {
		return nil, false
	}
	kind, ns := ClusterRole, ""
	if body.RoleRef.Kind == Role.String() {
		kind, ns = Role, binding.Namespace
	}
	role := s.Get(kind, ns, body.RoleRef.Name)
	switch {
	case role != nil:
	case kind == ClusterRole && body.RoleRef.Name == "cluster-admin":
		return everything, true // the API server makes it (bootstrappolicy/policy.go), and makes it again
	default:
		return nil, false
	}
	return s.rulesOf(role, map[*Object]bool{}), true
}

// rulesOf are the rules of a role, and where nobody has written them into it yet those of the roles that it is put together of, which may be
// put together of others (pkg/controller/clusterroleaggregation). seen are the roles that were gone through already.
func (s *Snapshot) rulesOf(role *Object, seen map[*Object]bool) []PolicyRule {
	seen[role] = true
	spec := role.Spec.(*RoleBody)
	selectors := spec.AggregationRule.ClusterRoleSelectors
	if len(selectors) == 0 || role.Live {
		return spec.Rules
	}
	rules := slices.Clone(spec.Rules)
	for other := range s.All(ClusterRole) {
		if !seen[other] && slices.ContainsFunc(selectors, func(l LabelSelector) bool { return l.Matches(other.Labels) }) {
			rules = append(rules, s.rulesOf(other, seen)...)
		}
	}
	return rules
}

var everything = []PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}
