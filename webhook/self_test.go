package webhook

import (
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

const cartGuarded = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reads-only, namespace: shop}
spec:
  action: DENY
  targetRefs: [{group: "", kind: Service, name: cart}]
  rules: [{to: [{operation: {notMethods: [GET]}}]}]
`

const cartGuard = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: waywarden-guard-cart
  namespace: shop
  labels: {app.kubernetes.io/managed-by: waywarden}
  annotations: {waywarden.dev/profile: default, waywarden.dev/role: guard, waywarden.dev/waypoint: shop/waypoint, waywarden.dev/for: shop/cart}
spec:
  action: DENY
  selector: {matchLabels: {app: cart}}
  rules: [{from: [{source: {notPrincipals: [cluster.local/ns/shop/sa/waypoint]}}]}]
`

// TestSelf: what the mesh does not tell, Waywarden itself may do, and nobody else. As long as it does not know as whom it writes, anybody
// may be it.
func TestSelf(t *testing.T) {
	for name, c := range map[string]struct {
		self    func() string
		allowed bool
	}{
		"it writes nothing":              {nil, false},
		"it writes as somebody else":     {func() string { return "system:serviceaccount:waywarden-system:waywarden" }, false},
		"it is who asks":                 {func() string { return "jane" }, true},
		"it does not know yet who it is": {func() string { return "" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := guardrail(v1alpha1.Deny, "")
			g.Spec.Checks[0].IDs, g.Spec.Checks[0].MinSeverity = []v1alpha1.CheckGlob{"change/stand-in"}, ""
			o := options(with(t, cartGuarded, cartGuard), rulebook(t, []*v1alpha1.Guardrail{g}))
			var k asked
			k.of(&o)
			o.Self = c.self
			r := request(t, admissionv1.Delete, nil, content(t, cartGuard))
			r.UserInfo.Username = "jane"
			if got := answer(t, New(o).Validating(), r); got.Allowed != c.allowed {
				t.Errorf("allowed %v: %+v", got.Allowed, got.Result)
			}
		})
	}
}
