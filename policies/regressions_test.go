package policies_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

const guarded = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: guard, namespace: shop}
spec:
  action: DENY
  targetRefs: [{group: "", kind: Service, name: cart}]
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: all, namespace: shop}
spec:
  action: DENY
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]
  rules: [{to: [{operation: {methods: [TRACE]}}]}]
`

func objects(t *testing.T, yaml string) []*mesh.Object {
	t.Helper()
	out, err := scenario.Objects([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRegressions shows the changes of the catalogue that break stored policies (137-140).
func TestRegressions(t *testing.T) {
	service := func(meta, spec string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: shop" + meta + "}\nspec: {selector: {app: cart}" + spec + "}\n"
	}
	for _, c := range []struct {
		name, change string
		drop         bool
		want         []string
	}{
		{"delete the waypoint", "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: waypoint, namespace: shop}\nspec: {gatewayClassName: istio-waypoint}\n", true,
			[]string{"all NotEnforced TargetNotFound", "guard NotEnforced WaypointIsNotReady"}},
		{"lose its address", "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: waypoint, namespace: shop}\nspec: {gatewayClassName: istio-waypoint}\nstatus: {conditions: []}\n", false,
			[]string{"all Pending WaypointIsNotReady", "guard Pending WaypointIsNotReady"}},
		{"become an ingress gateway", "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: waypoint, namespace: shop}\nspec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}\n", false,
			[]string{"all NotEnforced ServesNothing", "guard NotEnforced ForeignGateway"}},
		{"unlabel the Namespace", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}\n", false,
			[]string{"all NotEnforced ServesNothing", "guard NotEnforced AncestorNotBound"}},
		{"opt out", service(", labels: {istio.io/use-waypoint: none}", ", ports: [{name: http, port: 80}]"), false,
			[]string{"all NotEnforced ServesNothing", "guard NotEnforced AncestorNotBound"}},
		{"HTTP becomes TCP", service("", ", ports: [{name: tcp, port: 80}]"), false,
			[]string{"all OverDenies Protocol", "guard OverDenies Protocol"}},
		{"become headless", service("", ", clusterIP: None, ports: [{name: http, port: 80}]"), false,
			[]string{"all NotEnforced Protocol", "guard NotEnforced Headless"}},
		{"another port", service("", ", ports: [{name: http, port: 80}, {name: http-too, port: 81}]"), false, nil},
		{"another label", service(", labels: {team: shop}", ", ports: [{name: http, port: 80}]"), false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := mesh.New(mesh.Options{}, objects(t, guarded)...)
			changed := objects(t, c.change)[0]
			after := before.With(changed)
			if c.drop {
				after = before.Without(changed)
			}
			var got []string
			for _, r := range policies.Regressions(policies.NewView(before), policies.NewView(after), changed) {
				if r.Before.Verdict != policies.Enforced {
					t.Errorf("%s was %s before", r.Before.Object, r.Before.Verdict)
				}
				got = append(got, r.After.Object.Name+" "+string(r.After.Verdict)+" "+r.After.Reason)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestRegressionsOfRoutes shows a route of another namespace whose backend goes.
func TestRegressionsOfRoutes(t *testing.T) {
	before := mesh.New(mesh.Options{}, objects(t, guarded+`
---
apiVersion: v1
kind: Namespace
metadata: {name: bank}
---
apiVersion: v1
kind: Service
metadata: {name: ledger, namespace: bank}
spec: {selector: {app: ledger}, ports: [{name: http, port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: cart}]
  rules: [{backendRefs: [{name: ledger, namespace: bank, port: 80}]}]
`)...)
	ledger := before.Get(mesh.Service, "bank", "ledger")
	var got []string
	for _, r := range policies.Regressions(policies.NewView(before), policies.NewView(before.Without(ledger)), ledger) {
		got = append(got, r.After.Object.Name+" "+string(r.After.Verdict)+" "+r.After.Reason)
	}
	if want := []string{"r PartiallyEnforced BackendNotFound"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRegressionsOfHosts shows policies of a ServiceEntry that end where a Service takes its host.
func TestRegressionsOfHosts(t *testing.T) {
	before := mesh.New(mesh.Options{}, objects(t, guarded+`
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside, namespace: shop}
spec: {hosts: [pay.shop.svc.cluster.local], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: outside, namespace: shop}
spec:
  action: DENY
  targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: outside}]
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
`)...)
	for _, spec := range []string{"{type: ExternalName, externalName: pay.example.com}", "{ports: [{name: http, port: 80}]}"} {
		changed := objects(t, "apiVersion: v1\nkind: Service\nmetadata: {name: pay, namespace: shop}\nspec: "+spec+"\n")[0]
		after := before.With(changed)
		want := everyRegression(before, after)
		if len(want) != 2 {
			t.Errorf("Service with %s breaks %q, want the ServiceEntry and its policy", spec, want)
		}
		got := told(policies.Regressions(policies.NewView(before), policies.NewView(after), changed))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Service with %s (-every policy +found):\n%s", spec, diff)
		}
	}
}

// TestRegressionsOfEnrolment shows an entry for every caller of the mesh that loses its last one, whose Namespace is
// enrolled by a label of the cluster's own.
func TestRegressionsOfEnrolment(t *testing.T) {
	before := mesh.New(mesh.Options{}, objects(t, `
apiVersion: v1
kind: ConfigMap
metadata: {name: istio-cni-config, namespace: istio-system}
data: {AMBIENT_ENABLEMENT_SELECTOR: '[{"podSelector": {}, "namespaceSelector": {"matchLabels": {"mesh": "on"}}}]'}
---
apiVersion: v1
kind: Namespace
metadata: {name: istio-system}
---
apiVersion: v1
kind: Namespace
metadata: {name: infra}
---
apiVersion: v1
kind: Namespace
metadata: {name: web, labels: {mesh: "on"}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: bank, namespace: infra}
spec: {hosts: [bank.example.com], resolution: DNS, location: MESH_EXTERNAL, ports: [{number: 443, name: tls, protocol: TLS}]}
`)...)
	changed := objects(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: web, labels: {mesh: \"off\"}}\n")[0]
	after := before.With(changed)
	want := everyRegression(before, after)
	if len(want) == 0 {
		t.Fatal("nothing gets worse: the test says nothing")
	}
	if diff := cmp.Diff(want, told(policies.Regressions(policies.NewView(before), policies.NewView(after), changed))); diff != "" {
		t.Errorf("(-every policy +found):\n%s", diff)
	}
}

// TestRegressionsOfIngressLabel: whether ingress gateways send through a waypoint is all one where no route leads there, but not where a
// selector over namespaces goes by the label.
func TestRegressionsOfIngressLabel(t *testing.T) {
	const key = "istio.io/ingress-use-waypoint"
	elsewhere := objects(t, `
apiVersion: v1
kind: Namespace
metadata: {name: infra, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint, istio.io/use-waypoint-namespace: infra, istio.io/ingress-use-waypoint: "true"}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: infra}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {istio.io/ingress-use-waypoint: "true"}}}}}]
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: guard, namespace: shop}
spec:
  action: DENY
  targetRefs: [{group: "", kind: Service, name: cart}]
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
`)
	before := mesh.New(mesh.Options{}, elsewhere...)
	now := *before.Get(mesh.Namespace, "", "shop")
	now.Labels = maps.Clone(now.Labels)
	delete(now.Labels, key)
	after := before.With(&now)
	want := everyRegression(before, after)
	if len(want) == 0 {
		t.Fatal("nothing is broken: the test says nothing")
	}
	if diff := cmp.Diff(want, told(policies.Regressions(policies.NewView(before), policies.NewView(after), &now))); diff != "" {
		t.Errorf("-every policy +found:\n%s", diff)
	}
}
