package webhook

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
)

// guarding denies in namespaces of production only.
func guarding(t testing.TB, s *mesh.Snapshot) Options {
	g := guardrail(v1alpha1.Deny, "")
	g.Spec.NamespaceSelector.MatchLabels = map[string]string{"env": "prod"}
	return options(s, rulebook(t, []*v1alpha1.Guardrail{g}))
}

// TestRestOfTheMesh: what is no policy is judged by what it does to policies that are stored.
func TestRestOfTheMesh(t *testing.T) {
	namespace := func(labels map[string]any) map[string]any {
		return map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "shop", "labels": labels}}
	}
	enrolled := namespace(map[string]any{"istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "waypoint", "env": "prod"})
	class := content(t, "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: istio-waypoint}, spec: {controllerName: istio.io/mesh-controller}}")
	other := content(t, "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: istio-waypoint}, spec: {controllerName: istio.io/agentgateway-waypoint-controller}}")
	service := func(spec string) map[string]any {
		return content(t, "{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: "+spec+"}")
	}
	cart := service("{clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}")
	for name, c := range map[string]struct {
		operation   admissionv1.Operation
		object, old map[string]any
		allowed     bool
	}{
		"a Namespace leaves the mesh":                          {admissionv1.Update, namespace(map[string]any{"env": "prod"}), enrolled, false},
		"a Namespace leaves the mesh and the Guardrail":        {admissionv1.Update, namespace(map[string]any{"env": "test"}), enrolled, false},
		"a Namespace leaves only the Guardrail":                {admissionv1.Update, namespace(map[string]any{"istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "waypoint"}), enrolled, true},
		"a Namespace gets a label that decides nothing":        {admissionv1.Update, namespace(map[string]any{"istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "waypoint", "env": "prod", "team": "a"}), enrolled, true},
		"a GatewayClass of a waypoint gets another controller": {admissionv1.Update, other, class, false},
		"a GatewayClass of a waypoint is deleted":              {admissionv1.Delete, nil, class, true},
		"a Service goes, and what was bound to it with it":     {admissionv1.Delete, nil, cart, true},
		"a Service gets another port besides":                  {admissionv1.Update, service("{clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}, {name: http-b, port: 81, targetPort: 8080}]}"), cart, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := guarding(t, with(t, bound))
			k := asked{stored: with(t, bound)}
			k.of(&o)
			got := answer(t, New(o).Validating(), request(t, c.operation, c.object, c.old))
			if got.Allowed != c.allowed {
				t.Errorf("allowed %v: %v %q", got.Allowed, got.Result, got.Warnings)
			}
			for _, x := range k.got {
				if strings.HasSuffix(x, "/") {
					t.Errorf("the API server is asked for an object without a name: %s", x)
				}
			}
		})
	}
}

// TestOnlyWhatIsNew: of an update of what is no policy, or of a ServiceEntry, only what it brings is told; what was there is
// not what its writer did.
func TestOnlyWhatIsNew(t *testing.T) {
	for kind, manifest := range map[string]string{
		"Service": "{apiVersion: v1, kind: Service, metadata: {name: x, namespace: shop, labels: {istio.io/use-waypoint: gone}}, spec: {clusterIP: 10.96.0.9, selector: {app: cart}, ports: [{name: http, port: 80}]}}",
		"ServiceEntry": "{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: x, namespace: shop, labels: {istio.io/use-waypoint: gone}}, spec: {hosts: [x.example.com], location: MESH_EXTERNAL, resolution: DNS, " +
			"ports: [{number: 80, name: http, protocol: HTTP}]}}",
	} {
		o := content(t, manifest)
		h := New(denying(t)).Validating()
		if got := answer(t, h, request(t, admissionv1.Create, o, nil)); !strings.Contains(strings.Join(got.Warnings, "\n"), "gone") {
			t.Errorf("%s, made: nothing is told of the waypoint: %q", kind, got.Warnings)
		}
		if got := answer(t, h, request(t, admissionv1.Update, set(o, "annotations", map[string]any{"a": "b"}), o)); len(got.Warnings) > 0 {
			t.Errorf("%s, updated: %q", kind, got.Warnings)
		}
	}
}
