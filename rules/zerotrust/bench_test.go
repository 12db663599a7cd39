package zerotrust

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// typical is an AuthorizationPolicy as people write them: two rules, three callers, some methods and paths.
const typical = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cart, namespace: ns-7}
spec:
  targetRefs: [{group: "", kind: Service, name: svc-3}]
  rules:
  - from: [{source: {principals: [cluster.local/ns/ns-7/sa/web, cluster.local/ns/ns-8/sa/web]}}]
    to: [{operation: {methods: [GET], paths: [/items/*]}}]
  - from: [{source: {serviceAccounts: [ns-7/job]}}]
    to: [{operation: {methods: [POST], paths: [/items]}}]
`

// manyServices is a mesh of 5,000 Services in 500 namespaces.
func manyServices(tb testing.TB) (*mesh.Snapshot, *mesh.Object) {
	tb.Helper()
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}\n")
	for n := range 500 {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns-%d, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint, env: prod, tenant: t}}\n", n)
		fmt.Fprintf(&b, "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: waypoint, namespace: ns-%d}\nspec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}\n", n)
		for _, sa := range []string{"web", "job"} {
			fmt.Fprintf(&b, "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %s, namespace: ns-%d}\n", sa, n)
		}
		for i := range 10 {
			fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Service\nmetadata: {name: svc-%d, namespace: ns-%d}\nspec: {selector: {app: a%d}, ports: [{name: http, port: 80}]}\n", i, n, i)
			fmt.Fprintf(&b, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a%d, namespace: ns-%d}\nspec: {template: {metadata: {labels: {app: a%d}}, spec: {serviceAccountName: web, containers: [{name: a, image: a}]}}}\n", i, n, i)
		}
	}
	b.WriteString("---" + typical)
	objects, err := scenario.Objects([]byte(b.String()))
	if err != nil {
		tb.Fatal(err)
	}
	return mesh.New(mesh.Options{}, objects...), objects[len(objects)-1]
}

// BenchmarkLibrary is all rules of the library asked about one AuthorizationPolicy, as at admission: with a View of its own.
func BenchmarkLibrary(b *testing.B) {
	s, policy := manyServices(b)
	checks := Pack().Checks()
	policies.Evaluate(checks, policies.NewView(s), policy)
	b.ReportAllocs()
	for b.Loop() {
		policies.Evaluate(checks, policies.NewView(s), policy)
	}
}

// BenchmarkNoRule is what of that is not the library's: the View and the effects of the policy.
func BenchmarkNoRule(b *testing.B) {
	s, policy := manyServices(b)
	b.ReportAllocs()
	for b.Loop() {
		policies.NewView(s).Effects(policy)
	}
}
