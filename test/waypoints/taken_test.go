//go:build cluster

package waypoints

import (
	"fmt"
	"os"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	engine "github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
	"github.com/waywarden/waywarden/policies/scenario"
)

// sources are what ALLOWs ask of who calls. Two of them beside an ALLOW at the waypoint make a complement.
var sources = []string{
	"{principals: [cluster.local/ns/a/sa/x]}", `{principals: ["*/sa/x"], notIpBlocks: ["203.0.113.0/24"]}`, "{namespaces: [b], notPrincipals: [cluster.local/ns/b/sa/x]}",
	"{notNamespaces: [b]}", "{serviceAccounts: [a/x, b/x]}", "{notServiceAccounts: [a/x]}", `{serviceAccounts: [x], ipBlocks: ["203.0.113.0/24"]}`,
	"{serviceAccounts: [a/a, a/b, a/c, a/d, a/e, a/f, a/g, a/h, a/i, a/j, a/k, a/l]}", "{serviceAccounts: [b/a, b/b, b/c, b/d, b/e, b/f, b/g, b/h, b/i, b/j, b/k, b/l]}",
}

const complemented = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: all, namespace: shop}
spec: {targetRefs: [{group: "", kind: Service, name: cart}], rules: [{}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: some, namespace: shop}
spec: {selector: {matchLabels: {app: cart}}, rules: [{from: [{source: %s}]}, {from: [{source: %s}], to: [{operation: {ports: ["8080"]}}]}]}
`

// TestWrittenIsTaken: the API server takes whatever is planned, by its schemas and the webhook of istiod.
func TestWrittenIsTaken(t *testing.T) {
	t.Parallel()
	w := start(t)
	taken := map[plan.Role]int{}
	made := map[string]bool{}
	for name, s := range planned(t) {
		setting := plan.Setting{Mode: plan.Provision, Bypass: plan.Guard, Profile: plan.Profile{Name: "default"}}
		for _, p := range plan.Make(engine.NewView(s), plan.Settings{Default: setting}, nil).Policies {
			o := &unstructured.Unstructured{Object: p.Manifest}
			if ns := o.GetNamespace(); !made[ns] && ns != "default" {
				made[ns] = true
				w.apply(fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns))
			}
			r := map[string]schema.GroupVersionResource{"AuthorizationPolicy": policies, "RequestAuthentication": tokens}[o.GetKind()]
			if _, err := w.Dynamic.Resource(r).Namespace(o.GetNamespace()).Create(t.Context(), o, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}); err != nil {
				t.Errorf("%s: %v\n%v", name, err, p.Manifest["spec"])
			}
			taken[p.Role]++
		}
	}
	if taken[plan.Twin] < 80 || taken[plan.Admission] < 60 || taken[plan.Guarding] < 80 {
		t.Errorf("%v were written: too few to tell anything", taken)
	}
	t.Log(taken)
}

// planned are meshes of which something is planned, by name.
func planned(t *testing.T) map[string]*mesh.Snapshot {
	out := map[string]*mesh.Snapshot{}
	files, err := scenario.Load(os.DirFS("../../policies/plan"), "testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for _, cs := range f.Cases {
			out[f.Name+"/"+cs.Name] = cs.Snapshot
		}
	}
	for _, a := range sources {
		for _, b := range sources {
			objects, err := scenario.Objects(fmt.Appendf(nil, complemented, a, b))
			if err != nil {
				t.Fatal(err)
			}
			out[a+" and "+b] = mesh.New(mesh.Options{}, objects...)
		}
	}
	return out
}
