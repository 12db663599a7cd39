package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestProposalOrder: what asks for a waypoint already is bound as soon as that is ready, so what has to stand beside it comes before the
// Gateway, also where it is for another Service than the one in question; what is only labelled afterwards, after it.
func TestProposalOrder(t *testing.T) {
	const (
		plain  = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}`
		asks   = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: wp}}}`
		denies = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: evil, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: NAME}}, rules: [{from: [{source: {namespaces: [evil]}}]}]}}`
		wp     = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: wp, namespace: shop}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}, status: {}}`
		asking = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop, labels: {istio.io/use-waypoint: wp}}, spec: {clusterIP: 10.96.0.11, selector: {app: web}, ports: [{name: http, port: 80}]}}`
	)
	service := func(name string) string {
		return fmt.Sprintf(`{apiVersion: v1, kind: Service, metadata: {name: %[1]s, namespace: shop}, spec: {clusterIP: 10.96.0.10, selector: {app: %[1]s}, ports: [{name: http, port: 80}]}}`, name)
	}
	pods := func(name string) string {
		return fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: %[1]s, namespace: shop}, spec: {selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {app: %[1]s}}, spec: {containers: [{name: a, image: a}]}}}}`, name)
	}
	over := func(name string) string { return strings.ReplaceAll(denies, "NAME", name) }
	crowd := []string{asks, service("cart"), pods("cart")}
	for i := range maxBound {
		crowd = append(crowd, service(fmt.Sprintf("s%d", i)))
	}
	for name, tc := range map[string]struct {
		objects []string
		want    []string
	}{
		"it asks for none": {[]string{plain, service("cart"), pods("cart"), over("cart")},
			[]string{"Gateway waypoint", "AuthorizationPolicy waywarden-twin-evil.cart", "Service cart: waypoint"}},
		"its Namespace asks": {[]string{asks, service("cart"), pods("cart"), over("cart")},
			[]string{"AuthorizationPolicy waywarden-twin-evil.cart", "Gateway wp"}},
		"so does another, which is bound with it": {[]string{asks, service("cart"), service("web"), pods("web"), over("web")},
			[]string{"AuthorizationPolicy waywarden-twin-evil.web", "Gateway wp"}},
		"another asks for the one that is there": {[]string{plain, wp, service("cart"), asking, pods("web"), over("web")},
			[]string{"AuthorizationPolicy waywarden-twin-evil.web", "Service cart: wp"}},
		"too many are bound with it": {crowd, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []*mesh.Object
			for _, text := range tc.objects {
				objects = append(objects, parse(text))
			}
			s := mesh.New(mesh.Options{}, objects...)
			var got []string
			for _, manifest := range Proposal(s, s.Get(mesh.Service, "shop", "cart")) {
				o := decode(manifest)
				text := o.Kind.String() + " " + o.Name
				if o.Kind == mesh.Service {
					text += ": " + o.Labels[label.IoIstioUseWaypoint.Name]
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNothing: what has to stand beside a waypoint that somebody else makes is something to apply, though nothing else is.
func TestNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		plan Plan
		want bool
	}{
		"nothing":                 {Plan{}, true},
		"a waypoint that is idle": {Plan{Waypoints: []Waypoint{{Idle: true}}, Labels: []Label{{Kept: true}}}, true},
		"one of somebody else's":  {Plan{Waypoints: []Waypoint{{Existing: true}}}, true},
		"a policy beside it":      {Plan{Waypoints: []Waypoint{{Existing: true}}, Policies: []Policy{{Role: Twin}}}, false},
		"a label":                 {Plan{Labels: []Label{{}}}, false},
		"a waypoint to make":      {Plan{Waypoints: []Waypoint{{}}}, false},
	} {
		if got := tc.plan.Nothing(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
