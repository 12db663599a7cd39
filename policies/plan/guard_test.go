package plan

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestGuardIsRefused: where a way to the pods is known that a guard would close there is none, and somebody is told.
func TestGuardIsRefused(t *testing.T) {
	const pods = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Bypass: Guard}}}
	for name, tc := range map[string]struct {
		more []string
		says string // "" where there is a guard
	}{
		"nothing else": {nil, ""},
		"another Service over the pods": {[]string{
			`{apiVersion: v1, kind: Service, metadata: {name: cart-all, namespace: shop, labels: {istio.io/use-waypoint: none}}, spec: {clusterIP: 10.96.0.20, selector: {app: cart}, ports: [{name: http, port: 80}]}}`},
			"Service shop/cart-all is over the same pods and bound to no waypoint"},
		"a headless Service over the pods": {[]string{
			`{apiVersion: v1, kind: Service, metadata: {name: cart-pods, namespace: shop}, spec: {clusterIP: None, selector: {app: cart}, ports: [{name: http, port: 80}]}}`},
			"Service shop/cart-pods is headless"},
		"a NodePort": {[]string{
			`{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {type: NodePort, clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`},
			"is of type NodePort"},
	} {
		t.Run(name, func(t *testing.T) {
			p := Make(two(append(tc.more, pods)...), settings, nil)
			guarded := slices.ContainsFunc(p.Policies, func(own Policy) bool { return own.Ref() == guardOf(RefOf(mesh.Service, "shop", "cart")) })
			told := slices.ContainsFunc(p.Notices, func(n Notice) bool { return n.Class == ClassGuard && strings.Contains(n.Why, tc.says) })
			if guarded != (tc.says == "") || told != (tc.says != "") {
				t.Errorf("guarded %v, told %v: %v", guarded, told, p.Notices)
			}
		})
	}
}

// TestHold: a Service whose owner agrees is closed before anything else is made, and opened to others when its waypoint serves.
func TestHold(t *testing.T) {
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Pending: Guard}}}
	agreed := []string{
		`{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, annotations: {waywarden.dev/hold: "no orders before the rules"}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`,
		`{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`,
	}
	s, managed := two(agreed...).Snapshot, Managed{}
	var rows []string
	for range 10 {
		steps := Next(worldOf(s, managed, settings, nil)).Steps()
		if len(steps) == 0 {
			break
		}
		rows = append(rows, string(steps[0].Row))
		s, managed = taken(s, managed, steps[0])
	}
	if want := "hold make-gateway make-binding remove-guard"; strings.Join(rows, " ") != want {
		t.Errorf("got %v, want %s", rows, want)
	}
	if own := s.List(mesh.AuthorizationPolicy, "shop"); len(own) != 1 {
		t.Errorf("left: %v", own)
	}
	compare(t, Next(worldOf(two(agreed[1]).Snapshot, nil, settings, nil)), "shop/waypoint: make-gateway Apply Gateway shop/waypoint")
}

// TestGuardNamesAllWaypoints: during a move the guard lets in the waypoint that is left and the one that is to come.
func TestGuardNamesAllWaypoints(t *testing.T) {
	pods := `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
	s, managed := done(t, pods)
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Bypass: Guard,
		Profile: Profile{Name: "default", Granularity: PerService}}}}
	p := Make(policies.NewView(s), settings, managed)
	i := slices.IndexFunc(p.Policies, func(own Policy) bool { return own.Role == Guarding && own.For[0].Name == "cart" })
	if i < 0 {
		t.Fatalf("no guard: %v", p.Notices)
	}
	spec := decode(p.Policies[i].Manifest).Spec.(*mesh.AuthorizationPolicySpec)
	want := []string{"cluster.local/ns/shop/sa/cart-waypoint", "cluster.local/ns/shop/sa/waypoint"}
	if got := spec.Rules[0].From[0].Source.NotPrincipals; !slices.Equal(got, want) {
		t.Errorf("lets in %v", got)
	}
}

// TestMoveStopsForGatewayRefs: what names the old Gateway does not follow, so nothing moves.
func TestMoveStopsForGatewayRefs(t *testing.T) {
	s, managed := done(t)
	s = s.With(parse(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: at-gateway, namespace: shop}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`))
	settings := Settings{Namespaces: maps.Clone(onlyShop.Namespaces)}
	setting := settings.Namespaces["shop"]
	setting.Profile.Granularity = PerService
	settings.Namespaces["shop"] = setting
	for range 10 {
		steps := Next(worldOf(s, managed, settings, nil)).Steps()
		if len(steps) == 0 {
			break
		}
		for _, step := range steps {
			s, managed = taken(s, managed, step)
		}
	}
	if got := s.Get(mesh.Service, "shop", "cart").Labels[label.IoIstioUseWaypoint.Name]; got != "" {
		t.Errorf("Service cart has moved to %q", got)
	}
	if got := s.Get(mesh.Namespace, "", "shop").Labels[label.IoIstioUseWaypoint.Name]; got != "waypoint" || s.Get(mesh.Gateway, "shop", "waypoint") == nil {
		t.Errorf("Namespace shop asks for %q", got)
	}
}
