package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks"
	"github.com/waywarden/waywarden/policies/mesh"
)

const twoNamespaces = `
apiVersion: v1
kind: Namespace
metadata: {name: istio-system}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {env: prod, istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart}}
---
apiVersion: v1
kind: Namespace
metadata: {name: lab, labels: {env: dev, istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Pod
metadata: {name: test-1, namespace: lab, labels: {app: test}}
---
apiVersion: waywarden.dev/v1alpha1
kind: Guardrail
metadata: {name: prod}
spec: {namespaceSelector: {matchLabels: {env: prod}}, checks: [{ids: ["effect/*"], action: Deny}]}
---
`

func denying(ns, app string) string {
	return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: no-delete, namespace: " + ns + "}\n" +
		"spec: {action: DENY, selector: {matchLabels: {app: " + app + "}}, rules: [{to: [{operation: {methods: [DELETE]}}]}]}\n---\n"
}

func excepting(ns, kind string) string {
	return "apiVersion: waywarden.dev/v1alpha1\nkind: Exemption\nmetadata: {name: it, namespace: " + ns + "}\n" +
		"spec: {checks: [\"effect/l7-*\"], subjects: [{kind: " + kind + "}], reason: x, expiresAt: \"2026-12-24T00:00:00Z\"}\n---\n"
}

func inventoryOf(t *testing.T, text string) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.Files(inventory.FileOptions{Stdin: strings.NewReader(text)}, "-")
	if err != nil {
		t.Fatal(err)
	}
	if len(inv.Problems) > 0 {
		t.Fatal(inv.Problems)
	}
	return inv
}

var december = Rules{Now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}

// TestScanDecides: from manifests to what is done about what is found in them.
func TestScanDecides(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		opts Options
		want []string
	}{
		"where the Guardrail is": {twoNamespaces + denying("shop", "cart"), Options{}, []string{"AuthorizationPolicy shop/no-delete effect/l7-deny-no-op Deny false"}},
		"where it is not":        {twoNamespaces + denying("lab", "test"), Options{}, []string{"AuthorizationPolicy lab/no-delete effect/l7-deny-no-op Warn false"}},
		"from the root into it":  {twoNamespaces + denying("istio-system", "cart"), Options{}, []string{"AuthorizationPolicy istio-system/no-delete effect/l7-deny-no-op Deny false"}},
		"from the root past it":  {twoNamespaces + denying("istio-system", "test"), Options{}, []string{"AuthorizationPolicy istio-system/no-delete effect/l7-deny-no-op Warn false"}},
		"exempt":                 {twoNamespaces + denying("shop", "cart") + excepting("shop", "AuthorizationPolicy"), Options{}, []string{"AuthorizationPolicy shop/no-delete effect/l7-deny-no-op Deny true"}},
		"exempt from elsewhere":  {twoNamespaces + denying("istio-system", "cart") + excepting("shop", "AuthorizationPolicy"), Options{}, []string{"AuthorizationPolicy istio-system/no-delete effect/l7-deny-no-op Deny false", "Exemption shop/it exemption/unused Warn false"}},
		"unused":                 {twoNamespaces + excepting("shop", "Gateway"), Options{}, []string{"Exemption shop/it exemption/unused Warn false"}},
		"unused, of a namespace that is not shown":      {twoNamespaces + excepting("web", "Gateway"), Options{}, nil},
		"unused, of another namespace than asked about": {twoNamespaces + excepting("shop", "Gateway"), Options{Judge: func(o *mesh.Object) bool { return o.Name == "lab" }}, nil},
		"unused, and not everything was asked":          {twoNamespaces + excepting("shop", "Gateway"), Options{Checks: policies.Checks("exemption/*", "effect/l7-deny-no-op")}, nil},
		"a name that no check has": {twoNamespaces + strings.ReplaceAll(excepting("shop", "AuthorizationPolicy"), "effect/l7-*", "effect/l8-*"), Options{},
			[]string{"Exemption shop/it guardrail/unknown-check Warn false", "Exemption shop/it exemption/unused Warn false"}},
		"off": {twoNamespaces + denying("lab", "test") + "apiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: quiet}\n" +
			"spec: {namespaceSelector: {matchLabels: {env: dev}}, checks: [{ids: [\"*\"], action: \"Off\"}]}\n", Options{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.Rules = december
			var got []string
			r := Scan(inventoryOf(t, c.text), c.opts)
			for _, f := range r.Findings {
				got = append(got, fmt.Sprint(f.Object, " ", f.Check, " ", f.Action, " ", f.Exempt))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(r.Errors) > 0 {
				t.Errorf("errors: %v", r.Errors)
			}
		})
	}
}

// TestScanRefuses: an inventory that nobody has checked is judged without what is not well formed, and says so.
func TestScanRefuses(t *testing.T) {
	inv := inventoryOf(t, twoNamespaces+denying("shop", "cart"))
	inv.Guardrails = append(inv.Guardrails, &v1alpha1.Guardrail{})
	r := Scan(inv, Options{Rules: december})
	if len(r.Errors) != 1 || r.Errors[0].Field != "spec.checks" || len(r.Findings) != 1 || r.Findings[0].Action != "Deny" {
		t.Errorf("errors %v, findings %v", r.Errors, r.Findings)
	}
}
