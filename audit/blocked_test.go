package audit

import (
	"strings"
	"testing"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestBlocked: a scan says for which policies no waypoint is made, where a Guardrail has them made and says that it is told; of a cluster
// that files change, what is so by the files.
func TestBlocked(t *testing.T) {
	const (
		cart = `apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: no.such}}
spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}
---
`
		deny = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny, namespace: shop}
spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: cart}], rules: [{to: [{operation: {methods: [GET]}}]}]}
---
`
		guardrail = `apiVersion: waywarden.dev/v1alpha1
kind: Guardrail
metadata: {name: all}
spec:
  checks: [{ids: [CHECKS], action: Warn}]
  waypoints: {mode: MODE}
---
`
	)
	with := func(checks, mode string) string {
		return shop + cart + deny + strings.NewReplacer("CHECKS", checks, "MODE", mode).Replace(guardrail)
	}
	for name, tc := range map[string]struct {
		text, before string
		judge        func(*mesh.Object) bool
		want         int
	}{
		"provisioned":           {text: with(`"*"`, "Provision"), want: 1},
		"observed":              {text: with(`"*"`, "Observe")},
		"decided":               {text: strings.Replace(with(`"*"`, "Provision"), "no.such", "such", 1)},
		"without any Guardrail": {text: shop + cart + deny},
		"judged elsewhere":      {text: with(`"*"`, "Provision"), judge: func(o *mesh.Object) bool { return o.Namespace == "pay" }},
		"by a file":             {text: with(`"*"`, "Provision"), before: shop + cart, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			inv := written(t, tc.text)
			opts := Options{Judge: tc.judge}
			if tc.before != "" {
				opts.Before = written(t, tc.before)
			}
			var found []report.Finding
			for _, f := range Scan(inv, opts).Findings {
				if f.Check == plan.BlockedCheck {
					found = append(found, f)
				}
			}
			if len(found) != tc.want {
				t.Fatalf("found %+v", found)
			}
			for _, f := range found {
				if f.Object.String() != "AuthorizationPolicy shop/deny" || f.Location == nil || f.Guardrail != "all" || !strings.Contains(f.Message, `"no.such", which nobody can run`) || !strings.HasSuffix(f.Message, "Correct the name.") {
					t.Errorf("found %+v", f)
				}
			}
		})
	}
}
