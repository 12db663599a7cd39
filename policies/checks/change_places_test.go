package checks

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestChangePlaces: what goes in the root namespace is about the namespaces in which it guarded something, so that their
// Guardrails judge it.
func TestChangePlaces(t *testing.T) {
	const world = `
- {apiVersion: v1, kind: Namespace, metadata: {name: istio-system}}
- {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}
- {apiVersion: v1, kind: Namespace, metadata: {name: bank, labels: {istio.io/dataplane-mode: ambient}}}
- {apiVersion: v1, kind: Namespace, metadata: {name: plain}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: ledger, namespace: bank}, spec: {selector: {matchLabels: {app: ledger}}, template: {metadata: {labels: {app: ledger}}, spec: {containers: [{name: a, image: a}]}}}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: plain}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: a}]}}}}
- {apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: strict, namespace: istio-system}, spec: {mtls: {mode: STRICT}}}
- {apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: default-deny, namespace: istio-system}, spec: {}}
`
	var contents []map[string]any
	if err := yaml.Unmarshal([]byte(world), &contents); err != nil {
		t.Fatal(err)
	}
	var objects []*mesh.Object
	for _, c := range contents {
		o, err := mesh.Decode(c)
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	before := mesh.New(mesh.Options{}, objects...)
	for kind, name := range map[mesh.Kind]string{mesh.PeerAuthentication: "strict", mesh.AuthorizationPolicy: "default-deny"} {
		old := before.Get(kind, "istio-system", name)
		change := &policies.Change{Old: old, Before: policies.NewView(before), After: policies.NewView(before.Without(old))}
		found := policies.EvaluateChange(policies.Checks(), change)
		if len(found) != 1 {
			t.Errorf("%s: %d findings, want one: %v", kind, len(found), found)
			continue
		}
		if diff := cmp.Diff([]string{"bank", "shop"}, found[0].Namespaces); diff != "" {
			t.Errorf("%s (-want +got):\n%s", found[0].Check, diff)
		}
	}
}
