package mesh_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies/mesh"
)

func TestRuleAllows(t *testing.T) {
	rule := func(verbs, groups, resources string, names ...string) mesh.PolicyRule {
		return mesh.PolicyRule{Verbs: strings.Fields(verbs), APIGroups: strings.Split(groups, ","), Resources: strings.Fields(resources), ResourceNames: names}
	}
	for name, c := range map[string]struct {
		rule     mesh.PolicyRule
		verb, on string
		want     string // "no", or the names, "" for all
	}{
		"named":                                {rule("get update", "security.istio.io", "authorizationpolicies"), "update", "authorizationpolicies.security.istio.io", ""},
		"another verb":                         {rule("get", "security.istio.io", "authorizationpolicies"), "update", "authorizationpolicies.security.istio.io", "no"},
		"another group":                        {rule("*", "networking.istio.io", "*"), "update", "authorizationpolicies.security.istio.io", "no"},
		"another resource":                     {rule("*", "*", "peerauthentications"), "update", "authorizationpolicies.security.istio.io", "no"},
		"all verbs":                            {rule("*", "security.istio.io", "authorizationpolicies"), "escalate", "authorizationpolicies.security.istio.io", ""},
		"all of everything":                    {rule("*", "*", "*"), "create", "pods/exec", ""},
		"core":                                 {rule("list", "", "secrets"), "list", "secrets", ""},
		"the core group is not all":            {rule("list", "", "*"), "list", "deployments.apps", "no"},
		"a resource is not its subresources":   {rule("create", "", "pods"), "create", "pods/exec", "no"},
		"a subresource is not its resource":    {rule("create", "", "pods/exec"), "create", "pods", "no"},
		"a subresource":                        {rule("create", "", "pods/exec"), "create", "pods/exec", ""},
		"a subresource of any":                 {rule("create", "", "*/token"), "create", "serviceaccounts/token", ""},
		"any subresource cannot be said":       {rule("create", "", "pods/*"), "create", "pods/exec", "no"},
		"a subresource in a group":             {rule("update", "apps", "deployments/scale"), "update", "deployments/scale.apps", ""},
		"only some":                            {rule("get", "", "secrets", "a", "b"), "get", "secrets", "a b"},
		"nothing, of a rule that says nothing": {mesh.PolicyRule{}, "get", "secrets", "no"},
	} {
		names, ok := c.rule.Allows(c.verb, mesh.ParseResource(c.on))
		if got := strings.Join(names, " "); ok && got != c.want || !ok && c.want != "no" {
			t.Errorf("%s: %v %q, want %q", name, ok, got, c.want)
		}
	}
}

const roles = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: mesh, labels: {to: edit}}
rules: [{verbs: [update], apiGroups: [security.istio.io], resources: [authorizationpolicies]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: edit}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: edit}}]}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: admin, labels: {to: edit}}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: all}}, {matchLabels: {to: edit}}]}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: waypoints, labels: {to: all}}
rules: [{verbs: [create], apiGroups: [gateway.networking.k8s.io], resources: [gateways]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: mesh, namespace: shop}
rules: [{verbs: [get], apiGroups: [""], resources: [secrets]}]
`

func binding(kind, ns, roleKind, role string) string {
	return fmt.Sprintf("---\napiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata: {name: b, namespace: %q}\nroleRef: {kind: %s, name: %s}\n", kind, ns, roleKind, role)
}

func TestRights(t *testing.T) {
	for name, c := range map[string]struct {
		binding string
		ns      string
		want    []string // verb and resource; nil for not known
	}{
		"a ClusterRole":                        {binding("ClusterRoleBinding", "", "ClusterRole", "mesh"), "", []string{"update authorizationpolicies"}},
		"a ClusterRole, in a namespace":        {binding("RoleBinding", "shop", "ClusterRole", "mesh"), "shop", []string{"update authorizationpolicies"}},
		"a Role":                               {binding("RoleBinding", "shop", "Role", "mesh"), "shop", []string{"get secrets"}},
		"a Role of another namespace":          {binding("RoleBinding", "bank", "Role", "mesh"), "bank", nil},
		"put together of others":               {binding("ClusterRoleBinding", "", "ClusterRole", "admin"), "", []string{"update authorizationpolicies", "create gateways"}},
		"of others that are, and of itself":    {binding("ClusterRoleBinding", "", "ClusterRole", "edit"), "", []string{"update authorizationpolicies", "create gateways"}},
		"not in the input":                     {binding("ClusterRoleBinding", "", "ClusterRole", "view"), "", nil},
		"not in the input, and known to be so": {binding("ClusterRoleBinding", "", "ClusterRole", "cluster-admin"), "", []string{"* *"}},
	} {
		s := mesh.New(mesh.Options{}, decode(t, roles+c.binding)...)
		b := s.Get(mesh.ClusterRoleBinding, "", "b")
		if b == nil {
			b = s.Get(mesh.RoleBinding, c.ns, "b")
		}
		var got []string
		rules, known := s.Rights(b)
		for _, r := range rules {
			got = append(got, strings.Join(r.Verbs, ",")+" "+strings.Join(r.Resources, ","))
		}
		if diff := cmp.Diff(c.want, got); diff != "" || known != (c.want != nil) {
			t.Errorf("%s: known %v (-want +got):\n%s", name, known, diff)
		}
	}
}

// TestRightsOfLive: what a controller has put together in a cluster is not put together again.
func TestRightsOfLive(t *testing.T) {
	objects := decode(t, roles+binding("ClusterRoleBinding", "", "ClusterRole", "edit"))
	for _, o := range objects {
		o.Live = true
	}
	s := mesh.New(mesh.Options{}, objects...)
	if rules, known := s.Rights(s.Get(mesh.ClusterRoleBinding, "", "b")); !known || len(rules) > 0 {
		t.Errorf("known %v: %v", known, rules)
	}
}
