package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// sharing is the mesh in which namespaces shop and pay share a waypoint in namespace edge, and guards are asked for.
func sharing(t *testing.T) (*mesh.Snapshot, Managed, Settings) {
	t.Helper()
	const pods = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: NS}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
	const allow = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: who, namespace: pay}, spec: {selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {namespaces: [front]}}]}]}}`
	shared := Setting{Mode: Provision, Bypass: Guard, Profile: Profile{Name: "default", Granularity: Shared, SharedNamespace: "edge"}}
	settings := Settings{Namespaces: map[string]Setting{"shop": shared, "edge": shared, "pay": shared}}
	s, managed := two(strings.Replace(pods, "NS", "shop", 1), strings.Replace(pods, "NS", "pay", 1), allow).Snapshot, Managed{}
	for range 40 {
		steps := Next(worldOf(s, managed, settings, nil)).Steps()
		if len(steps) == 0 {
			return s, managed, settings
		}
		s, managed = taken(s, managed, steps[0])
	}
	t.Fatal("it does not come to rest")
	return nil, nil, Settings{}
}

// TestLeavesShared: a namespace that gets a waypoint of its own is let attach to the shared one until its label has moved and every
// proxy knows; at its pods both waypoints are let in, by policies of different names.
func TestLeavesShared(t *testing.T) {
	s, managed, settings := sharing(t)
	settings.Namespaces["pay"] = Setting{Mode: Provision, Bypass: Guard, Profile: Profile{Name: "own"}}
	pay := RefOf(mesh.Namespace, "", "pay")
	attached := func() bool { return slices.Contains(letIn(s.Get(mesh.Gateway, "edge", "waypoint")), "pay") }
	// moved is whether the label has; knows, whether every proxy knows that.
	moved, knows := false, false
	for range 40 {
		steps := Next(worldOf(s, managed, settings, func(e *Evidence) {
			if moved && !knows {
				e.Written = map[mesh.Ref]time.Time{pay: noon}
			}
		})).Steps()
		if len(steps) == 0 && moved && !knows {
			knows = true
			continue
		}
		if len(steps) == 0 {
			break
		}
		s, managed = taken(s, managed, steps[0])
		moved = find(s, pay).Labels[label.IoIstioUseWaypointNamespace.Name] == ""
		if !attached() && !knows {
			t.Fatalf("%s %s: namespace pay is let attach no more, moved: %v", steps[0].Row, steps[0].Object, moved)
		}
	}
	if !knows || attached() {
		t.Errorf("namespace pay has left: %v, and is let attach: %v", knows, attached())
	}
	guard := find(s, guardOf(RefOf(mesh.Service, "pay", "cart")))
	if guard == nil {
		t.Fatal("there is no guard")
	}
	if got, want := guard.Spec.(*mesh.AuthorizationPolicySpec).Rules[0].From[0].Source.NotPrincipals, []string{"cluster.local/ns/edge/sa/waypoint", "cluster.local/ns/pay/sa/waypoint"}; !slices.Equal(got, want) {
		t.Errorf("the guard lets in %v", got)
	}
	for _, name := range []string{"waywarden-admit-edge.waypoint.cart", "waywarden-admit-waypoint.cart"} {
		if s.Get(mesh.AuthorizationPolicy, "pay", name) == nil {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestLeftAllowIsTold: an ALLOW of ours for a waypoint that its Service has left, and that others use, is told of where it is the last
// over the pods: nobody gets in.
func TestLeftAllowIsTold(t *testing.T) {
	s, managed, settings := sharing(t)
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "who"))
	s = s.With(labelled(s.Get(mesh.Service, "pay", "cart"), map[string]string{label.IoIstioUseWaypoint.Name: "none"}))
	for range 10 {
		steps := Next(worldOf(s, managed, settings, nil)).Steps()
		if len(steps) == 0 {
			break
		}
		s, managed = taken(s, managed, steps[0])
	}
	got := says(Next(worldOf(s, managed, settings, nil)))
	if !slices.ContainsFunc(got, func(text string) bool {
		return strings.Contains(text, "stopped remove-admission: AuthorizationPolicy pay/waywarden-admit-edge.waypoint.cart stays: it is the last ALLOW")
	}) {
		t.Errorf("got %q", got)
	}
}

// rest takes the steps of a mesh until none is left, and calls after each; lag is what is not known of proxies.
func rest(t *testing.T, s *mesh.Snapshot, managed Managed, settings Settings, lag func(*mesh.Snapshot, *Evidence), after func(*mesh.Snapshot, Step)) (*mesh.Snapshot, Managed, Progress) {
	t.Helper()
	for range 60 {
		p := Next(worldOf(s, managed, settings, func(e *Evidence) { lag(s, e) }))
		steps := p.Steps()
		if len(steps) == 0 {
			return s, managed, p
		}
		s, managed = taken(s, managed, steps[0])
		after(s, steps[0])
	}
	t.Fatal("it does not come to rest")
	return nil, nil, nil
}

// TestJoinsWhileAnotherLeaves: while a ztunnel does not know yet that a namespace has left a shared waypoint, another one joins, and the
// profile changes: neither waits, nothing is unbound on the way, and who leaves is let attach until it is known.
func TestJoinsWhileAnotherLeaves(t *testing.T) {
	const pods = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: NS}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
	shared := Setting{Mode: Provision, Profile: Profile{Name: "default", Granularity: Shared, SharedNamespace: "edge"}}
	own := Setting{Mode: Provision, Profile: Profile{Name: "own"}}
	asking := func(shop, pay Setting) Settings {
		return Settings{Namespaces: map[string]Setting{"shop": shop, "edge": shared, "pay": pay}}
	}
	bound := map[string]bool{}
	watch := func(s *mesh.Snapshot, step Step) {
		for _, ns := range []string{"shop", "pay"} {
			is := s.Binding(s.Get(mesh.Service, ns, "cart")).Bound
			if bound[ns] && !is {
				t.Fatalf("%s %s unbinds %s/cart", step.Row, step.Object, ns)
			}
			bound[ns] = is
		}
	}
	nobody := func(*mesh.Snapshot, *Evidence) {}
	left := func(s *mesh.Snapshot, e *Evidence) {
		if pay := RefOf(mesh.Namespace, "", "pay"); find(s, pay).Labels[label.IoIstioUseWaypointNamespace.Name] == "" {
			e.Written = map[mesh.Ref]time.Time{pay: noon}
		}
	}
	s, managed, _ := rest(t, two(strings.Replace(pods, "NS", "shop", 1), strings.Replace(pods, "NS", "pay", 1)).Snapshot, Managed{}, asking(own, shared), nobody, watch)
	s, managed, _ = rest(t, s, managed, asking(own, own), left, watch)

	shared.Profile.Labels = map[string]string{"team": "edge"}
	s, managed, p := rest(t, s, managed, asking(shared, own), left, watch)
	gw := s.Get(mesh.Gateway, "edge", "waypoint")
	if got, want := letIn(gw), []string{"edge", "pay", "shop"}; !slices.Equal(got, want) {
		t.Errorf("before it is known that namespace pay has left, these may attach: %v", got)
	}
	if s.Binding(s.Get(mesh.Service, "shop", "cart")).Gateway != gw {
		t.Errorf("shop/cart does not share the waypoint: %q", says(p))
	}
	if infrastructure, _ := gw.Content()["spec"].(map[string]any)["infrastructure"].(map[string]any); infrastructure == nil {
		t.Error("the Gateway is not as its profile says")
	}
	if got := says(p); !slices.Contains(got, "edge/waypoint: waits make-binding: it has left the waypoint, and its namespace is let attach until every proxy knows") {
		t.Errorf("got %q", got)
	}
	s, _, p = rest(t, s, managed, asking(shared, own), nobody, watch)
	if got, want := letIn(s.Get(mesh.Gateway, "edge", "waypoint")), []string{"edge", "shop"}; !slices.Equal(got, want) {
		t.Errorf("when it is known, these may attach: %v (%q)", got, says(p))
	}
}

// TestListenerKeepsOut: what is bound does not move to a waypoint that does not let its namespace attach, and nothing else is labelled
// for one either.
func TestListenerKeepsOut(t *testing.T) {
	const b = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: b, namespace: edge}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: FROM, selector: {matchLabels: {kubernetes.io/metadata.name: pay}}}}}]}, status: {addresses: [{type: Hostname, value: b}]}}`
	for name, tc := range map[string]struct {
		from    string
		alone   bool // pay is the only one there before
		says    []string
		blocked string
	}{
		"those who are bound": {from: "Same", says: []string{
			`edge/waypoint: stopped make-binding: waypoint edge/waypoint keeps its place: annotation waywarden.dev/migrate-to is "b", and its listener does not let namespace pay attach, of which something is bound here. Name the namespace in allowedRoutes there.`}},
		"those who do not go there by themselves": {from: "Selector", says: []string{
			`edge/waypoint: stopped make-binding: waypoint edge/waypoint keeps its place: annotation waywarden.dev/migrate-to is "b", and its listener does not let namespace shop attach, of which something is bound here. Name the namespace in allowedRoutes there.`}},
		"one who comes later": {from: "Selector", alone: true, says: []string{"edge/waypoint: waits remove-drain: not every ztunnel has acknowledged that nothing is bound"},
			blocked: "Service shop/cart would not be bound to waypoint edge/b by a label on Namespace shop: no listener of Gateway edge/b lets namespace shop attach. Name the namespace in allowedRoutes of its listener for HBONE."},
	} {
		t.Run(name, func(t *testing.T) {
			s, managed, settings := sharing(t)
			nobody := func(*mesh.Snapshot, *Evidence) {}
			both := settings
			if tc.alone {
				settings = Settings{Namespaces: map[string]Setting{"edge": both.Namespaces["edge"], "pay": both.Namespaces["pay"]}}
				s, managed, _ = rest(t, two().Snapshot, Managed{}, settings, nobody, func(*mesh.Snapshot, Step) {})
			}
			s = s.With(parse(strings.Replace(b, "FROM", tc.from, 1)))
			s = s.With(annotated(s.Get(mesh.Gateway, "edge", "waypoint"), MigrateAnnotation, "b"))
			s, managed, _ = rest(t, s, managed, settings, nobody, func(s *mesh.Snapshot, step Step) {
				if !tc.alone && !s.Binding(s.Get(mesh.Service, "shop", "cart")).Bound || !s.Binding(s.Get(mesh.Service, "pay", "cart")).Bound {
					t.Errorf("%s %s unbinds a Service", step.Row, step.Object)
				}
			})
			w := worldOf(s, managed, both, nil)
			compare(t, Next(w), tc.says...)
			if got := w.Plan.Blocked; (len(got) > 0) != (tc.blocked != "") || len(got) > 0 && got[0].Why != tc.blocked {
				t.Errorf("blocked: %+v", got)
			}
		})
	}
}

// TestTwinOutlasts: a twin stays for a waypoint that its Service has left and that others go on using, when the one that came after is
// removed: connections that are open through it rest on it. It goes with that waypoint.
func TestTwinOutlasts(t *testing.T) {
	s, managed, settings := sharing(t)
	twin := RefOf(mesh.AuthorizationPolicy, "pay", "waywarden-twin-who.cart")
	counted := func(s *mesh.Snapshot, e *Evidence) {
		e.Acknowledged = noon.Add(time.Second)
		for gw := range s.All(mesh.Gateway) {
			e.Waypoints[refOf(gw)] = Serving{Ready: true, Counted: true}
		}
	}
	nothing := func(*mesh.Snapshot, Step) {}
	with := func(s *mesh.Snapshot, step Step) {
		if step.Row == RemoveGateway && find(s, twin) == nil {
			t.Errorf("%s goes before %s", twin, step.Object)
		}
	}
	settings.Namespaces["pay"] = Setting{Mode: Provision, Profile: Profile{Name: "own"}}
	s, managed, _ = rest(t, s, managed, settings, counted, nothing)
	if got := find(s, twin).Annotations[WaypointAnnotation]; got != "pay/waypoint" {
		t.Errorf("the twin is for %s", got)
	}
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "l7"))
	s, managed, _ = rest(t, s, managed, settings, counted, with)
	if s.Get(mesh.Gateway, "pay", "waypoint") != nil {
		t.Error("waypoint pay/waypoint is not removed")
	}
	if o := find(s, twin); o == nil || o.Annotations[WaypointAnnotation] != "edge/waypoint" || o.Annotations[DrainingSinceAnnotation] != "" {
		t.Fatalf("the twin: %v", o)
	}
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7"))
	s, _, p := rest(t, s, managed, settings, counted, nothing)
	if find(s, twin) != nil || s.Get(mesh.Gateway, "edge", "waypoint") != nil {
		t.Errorf("the twin or waypoint edge/waypoint stays: %q", says(p))
	}
}

// TestOnlyOursIsTold: of two ALLOWs of ours that are left alone over pods neither is said to be the last.
func TestOnlyOursIsTold(t *testing.T) {
	s, managed, settings := sharing(t)
	nobody, nothing := func(*mesh.Snapshot, *Evidence) {}, func(*mesh.Snapshot, Step) {}
	settings.Namespaces["pay"] = Setting{Mode: Provision, Profile: Profile{Name: "own"}}
	s, managed, _ = rest(t, s, managed, settings, nobody, nothing)
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "who"))
	_, _, p := rest(t, s, managed, settings, nobody, nothing)
	if got, want := says(p), "edge/waypoint: stopped remove-admission: AuthorizationPolicy pay/waywarden-admit-edge.waypoint.cart stays: over some of its pods there are no other ALLOWs but ours for other waypoints, which let in nobody else. Write an ALLOW of your own, or delete all of ours there if everybody may."; !slices.Contains(got, want) {
		t.Errorf("got %q", got)
	}
}
