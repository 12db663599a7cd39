package chart

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/waywarden/waywarden/policies/mesh"
)

// grants are the permissions of rules, one each: "group/resource[name]: verb".
func grants(t *testing.T, rules []rbacv1.PolicyRule) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, r := range rules {
		if len(r.NonResourceURLs) > 0 {
			t.Errorf("a URL is granted: %v", r)
		}
		names := r.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, name := range names {
					for _, verb := range r.Verbs {
						out[fmt.Sprintf("%s/%s[%s]: %s", group, resource, name, verb)] = true
					}
				}
			}
		}
	}
	return out
}

// read is what each kind that decides something in a mesh needs.
func read() map[string]bool {
	out := map[string]bool{}
	for _, k := range mesh.Kinds() {
		for _, group := range k.Groups() {
			for _, verb := range []string{"get", "list", "watch"} {
				out[fmt.Sprintf("%s/%s[]: %s", group, k.Resource(), verb)] = true
			}
		}
	}
	return out
}

// everywhere is what is needed besides, in every variant.
const everywhere = `
waywarden.dev/guardrails[]: get list watch
waywarden.dev/exemptions[]: get list watch
waywarden.dev/waypointprofiles[]: get list watch
waywarden.dev/rulepacks[]: get list watch
waywarden.dev/guardrails/status[]: patch
waywarden.dev/exemptions/status[]: patch
waywarden.dev/waypointprofiles/status[]: patch
waywarden.dev/rulepacks/status[]: patch
authorization.k8s.io/subjectaccessreviews[]: create
/events[]: create patch
events.k8s.io/events[]: create patch
`

// provisions is what making waypoints needs besides.
const provisions = `
gateway.networking.k8s.io/gateways[]: create patch delete
/configmaps[]: create patch delete
security.istio.io/authorizationpolicies[]: create patch delete
/namespaces[]: patch
/services[]: patch
networking.istio.io/serviceentries[]: patch
autoscaling/horizontalpodautoscalers[]: list watch delete
policy/poddisruptionbudgets[]: list watch delete
`

// reports is what the audit needs to keep its reports.
const reports = `
openreports.io/reports[]: list create patch delete
openreports.io/clusterreports[]: list create patch delete
wgpolicyk8s.io/policyreports[]: list create patch delete
wgpolicyk8s.io/clusterpolicyreports[]: list create patch delete
`

const atHome = `
coordination.k8s.io/leases[]: create
coordination.k8s.io/leases[waywarden]: get update
apps/controllerrevisions[]: list watch create delete
security.istio.io/authorizationpolicies[]: create
`

func with(base map[string]bool, lines ...string) map[string]bool {
	out := maps.Clone(base)
	for line := range strings.Lines(strings.Join(lines, "\n")) {
		what, verbs, ok := strings.Cut(strings.TrimSpace(line), ": ")
		for _, verb := range strings.Fields(verbs) {
			out[what+": "+verb] = ok
		}
	}
	return out
}

// TestPermissionsAreTheTable: no more than what the code needs, for each way to install it.
func TestPermissionsAreTheTable(t *testing.T) {
	const (
		ourValidating = "admissionregistration.k8s.io/validatingwebhookconfigurations[waywarden]: "
		ourMutating   = "admissionregistration.k8s.io/mutatingwebhookconfigurations[waywarden]: "
		ourSecret     = "/secrets[]: create\n/secrets[waywarden-tls]: get list watch update"
	)
	const webhooks = ourValidating + "get list watch patch\n" + ourMutating + "get list watch patch"
	for values, want := range map[string]struct{ cluster, home string }{
		"":                                    {provisions + reports + webhooks, ourSecret},
		"waypoints: {provision: false}":       {reports + webhooks, ourSecret},
		"failurePolicy: Ignore":               {provisions + reports + webhooks, ourSecret},
		"certificate: {source: cert-manager}": {provisions + reports + ourValidating + "get patch", ""},
		"{certificate: {source: cert-manager}, failurePolicy: Fail}":                                {provisions + reports + ourValidating + "get", ""},
		"{certificate: {source: cert-manager}, failurePolicy: Fail, audit: {reports: {api: none}}}": {provisions, ""},
	} {
		t.Run(values, func(t *testing.T) {
			all := render(t, values)
			if diff := cmp.Diff(with(read(), everywhere, want.cluster), grants(t, into[rbacv1.ClusterRole](t, all, "ClusterRole waywarden").Rules)); diff != "" {
				t.Errorf("ClusterRole (-table +chart):\n%s", diff)
			}
			if diff := cmp.Diff(with(map[string]bool{}, atHome, want.home), grants(t, into[rbacv1.Role](t, all, "Role waywarden").Rules)); diff != "" {
				t.Errorf("Role (-table +chart):\n%s", diff)
			}
		})
	}
}

// TestNobodyGainsRights: no wildcard, no escalation, nobody but our own account is bound, and who edits a namespace does not
// thereby exempt himself.
func TestNobodyGainsRights(t *testing.T) {
	for name, values := range variants {
		t.Run(name, func(t *testing.T) {
			for key, o := range render(t, values) {
				switch o.GetKind() {
				case "ClusterRole", "Role":
					for g := range grants(t, into[rbacv1.ClusterRole](t, objects{key: o}, key).Rules) {
						if strings.Contains(g, "*") || strings.HasSuffix(g, ": escalate") || strings.HasSuffix(g, ": bind") || strings.HasSuffix(g, ": impersonate") {
							t.Errorf("%s grants %s", key, g)
						}
					}
				case "ClusterRoleBinding", "RoleBinding":
					b := into[rbacv1.ClusterRoleBinding](t, objects{key: o}, key)
					if len(b.Subjects) != 1 || b.Subjects[0].Kind != "ServiceAccount" || b.Subjects[0].Namespace != namespace || b.Subjects[0].Name != o.GetName() || b.RoleRef.Name != o.GetName() {
						t.Errorf("%s binds %v to %v", key, b.Subjects, b.RoleRef)
					}
				}
			}
		})
	}
}

func TestRolesForPeople(t *testing.T) {
	aggregates := func(all objects, key string) []string {
		var out []string
		for label := range into[rbacv1.ClusterRole](t, all, key).Labels {
			if role, ok := strings.CutPrefix(label, "rbac.authorization.k8s.io/aggregate-to-"); ok {
				out = append(out, role)
			}
		}
		slices.Sort(out)
		return out
	}
	all := render(t, "")
	if got := aggregates(all, "ClusterRole waywarden-view"); !slices.Equal(got, []string{"view"}) {
		t.Errorf("view is aggregated to %v", got)
	}
	if got := aggregates(all, "ClusterRole waywarden-edit"); got != nil {
		t.Errorf("edit is aggregated to %v unasked", got)
	}
	if got := aggregates(render(t, "rbac: {aggregateEdit: true}"), "ClusterRole waywarden-edit"); !slices.Equal(got, []string{"edit"}) {
		t.Errorf("edit is aggregated to %v", got)
	}
	for g := range grants(t, into[rbacv1.ClusterRole](t, all, "ClusterRole waywarden-edit").Rules) {
		if strings.Contains(g, "guardrails") || strings.Contains(g, "rulepacks") || strings.Contains(g, "status") {
			t.Errorf("edit grants %s", g)
		}
	}
}
