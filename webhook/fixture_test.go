package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks" // the built-in checks register themselves
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// shop is a mesh with a waypoint, a Service that is bound to it, and its pods.
const shop = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint, env: prod}}
---
apiVersion: v1
kind: Namespace
metadata: {name: istio-system}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: istio-waypoint}
spec: {controllerName: istio.io/mesh-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
status: {addresses: [{type: IPAddress, value: 10.96.0.2}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  clusterIP: 10.96.0.10
  selector: {app: cart}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec:
      serviceAccountName: cart
      containers: [{name: cart, image: cart, ports: [{containerPort: 8080}]}]
`

// noOp denies nothing, because ztunnel cannot compare methods.
const noOp = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-op, namespace: shop}
spec:
  action: DENY
  selector: {matchLabels: {app: cart}}
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
`

// bound is a policy with nothing to say about it.
const bound = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: bound, namespace: shop}
spec:
  action: DENY
  targetRefs: [{group: "", kind: Service, name: cart}]
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
`

// guardrail demands the same of all checks, everywhere, from a severity on.
func guardrail(action v1alpha1.Action, fix v1alpha1.Fix) *v1alpha1.Guardrail {
	return &v1alpha1.Guardrail{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: v1alpha1.GuardrailSpec{Fix: fix,
		Checks: []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"*"}, MinSeverity: "high", Action: action}}}}
}

func rulebook(t testing.TB, guardrails []*v1alpha1.Guardrail, exemptions ...*v1alpha1.Exemption) *decide.Rulebook {
	t.Helper()
	return rulebookOf(t, nil, guardrails, exemptions...)
}

// rulebookOf is one for other checks than the built-in ones.
func rulebookOf(t testing.TB, checks []*policies.Check, guardrails []*v1alpha1.Guardrail, exemptions ...*v1alpha1.Exemption) *decide.Rulebook {
	t.Helper()
	rules, problems := decide.New(decide.Options{Checks: checks}, guardrails, exemptions)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules
}

func snapshot(t testing.TB, manifests string) *mesh.Snapshot {
	t.Helper()
	objects, err := scenario.Objects([]byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		o.Live = true
	}
	return mesh.New(mesh.Options{}, objects...)
}

// options judge on a mesh that does not change, of which the API server knows no more, where nobody may break the glass.
func options(s *mesh.Snapshot, rules *decide.Rulebook) Options {
	return Options{Log: logr.Discard(), Namespace: "waywarden", Source: Source{
		Snapshot: func() *mesh.Snapshot { return s }, Rulebook: func() *decide.Rulebook { return rules }, Now: func() time.Time { return now },
		Get:           func(context.Context, mesh.Kind, string, string) (*mesh.Object, error) { return nil, nil },
		MayBreakGlass: func(context.Context, authenticationv1.UserInfo) (bool, error) { return false, nil },
	}}
}

// denying are options that deny what is bad in the shop, by some checks or by all built-in ones.
func denying(t testing.TB, checks ...*policies.Check) Options {
	return options(snapshot(t, shop), rulebookOf(t, checks, []*v1alpha1.Guardrail{guardrail(v1alpha1.Deny, "")}))
}

// content is a manifest as a map.
func content(t testing.TB, manifest string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.Unmarshal([]byte(manifest), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// set is a copy of an object with metadata of a key set.
func set(o map[string]any, key string, value any) map[string]any {
	o = maps.Clone(o)
	metadata, _ := o["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	metadata[key] = value
	o["metadata"] = metadata
	return o
}

// request is what an API server would ask; object or old may be nil.
func request(t testing.TB, operation admissionv1.Operation, object, old map[string]any) *admissionv1.AdmissionRequest {
	t.Helper()
	r := &admissionv1.AdmissionRequest{UID: "request", Operation: operation, UserInfo: authenticationv1.UserInfo{Username: "ann"}}
	for _, x := range []struct {
		content map[string]any
		raw     *[]byte
	}{{old, &r.OldObject.Raw}, {object, &r.Object.Raw}} {
		if x.content == nil {
			continue
		}
		raw, err := json.Marshal(x.content)
		if err != nil {
			t.Fatal(err)
		}
		*x.raw = raw
		o := unstructured.Unstructured{Object: x.content}
		gvk := o.GroupVersionKind()
		r.Kind = metav1.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}
		r.Name, r.Namespace = o.GetName(), o.GetNamespace()
	}
	return r
}

func creates(t testing.TB, manifest string) *admissionv1.AdmissionRequest {
	t.Helper()
	return request(t, admissionv1.Create, content(t, manifest), nil)
}

func bodyOf(t testing.TB, r *admissionv1.AdmissionRequest) []byte {
	t.Helper()
	body, err := json.Marshal(&admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: r})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// post sends a body as an API server does.
func post(h http.Handler, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/?timeout=3s", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// answer is what is said to a request; it has to be an answer that an API server takes.
func answer(t testing.TB, h http.Handler, r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	t.Helper()
	w := post(h, bodyOf(t, r))
	if w.Code != http.StatusOK {
		t.Fatalf("HTTP %d: %s", w.Code, w.Body)
	}
	return reviewOf(t, w.Body.Bytes(), string(r.UID))
}

func reviewOf(t testing.TB, body []byte, uid string) *admissionv1.AdmissionResponse {
	t.Helper()
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &review); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" || review.Response == nil || string(review.Response.UID) != uid {
		t.Fatalf("not the answer to %q: %s", uid, body)
	}
	return review.Response
}
