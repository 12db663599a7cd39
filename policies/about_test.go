package policies_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// shared is a mesh in which policies reach further than where they stand: from the root namespace, and at a waypoint that
// other namespaces use.
const shared = `
apiVersion: v1
kind: Namespace
metadata: {name: istio-system}
---
apiVersion: v1
kind: Namespace
metadata: {name: infra}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: infra}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint, istio.io/use-waypoint-namespace: infra}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart}}
---
apiVersion: v1
kind: Namespace
metadata: {name: web, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: web}
spec: {clusterIP: 10.96.0.11, selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: web, labels: {app: web}}
`

// TestNamespacesOf: an effect belongs to the namespaces that it changes something in.
func TestNamespacesOf(t *testing.T) {
	deny := func(ns, spec string) string {
		return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: it, namespace: " + ns + "}\n" +
			"spec:\n  action: DENY\n  rules: [{to: [{operation: {methods: [DELETE]}}]}]\n" + spec
	}
	every := []string{"infra", "istio-system", "shop", "web"}
	for name, c := range map[string]struct {
		policy string
		want   []string
	}{
		"its own namespace":              {deny("shop", ""), []string{"shop"}},
		"from the root":                  {deny("istio-system", ""), every},
		"from the root, by labels":       {deny("istio-system", "  selector: {matchLabels: {app: web}}\n"), []string{"web"}},
		"from the root, nothing yet":     {deny("istio-system", "  selector: {matchLabels: {app: later}}\n"), every},
		"a class":                        {deny("istio-system", "  targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}]\n"), every},
		"a Service":                      {deny("web", "  targetRefs: [{group: \"\", kind: Service, name: web}]\n"), []string{"web"}},
		"a waypoint that others use":     {deny("infra", "  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]\n"), []string{"infra", "shop"}},
		"a waypoint that does not exist": {deny("infra", "  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: none}]\n"), []string{"infra"}},
		"a host elsewhere": {"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: it, namespace: istio-system}\n" +
			"spec: {host: web.web.svc.cluster.local, trafficPolicy: {tls: {mode: DISABLE}}}\n", []string{"web"}},
	} {
		t.Run(name, func(t *testing.T) {
			own := objects(t, c.policy)
			v := policies.NewView(mesh.New(mesh.Options{}, append(objects(t, shared), own...)...))
			var got []string
			for _, e := range v.Effects(own[0]) {
				got = append(got, v.NamespacesOf(e)...)
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, slices.Compact(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReport fills in what a finding rests on.
func TestReport(t *testing.T) {
	own := objects(t, `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: it, namespace: web}
spec:
  action: DENY
  targetRefs: [{group: "", kind: Service, name: web}, {group: "", kind: Service, name: later}]
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
`)[0]
	view := policies.NewView(mesh.New(mesh.Options{}, append(objects(t, shared), own)...))
	set := []policies.Wait{{Label: "x", On: &mesh.Ref{Kind: "Service", Name: "x"}}}
	for name, c := range map[string]struct {
		finding policies.Finding
		waits   []string
	}{
		"about one target":     {policies.Finding{Verdict: policies.NotEnforced, Field: "spec.targetRefs[0]"}, []string{"label istio.io/use-waypoint on Service web/web"}},
		"about the other":      {policies.Finding{Verdict: policies.NotEnforced, Field: "spec.targetRefs[1]"}, []string{"Service web/later"}},
		"by the message":       {policies.Finding{Verdict: policies.NotEnforced, Message: "nothing at Service web/later"}, []string{"Service web/later"}},
		"what the check says":  {policies.Finding{Verdict: policies.NotEnforced, WaitsFor: set}, []string{"label x on Service x"}},
		"about the policy":     {policies.Finding{Field: "spec"}, nil},
		"with another verdict": {policies.Finding{Verdict: policies.Pending}, []string{"label istio.io/use-waypoint on Service web/web", "Service web/later"}},
	} {
		t.Run(name, func(t *testing.T) {
			check := &policies.Check{ID: "x/y", Kinds: []mesh.Kind{mesh.AuthorizationPolicy}, Run: func(p *policies.Pass) { p.Report(c.finding) }}
			f := policies.Evaluate([]*policies.Check{check}, view, own)[0]
			var waits []string
			for _, w := range f.WaitsFor {
				waits = append(waits, w.String())
			}
			slices.Sort(waits)
			slices.Sort(c.waits)
			if diff := cmp.Diff(c.waits, waits); diff != "" {
				t.Errorf("waits for (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"web"}, f.Namespaces); diff != "" {
				t.Errorf("belongs to (-want +got):\n%s", diff)
			}
		})
	}
}
