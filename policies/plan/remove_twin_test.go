package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

const cartPods = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`

// TestTwinWaitsForWhatItsServiceLeft: a twin whose policy is gone goes at once, but for waypoints that its Service may have left and
// through which connections are open. One of another namespace, or of another Service, keeps nothing in force.
func TestTwinWaitsForWhatItsServiceLeft(t *testing.T) {
	const (
		deny  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: evil, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {namespaces: [evil]}}]}]}}`
		goes  = "shop/waypoint: remove-twin Delete AuthorizationPolicy shop/waywarden-twin-evil.cart"
		waits = "shop/waypoint: waits remove-twin: connections through waypoint "
	)
	pay, shop := RefOf(mesh.Gateway, "pay", "waypoint"), RefOf(mesh.Gateway, "shop", "old")
	set := Settings{Default: Setting{Mode: Provision, Profile: Profile{Name: "default", RetainFor: time.Hour}}}
	stored, owned := carriedOut(two(cartPods, deny).Snapshot, Make(two(cartPods, deny), set, nil))
	left := func(on *mesh.Object, at string) *mesh.Object { return annotated(on, LeftAnnotation, at) }
	old := func(s *mesh.Snapshot, managed Managed) *mesh.Snapshot {
		managed[shop] = []string{ManagedByLabel}
		content := manifestOf(s.Get(mesh.Gateway, "shop", "waypoint"))
		content["metadata"].(map[string]any)["name"] = shop.Name
		return s.With(decode(content))
	}
	for name, tc := range map[string]struct {
		change func(*mesh.Snapshot, Managed) *mesh.Snapshot
		idle   mesh.Ref // the waypoint through which connections are open
		waits  string   // for which waypoint; "" where the twin goes
	}{
		"none is idle":                     {},
		"one of another namespace is idle": {idle: pay},
		"and shared with others": {idle: pay, change: func(s *mesh.Snapshot, _ Managed) *mesh.Snapshot {
			return s.With(letting(s.Get(mesh.Gateway, "pay", "waypoint"), "edge"))
		}},
		"and shared with its namespace": {idle: pay, waits: "pay/waypoint", change: func(s *mesh.Snapshot, _ Managed) *mesh.Snapshot {
			return s.With(letting(s.Get(mesh.Gateway, "pay", "waypoint"), "edge", "shop"))
		}},
		"and its Namespace has left it": {idle: pay, waits: "pay/waypoint", change: func(s *mesh.Snapshot, _ Managed) *mesh.Snapshot {
			return s.With(left(s.Get(mesh.Namespace, "", "shop"), "pay/waypoint"))
		}},
		"and its Service has left it": {idle: pay, waits: "pay/waypoint", change: func(s *mesh.Snapshot, managed Managed) *mesh.Snapshot {
			svc := annotated(s.Get(mesh.Service, "shop", "cart"), ProfileAnnotation, "default")
			managed[refOf(svc)] = nil
			return s.With(left(svc, "pay/waypoint"))
		}},
		"and another Service has left it": {idle: pay, change: func(s *mesh.Snapshot, managed Managed) *mesh.Snapshot {
			svc := annotated(s.Get(mesh.Service, "shop", "web"), ProfileAnnotation, "default")
			managed[refOf(svc)] = nil
			return s.With(left(svc, "pay/waypoint"))
		}},
		"one of its namespace is not in the plan": {idle: shop, waits: "shop/old", change: old},
	} {
		t.Run(name, func(t *testing.T) {
			s, managed := stored, Managed{}
			for ref, keys := range owned {
				managed[ref] = keys
			}
			for _, ns := range []string{"shop", "pay"} {
				s = s.With(readyGateway(s, ns, "waypoint", "service", ns))
			}
			s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "evil"))
			if tc.idle == pay {
				s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "l7"))
			}
			if tc.change != nil {
				s = tc.change(s, managed)
			}
			got := says(Next(worldOf(s, managed, set, func(e *Evidence) {
				if tc.idle.Name != "" {
					e.Waypoints[tc.idle] = Serving{Ready: true, Counted: true, Connections: 3}
				}
			})))
			want := goes
			if tc.waits != "" {
				want = waits + tc.waits + " may rest on it"
			}
			if !slices.Contains(got, want) {
				t.Errorf("no %q in:\n%s", want, strings.Join(got, "\n"))
			}
		})
	}
}

// TestTwinOutlastsNoWaypointOfAnother: where each Service has a waypoint of its own, one that is idle and still bound keeps in force what is
// said of its own Service, and nothing else.
func TestTwinOutlastsNoWaypointOfAnother(t *testing.T) {
	const (
		deny = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: evil, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {namespaces: [evil]}}]}]}}`
		web  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7-web, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
	)
	set := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Profile: Profile{Name: "default", RetainFor: time.Hour, Granularity: PerService}}}}
	s := two(cartPods, deny, web).Snapshot
	p := Make(policies.NewView(s), set, nil)
	p.Waypoints = slices.DeleteFunc(p.Waypoints, func(w Waypoint) bool { return w.Namespace != "shop" })
	p.Labels = slices.DeleteFunc(p.Labels, func(l Label) bool { return home(l.On) != "shop" })
	s, managed := carriedOut(s, p)
	for _, name := range []string{"cart-waypoint", "web-waypoint"} {
		s = s.With(readyGateway(s, "shop", name, "service", "shop"))
	}
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "evil")).Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7-web"))
	got := says(Next(worldOf(s, managed, set, func(e *Evidence) {
		e.Waypoints[RefOf(mesh.Gateway, "shop", "web-waypoint")] = Serving{Ready: true, Counted: true, Connections: 3}
	})))
	if want := "shop/cart-waypoint: remove-twin Delete AuthorizationPolicy shop/waywarden-twin-evil.cart"; !slices.Contains(got, want) {
		t.Errorf("no %q in:\n%s", want, strings.Join(got, "\n"))
	}
}

// letting is a Gateway whose listener lets other namespaces attach.
func letting(gw *mesh.Object, namespaces ...string) *mesh.Object {
	ns, name, _ := cutKey(gw.Key())
	with := decode(gatewayManifest(&Waypoint{Namespace: ns, Name: name, For: forServices, from: namespaces}))
	out := *gw
	out.Spec = with.Spec
	return &out
}

// TestAllowGoesBesideAnother: an ALLOW that is taken away lets nobody in at the waypoint any more, by no twin, whatever is idle elsewhere.
func TestAllowGoesBesideAnother(t *testing.T) {
	allow := func(name, ns string) string {
		return `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: ` + name + `, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {namespaces: [` + ns + `]}}]}]}}`
	}
	set := Settings{Default: Setting{Mode: Provision, Profile: Profile{Name: "default", RetainFor: time.Hour}}}
	s := two(cartPods, allow("a", "web"), allow("b", "mon")).Snapshot
	s, managed := carriedOut(s, Make(policies.NewView(s), set, nil))
	for _, ns := range []string{"shop", "pay"} {
		s = s.With(readyGateway(s, ns, "waypoint", "service", ns))
	}
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "a")).Without(s.Get(mesh.AuthorizationPolicy, "pay", "l7"))
	busy := func(e *Evidence) {
		e.Waypoints[RefOf(mesh.Gateway, "pay", "waypoint")] = Serving{Ready: true, Counted: true, Connections: 3}
	}
	var at []string
	for range 10 {
		var step *Step
		for _, st := range Next(worldOf(s, managed, set, busy)).Steps() {
			if st.Object.Namespace == "shop" {
				step = &st
			}
		}
		if step == nil {
			break
		}
		s, managed = taken(s, managed, *step)
	}
	for _, o := range s.List(mesh.AuthorizationPolicy, "shop") {
		if managed.Made(o) && Role(o.Annotations[RoleAnnotation]) == Twin {
			for _, r := range o.Spec.(*mesh.AuthorizationPolicySpec).Rules {
				at = append(at, r.From[0].Source.Namespaces...)
			}
		}
	}
	if !slices.Equal(at, []string{"mon"}) {
		t.Errorf("let in at the waypoint: %v", at)
	}
}
