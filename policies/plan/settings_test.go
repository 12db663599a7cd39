package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// two is a mesh of two namespaces, in each of which one of two Services needs a waypoint.
func two(more ...string) *policies.View {
	var out []*mesh.Object
	for _, ns := range []string{"pay", "shop"} {
		for _, text := range []string{
			`{apiVersion: v1, kind: Namespace, metadata: {name: NS, labels: {istio.io/dataplane-mode: ambient}}}`,
			`{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: NS}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`,
			`{apiVersion: v1, kind: Service, metadata: {name: web, namespace: NS}, spec: {clusterIP: 10.96.0.11, selector: {app: web}, ports: [{name: http, port: 80}]}}`,
			`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7, namespace: NS}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: cart}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`,
		} {
			out = append(out, parse(strings.ReplaceAll(text, "NS", ns)))
		}
	}
	out = append(out, parse(`{apiVersion: v1, kind: Namespace, metadata: {name: edge}}`), parse(`{apiVersion: v1, kind: Namespace, metadata: {name: istio-system}}`))
	for _, text := range more {
		out = append(out, parse(text))
	}
	return policies.NewView(mesh.New(mesh.Options{}, out...))
}

func TestSettings(t *testing.T) {
	const front = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: front, namespace: edge}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}]}}`
	for _, tc := range []struct {
		name    string
		profile Profile
		more    []string
		want    []string
	}{
		{"none", Profile{}, nil, []string{
			"waypoint pay/waypoint istio-waypoint", "waypoint shop/waypoint istio-waypoint", "Namespace pay: waypoint", "Namespace shop: waypoint"}},
		{"a waypoint for each Service", Profile{Granularity: PerService}, nil, []string{
			"waypoint pay/cart-waypoint istio-waypoint", "waypoint shop/cart-waypoint istio-waypoint", "Service pay/cart: cart-waypoint", "Service shop/cart: cart-waypoint"}},
		{"one for all, open to them by name", Profile{Granularity: Shared, SharedNamespace: "edge"}, nil, []string{
			"waypoint edge/waypoint istio-waypoint for [edge pay shop]", "Namespace pay: edge/waypoint", "Namespace shop: edge/waypoint"}},
		{"an existing one before one for all", Profile{Granularity: Shared, SharedNamespace: "edge"}, []string{front}, []string{
			"existing edge/front", "Namespace pay: edge/front", "Namespace shop: edge/front"}},
		{"one for all, nowhere", Profile{Name: "p", Granularity: Shared}, nil, []string{
			"blocked: WaypointProfile p shares one waypoint and does not say in which namespace. Set spec.sharedNamespace.",
			"blocked: WaypointProfile p shares one waypoint and does not say in which namespace. Set spec.sharedNamespace."}},
		{"another class", Profile{Name: "p", GatewayClassName: "istio-agentgateway-waypoint"}, nil, []string{
			"blocked: GatewayClass istio-agentgateway-waypoint of WaypointProfile p is not one of Istio's own waypoints (agentgateway), and nothing is planned onto others. Use istio-waypoint.",
			"blocked: GatewayClass istio-agentgateway-waypoint of WaypointProfile p is not one of Istio's own waypoints (agentgateway), and nothing is planned onto others. Use istio-waypoint."}},
		{"kept by a person", Profile{Granularity: PerService}, []string{
			`{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop, annotations: {waywarden.dev/keep: "we watch it"}}, spec: {clusterIP: 10.96.0.11, selector: {app: web}, ports: [{name: http, port: 80}]}}`}, []string{
			"waypoint pay/cart-waypoint istio-waypoint", "waypoint shop/cart-waypoint istio-waypoint", "waypoint shop/web-waypoint istio-waypoint",
			"Service pay/cart: cart-waypoint", "Service shop/cart: cart-waypoint", "Service shop/web: web-waypoint"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := outline(Make(two(tc.more...), Settings{Default: Setting{Profile: tc.profile}}, nil))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func outline(p Plan) []string {
	var out []string
	for _, w := range p.Waypoints {
		line := "existing " + w.Namespace + "/" + w.Name
		if !w.Existing {
			spec := w.Manifest["spec"].(map[string]any)
			line = "waypoint " + w.Namespace + "/" + w.Name + " " + spec["gatewayClassName"].(string)
			if gw := decode(w.Manifest).Spec.(*mesh.GatewayBody).Spec.Listeners[0]; gw.AllowedRoutes != nil {
				line += " for [" + strings.Join(gw.AllowedRoutes.Namespaces.Selector.MatchExpressions[0].Values, " ") + "]"
			}
		}
		out = append(out, line)
	}
	for _, l := range p.Labels {
		value := l.Value
		if l.WaypointNamespace != "" {
			value = l.WaypointNamespace + "/" + value
		}
		out = append(out, l.On.String()+": "+value)
	}
	for _, b := range p.Blocked {
		out = append(out, "blocked: "+b.Why)
	}
	return out
}

// TestStricter: of two Guardrails the stricter mode counts, and every guard.
func TestStricter(t *testing.T) {
	a := Setting{Mode: Provision, Profile: Profile{Name: "a"}}
	b := Setting{Mode: Require, Bypass: Guard, Profile: Profile{Name: "b"}}
	for _, got := range []Setting{a.And(b), b.And(a)} {
		if got.Mode != Require || got.Profile.Name != "b" || got.Bypass != Guard {
			t.Errorf("got %+v", got)
		}
	}
	if got := a.And(Setting{Mode: Provision, Pending: Guard, Profile: Profile{Name: "c"}}); got.Profile.Name != "a" || got.Pending != Guard {
		t.Errorf("of two that are as strict the first one's profile counts: %+v", got)
	}
}

// TestProposedIsNotSigned: what is only proposed is for people to commit, and does not say that it is ours.
func TestProposedIsNotSigned(t *testing.T) {
	for mode, want := range map[Mode]bool{Observe: false, Require: false, Provision: true} {
		p := Make(two(), Settings{Default: Setting{Mode: mode, Profile: Profile{Name: "default", Parameters: map[string]string{"deployment": "{}"}}}}, nil)
		for _, manifest := range []map[string]any{p.Waypoints[0].Manifest, p.Waypoints[0].Parameters} {
			if got := decode(manifest).Labels[ManagedByLabel] == ManagedBy; got != want {
				t.Errorf("%s: signed %v", mode, got)
			}
		}
	}
}

// TestIngress: ingress gateways are sent through a waypoint only where no policy there says by identity who gets in.
func TestIngress(t *testing.T) {
	settings := Settings{Default: Setting{Profile: Profile{Ingress: true}}}
	p := Make(two(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: who, namespace: shop}, spec: {targetRefs: [{group: "", kind: Service, name: cart}], rules: [{from: [{source: {namespaces: [front]}}]}]}}`), settings, nil)
	for _, l := range p.Labels {
		if want := l.On.Name == "pay"; l.Ingress != want {
			t.Errorf("%s: ingress %v", l.On, l.Ingress)
		}
	}
	if !slices.ContainsFunc(p.Notices, func(n Notice) bool { return n.Class == ClassIngress && n.On.Namespace == "shop" }) {
		t.Errorf("nobody is told: %v", p.Notices)
	}
}

// TestParametersOfEach: each waypoint has a ConfigMap of its own, also where names are as long as names can be.
func TestParametersOfEach(t *testing.T) {
	long := strings.Repeat("a", maxName)
	seen := map[string]bool{}
	for _, name := range []string{"waypoint", "waypoint-2", "waypoint-parameters", long, long[1:] + "b", long[1:] + "c"} {
		w := Waypoint{Namespace: "shop", Name: name, profile: Profile{Parameters: map[string]string{"deployment": "{}"}}}
		m := parametersManifest(&w)["metadata"].(map[string]any)["name"].(string)
		ref := gatewayManifest(&w)["spec"].(map[string]any)["infrastructure"].(map[string]any)["parametersRef"].(map[string]any)["name"]
		if seen[m] || len(m) > maxName || ref != m {
			t.Errorf("Gateway %s has ConfigMap %s, and refers to %s", name, m, ref)
		}
		seen[m] = true
	}
}
