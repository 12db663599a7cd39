package webhook

import (
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

// TestMovingOut: labels that take a Namespace out of a Guardrail are judged by that Guardrail, by what is stored in it.
func TestMovingOut(t *testing.T) {
	namespace := func(env string) map[string]any {
		return map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "shop",
			"labels": map[string]any{"istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "waypoint", "env": env}}}
	}
	rail := func(name, env string, action v1alpha1.Action) *v1alpha1.Guardrail {
		g := guardrail(action, "")
		g.Name, g.Spec.NamespaceSelector.MatchLabels = name, map[string]string{"env": env}
		return g
	}
	exempt := &v1alpha1.Exemption{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "e"}, Spec: v1alpha1.ExemptionSpec{Checks: []v1alpha1.CheckGlob{"*"}, Reason: "it has to be",
		Subjects: []v1alpha1.Subject{{Kind: "AuthorizationPolicy"}}, ExpiresAt: metav1.NewTime(now.Add(time.Hour))}}
	prod, test := rail("prod", "prod", v1alpha1.Deny), rail("test", "test", v1alpha1.Deny)
	for name, c := range map[string]struct {
		stored     string
		rails      []*v1alpha1.Guardrail
		exemptions []*v1alpha1.Exemption
		from, to   string
		allowed    bool
		says       string
	}{
		"what it would deny is stored":                {stored: noOp, rails: []*v1alpha1.Guardrail{prod}, from: "prod", to: "lab", says: "AuthorizationPolicy shop/no-op would be out of reach of Guardrail prod"},
		"nothing that it would deny is stored":        {stored: bound, rails: []*v1alpha1.Guardrail{prod}, from: "prod", to: "lab", allowed: true},
		"into another Guardrail that denies the same": {stored: noOp, rails: []*v1alpha1.Guardrail{prod, test}, from: "prod", to: "test", allowed: true},
		"into a Guardrail":                            {stored: noOp, rails: []*v1alpha1.Guardrail{prod}, from: "lab", to: "prod", allowed: true},
		"it only warns":                               {stored: noOp, rails: []*v1alpha1.Guardrail{rail("prod", "prod", v1alpha1.Warn), rail("lab", "lab", v1alpha1.Off)}, from: "prod", to: "lab", allowed: true, says: "out of reach"},
		"what it would deny is exempt":                {stored: noOp, rails: []*v1alpha1.Guardrail{prod}, exemptions: []*v1alpha1.Exemption{exempt}, from: "prod", to: "lab", allowed: true},
	} {
		t.Run(name, func(t *testing.T) {
			old, err := mesh.Decode(namespace(c.from))
			if err != nil {
				t.Fatal(err)
			}
			o := options(with(t, c.stored).With(old), rulebook(t, c.rails, c.exemptions...))
			got := answer(t, New(o).Validating(), request(t, admissionv1.Update, namespace(c.to), namespace(c.from)))
			text := strings.Join(got.Warnings, "\n")
			if got.Result != nil {
				text += got.Result.Message
			}
			if got.Allowed != c.allowed || !strings.Contains(text, c.says) || c.says == "" && strings.Contains(text, "out of reach") {
				t.Errorf("allowed %v: %s", got.Allowed, text)
			}
		})
	}
}

// TestLabelsWhileNothingIsWhole: a kind that cannot be read hides every Namespace. Guardrails select by the labels that are
// known otherwise, and where there are none a warning says that it may be too mild.
func TestLabelsWhileNothingIsWhole(t *testing.T) {
	o := guarding(t, snapshot(t, "{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {selector: {app: cart}}}"))
	r := creates(t, strings.Replace(bound, "kind: Service", "kind: Deployment", 1))
	got := answer(t, New(o).Validating(), r)
	if !got.Allowed || !strings.Contains(strings.Join(got.Warnings, "\n"), "Guardrail all may demand more: the labels by which it selects are not known of Namespace shop.") {
		t.Errorf("no labels: allowed %v: %q", got.Allowed, got.Warnings)
	}
	for env, allowed := range map[string]bool{"prod": false, "lab": true} {
		o.Labels = func(string) map[string]string { return map[string]string{"env": env} }
		if got := answer(t, New(o).Validating(), r); got.Allowed != allowed || strings.Contains(strings.Join(got.Warnings, "\n"), "may demand more") {
			t.Errorf("%s: allowed %v: %q", env, got.Allowed, got.Warnings)
		}
	}
}

// TestMovingOutOfParameters: what a Guardrail denies by parameters of its own it denies to what leaves it too.
func TestMovingOutOfParameters(t *testing.T) {
	const anybody = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: anybody, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  rules: [{to: [{operation: {ports: ["8080"]}}]}]
`
	namespace := func(env string) map[string]any {
		return content(t, "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint, env: "+env+"}}}")
	}
	for params, allowed := range map[string]bool{"": false, `{"ports": ["15020"]}`: false, `{"ports": ["8080"]}`: true} {
		g := guardrail(v1alpha1.Deny, "")
		g.Name, g.Spec.NamespaceSelector.MatchLabels = "prod", map[string]string{"env": "prod"}
		g.Spec.Checks = []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"zero-trust/authz/allow-names-caller"}, Action: v1alpha1.Deny}}
		if params != "" {
			g.Spec.Checks[0].Params = &runtime.RawExtension{Raw: []byte(params)}
		}
		a := New(options(with(t, anybody), rulebookOf(t, zerotrust.Pack().Checks(), []*v1alpha1.Guardrail{g}))).Validating()
		if got := answer(t, a, creates(t, anybody)); got.Allowed != allowed {
			t.Errorf("parameters %q: created: %v %v", params, got.Allowed, got.Result)
		}
		got := answer(t, a, request(t, admissionv1.Update, namespace("lab"), namespace("prod")))
		if got.Allowed != allowed || !allowed && !strings.Contains(got.Result.Message, "AuthorizationPolicy shop/anybody would be out of reach of Guardrail prod") {
			t.Errorf("parameters %q: moved out: %v %v", params, got.Allowed, got.Result)
		}
	}
}
