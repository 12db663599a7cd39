package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestNotPlanned: of what may be helped by a waypoint and gets none it is said why; of what gets one, or is not helped by any, nothing.
func TestNotPlanned(t *testing.T) {
	const (
		ambient  = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}`
		other    = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: other}}}`
		sidecars = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio-injection: enabled}}}`
		outside  = `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`
		pods     = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
		cart     = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		asking   = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: wp}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		abroad   = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: wp, istio.io/use-waypoint-namespace: edge}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		edge     = `{apiVersion: v1, kind: Namespace, metadata: {name: edge}}`
		headless = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {clusterIP: None, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		gateway  = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: wp, namespace: shop}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}}`
		foreign  = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: wp, namespace: shop}, spec: {gatewayClassName: istio-agentgateway-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}}`
		atCart   = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: cart}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
		atWP     = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7, namespace: shop}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: wp}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
		route    = `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: vs, namespace: shop}, spec: {hosts: [cart], http: [{route: [{destination: {host: cart}}]}]}}`
		selected = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
	)
	for name, tc := range map[string]struct {
		objects []string
		want    []string
	}{
		"a need":                     {[]string{ambient, pods, cart, atCart}, nil},
		"a name that is none":        {[]string{ambient, strings.Replace(atWP, "name: wp", `name: ""`, 1)}, nil},
		"nothing is shown behind it": {[]string{ambient, cart, atCart}, nil},
		"no waypoint helps it":       {[]string{ambient, pods, cart, selected}, nil},
		"nor one that is headless":   {[]string{ambient, pods, headless, atCart}, nil},
		"its Namespace is not shown": {[]string{pods, cart, atCart},
			[]string{"it cannot be judged: Namespace shop is not in the input, so nobody can tell which waypoint Service shop/cart has. Add it, or use --live."}},
		"nor whether its pods are in ambient mode": {[]string{edge, pods, abroad, atCart},
			[]string{"nobody can tell whether anything behind Service shop/cart is in ambient mode, as Namespace shop is not in the input. Add it, or use --live or --assume-ambient."}},
		"its pods have sidecars": {[]string{sidecars, pods, cart, atCart},
			[]string{"the pods behind Service shop/cart have sidecars, which carry out no policy that names it, and callers with sidecars pass no waypoint. Bind the policy to the pods by a selector, or move them to ambient mode."}},
		"sidecars carry it out": {[]string{sidecars, pods, cart, route}, nil},
		"its pods are in no mesh": {[]string{outside, pods, cart, atCart},
			[]string{"nothing behind Service shop/cart is in ambient mode, and only callers that are would pass a waypoint. Enrol the pods with label istio.io/dataplane-mode=ambient, or make the waypoint and its label yourself if it is meant for callers in ambient mode."}},
		"nothing asks for the Gateway": {[]string{ambient, pods, cart, atWP},
			[]string{"there is no Gateway shop/wp, and nothing asks for it as a waypoint, so it may be an ingress gateway. Give label istio.io/use-waypoint to what it is to serve, or correct the name."}},
		"something does":              {[]string{ambient, pods, asking, atWP}, nil},
		"the Gateway is given a load": {[]string{ambient, pods, cart, gateway, atWP}, nil},
		"there is none for it": {[]string{ambient, pods, headless, gateway, atWP},
			[]string{"nothing is bound to Gateway shop/wp, and label istio.io/use-waypoint on Namespace shop would bring it no calls: it is for traffic of type service. Have it serve what is there, or bind something to it."}},
		"the Namespace asks for another": {[]string{other, pods, cart, gateway, atWP},
			[]string{"nothing is bound to Gateway shop/wp, and Namespace shop has label istio.io/use-waypoint=other. Give the label to the Services that it is to serve."}},
		"it is no waypoint of Istio's": {[]string{ambient, pods, cart, foreign, atWP}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []*mesh.Object
			for _, text := range tc.objects {
				objects = append(objects, parse(text))
			}
			view := policies.NewView(mesh.New(mesh.Options{}, objects...))
			var got []string
			for _, u := range NotPlanned(view) {
				got = append(got, u.Why)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if p := Make(view, Settings{}, nil); len(got) > 0 && !p.Nothing() {
				t.Errorf("it is planned all the same: %v", p.Waypoints)
			}
		})
	}
}
