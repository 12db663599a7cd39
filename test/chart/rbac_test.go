package chart

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
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
func read() string { return readOf("", "get list watch") }

// readOf is what each kind of a group needs.
func readOf(evidence mesh.Evidence, verbs string) string {
	var b strings.Builder
	for _, k := range mesh.Kinds() {
		for _, group := range k.Groups() {
			if k.Evidence() == evidence {
				fmt.Fprintf(&b, "%s/%s[]: %s\n", group, k.Resource(), verbs)
			}
		}
	}
	return b.String()
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
gateway.networking.k8s.io/gateways/status[]: patch
/configmaps[]: create patch delete
security.istio.io/authorizationpolicies[]: create patch delete
security.istio.io/requestauthentications[]: create patch delete
/namespaces[]: patch
/services[]: patch
networking.istio.io/serviceentries[]: patch
apps/deployments/scale[]: patch
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
	const webhooks = ourValidating + "get list watch patch\n" + ourMutating + "get list watch patch\n"
	roles, hooks := readOf(mesh.RBAC, "list watch"), readOf(mesh.Webhooks, "list watch")
	for values, want := range map[string]struct{ cluster, home string }{
		"":                                            {provisions + reports + webhooks + roles + hooks, ourSecret},
		"waypoints: {provision: false}":               {reports + webhooks + roles + hooks, ourSecret},
		"failurePolicy: Ignore":                       {provisions + reports + webhooks + roles + hooks, ourSecret},
		"certificate: {source: cert-manager}":         {provisions + reports + ourValidating + "get patch\n" + roles + hooks, ""},
		"evidence: {rbac: false}":                     {provisions + reports + webhooks + hooks, ourSecret},
		"evidence: {webhooks: false}":                 {provisions + reports + webhooks + roles, ourSecret},
		"evidence: {secrets: [shop/tls]}":             {provisions + reports + webhooks + roles + hooks, ourSecret},
		"evidence: {secrets: [waywarden-system/tls]}": {provisions + reports + webhooks + roles + hooks, ourSecret + "\n/secrets[tls]: list watch"},
		"{certificate: {source: cert-manager}, failurePolicy: Fail}":                                                                          {provisions + reports + ourValidating + "get\n" + roles + hooks, ""},
		"{certificate: {source: cert-manager}, failurePolicy: Fail, audit: {reports: {api: none}}}":                                           {provisions + roles + hooks, ""},
		"{certificate: {source: cert-manager}, failurePolicy: Fail, audit: {reports: {api: none}}, evidence: {rbac: false, webhooks: false}}": {provisions, ""},
	} {
		t.Run(values, func(t *testing.T) {
			all := render(t, values)
			if diff := cmp.Diff(with(map[string]bool{}, read(), everywhere, want.cluster), grants(t, into[rbacv1.ClusterRole](t, all, "ClusterRole waywarden").Rules)); diff != "" {
				t.Errorf("ClusterRole (-table +chart):\n%s", diff)
			}
			if diff := cmp.Diff(with(map[string]bool{}, atHome, want.home), grants(t, into[rbacv1.Role](t, all, "Role waywarden").Rules)); diff != "" {
				t.Errorf("Role (-table +chart):\n%s", diff)
			}
		})
	}
}

// TestSecretsAreNamed: a Secret whose certificates are read is granted by its name, where it lies, and nowhere else.
func TestSecretsAreNamed(t *testing.T) {
	all := render(t, "evidence: {secrets: [istio-system/cacerts, edge/shop-tls, istio-system/istio-ca-secret]}")
	got := map[string]map[string]bool{}
	for key, o := range all {
		if o.GetKind() != "Role" && o.GetKind() != "ClusterRole" {
			continue
		}
		for g := range grants(t, into[rbacv1.Role](t, objects{key: o}, key).Rules) {
			if strings.HasPrefix(g, "/secrets[") && o.GetNamespace() != namespace {
				if got[o.GetNamespace()] == nil {
					got[o.GetNamespace()] = map[string]bool{}
				}
				got[o.GetNamespace()][g] = true
			}
		}
	}
	want := map[string]map[string]bool{
		"istio-system": with(map[string]bool{}, "/secrets[cacerts]: list watch", "/secrets[istio-ca-secret]: list watch"),
		"edge":         with(map[string]bool{}, "/secrets[shop-tls]: list watch"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Roles elsewhere (-want +got):\n%s", diff)
	}
	args := fmt.Sprint(into[appsv1.Deployment](t, all, "Deployment waywarden").Spec.Template.Spec.Containers[0].Args)
	if !strings.Contains(args, "--secrets=istio-system/cacerts,edge/shop-tls,istio-system/istio-ca-secret") || !strings.Contains(args, "--evidence=rbac,webhooks ") {
		t.Errorf("arguments: %s", args)
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
