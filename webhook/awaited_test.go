package webhook

import (
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// TestAwaited: a policy for what a waypoint is being made for is admitted, as one for which none is, and warned of as much; whoever deletes the
// Gateway meanwhile, or wants no waypoint, takes nothing out of force. What waits for good is denied all the same.
func TestAwaited(t *testing.T) {
	const (
		made = `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop, labels: {app.kubernetes.io/managed-by: waywarden}, annotations: {waywarden.dev/profile: default}}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
status: {conditions: [{type: waywarden.dev/Awaited, status: "True", reason: ToBeBound, message: Namespace shop}]}
`
		stuck = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: stuck, namespace: shop}
spec:
  action: DENY
  selector: {matchLabels: {app: cart}}
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
`
		out = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: none}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}}`
		in  = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}}`
	)
	gateway := content(t, strings.TrimPrefix(made, "---\n"))
	for name, tc := range map[string]struct {
		stored  string
		request *admissionv1.AdmissionRequest
		allowed bool
		warns   string
	}{
		"nothing is made":         {bare(), creates(t, bound), true, "Service shop/cart is not bound to a waypoint"},
		"it is made":              {bare() + made, creates(t, bound), true, "Service shop/cart is not bound to waypoint shop/waypoint yet"},
		"it can never":            {bare() + made, creates(t, stuck), false, ""},
		"the Gateway is deleted":  {bare() + made + "---" + bound, request(t, admissionv1.Delete, nil, gateway), true, ""},
		"no waypoint is wanted":   {bare() + made + "---" + bound, request(t, admissionv1.Update, content(t, out), content(t, in)), true, ""},
		"somebody takes it over":  {bare() + made + "---" + bound, request(t, admissionv1.Update, set(gateway, "labels", map[string]any{}), gateway), true, ""},
		"nothing is made, and no": {bare() + "---" + bound, request(t, admissionv1.Update, content(t, out), content(t, in)), true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(snapshot(t, tc.stored), rulebook(t, []*v1alpha1.Guardrail{guardrail(v1alpha1.Deny, "")}))
			got := answer(t, New(o).Validating(), tc.request)
			if got.Allowed != tc.allowed || tc.warns != "" && !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.Contains(w, tc.warns) }) {
				t.Errorf("allowed %v: %v %q", got.Allowed, got.Result, got.Warnings)
			}
		})
	}
}
