package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// leavers is the mesh of sharing, in which namespaces have other settings from time to time.
type leavers struct {
	*testing.T
	s        *mesh.Snapshot
	managed  Managed
	settings Settings
	open     bool // whether a connection is open through each waypoint
	before   func()
}

func leavingShared(t *testing.T) *leavers {
	l := &leavers{T: t, open: true, before: func() {}}
	l.s, l.managed, l.settings = sharing(t)
	return l
}

// is has a namespace a setting, and lets everything come to rest: as if whoever leads were killed after each write, which all
// that is known is computed anew for.
func (l *leavers) is(ns string, setting Setting) {
	l.Helper()
	l.settings.Namespaces[ns] = setting
	l.rest()
}

func (l *leavers) rest() {
	l.Helper()
	for range 60 {
		steps := Next(worldOf(l.s, l.managed, l.settings, func(e *Evidence) {
			e.Acknowledged = noon.Add(time.Second)
			for gw := range l.s.All(mesh.Gateway) {
				serving := Serving{Ready: true, Counted: true}
				if l.open {
					serving.Connections = 1
				}
				e.Waypoints[refOf(gw)] = serving
			}
		})).Steps()
		if len(steps) == 0 {
			return
		}
		l.s, l.managed = taken(l.s, l.managed, steps[0])
		l.before()
	}
	l.Fatal("it does not come to rest")
}

// write stores objects of people, and delete deletes some.
func (l *leavers) write(texts ...string) {
	for _, text := range texts {
		l.s = l.s.With(parse(text))
	}
}

func (l *leavers) delete(kind mesh.Kind, ns, name string) {
	l.s = l.s.Without(l.s.Get(kind, ns, name))
}

// guard is whom the guard of pay/cart lets in, nil where there is none.
func (l *leavers) guard() []string {
	guard := l.s.Get(mesh.AuthorizationPolicy, "pay", guardName("cart"))
	if guard == nil {
		return nil
	}
	return guard.Spec.(*mesh.AuthorizationPolicySpec).Rules[0].From[0].Source.NotPrincipals
}

const l7Of = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7, namespace: NS}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: cart}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`

// TestGuardAnew: a guard that comes anew lets in the waypoints that its Service has left, as long as they are there, whatever came and
// went since: they may have connections open.
func TestGuardAnew(t *testing.T) {
	own := Setting{Mode: Provision, Bypass: Guard, Profile: Profile{Name: "own"}}
	open, each := own, own
	open.Bypass = Open
	each.Profile.Granularity = PerService
	const edge, pay = "cluster.local/ns/edge/sa/waypoint", "cluster.local/ns/pay/sa/waypoint"
	for name, tc := range map[string]struct {
		happens func(*leavers)
		want    []string
	}{
		"the waypoint drained, and others need it again": {func(l *leavers) {
			l.delete(mesh.AuthorizationPolicy, "pay", "l7")
			l.delete(mesh.AuthorizationPolicy, "shop", "l7")
			l.rest()
			l.write(strings.Replace(l7Of, "NS", "shop", 1))
			l.rest()
			l.write(strings.Replace(l7Of, "NS", "pay", 1))
			l.is("pay", own)
		}, []string{edge, pay}},
		"it drained, and is needed again at once": {func(l *leavers) {
			l.delete(mesh.AuthorizationPolicy, "pay", "l7")
			l.delete(mesh.AuthorizationPolicy, "shop", "l7")
			l.rest()
			l.write(strings.Replace(l7Of, "NS", "shop", 1), strings.Replace(l7Of, "NS", "pay", 1))
			l.is("pay", own)
		}, []string{edge, pay}},
		"the guard was switched off and on": {func(l *leavers) {
			l.is("pay", own)
			l.is("pay", open)
			l.is("pay", own)
		}, []string{edge, pay}},
		"there was none when it moved": {func(l *leavers) {
			l.is("pay", open)
			l.is("pay", own)
		}, []string{edge, pay}},
		"it moved twice": {func(l *leavers) {
			l.is("pay", open)
			l.is("pay", Setting{Mode: Provision, Profile: each.Profile})
			l.is("pay", each)
		}, []string{edge, "cluster.local/ns/pay/sa/cart-waypoint", pay}},
		"another Service of the namespace keeps the waypoint": {func(l *leavers) {
			l.is("pay", open)
			l.s = l.s.With(labelled(l.s.Get(mesh.Service, "pay", "web"), map[string]string{label.IoIstioUseWaypoint.Name: "waypoint"}))
			l.write(strings.NewReplacer("NS", "pay", "name: l7", "name: l7-web", "name: cart", "name: web").Replace(l7Of))
			l.is("pay", Setting{Mode: Provision, Profile: each.Profile})
			if w := l.s.Get(mesh.Gateway, "pay", "waypoint"); w == nil || w.Annotations[DrainingSinceAnnotation] != "" {
				l.Fatal("waypoint pay/waypoint does not go on")
			}
			l.is("pay", each)
		}, []string{edge, "cluster.local/ns/pay/sa/cart-waypoint", pay}},
		"its owner knows that nothing is open": {func(l *leavers) {
			l.is("pay", own)
			l.s = l.s.With(annotated(l.s.Get(mesh.Namespace, "", "pay"), LeftAnnotation, ""))
			l.rest()
		}, []string{pay}},
		"it comes back": {func(l *leavers) {
			shared := l.settings.Namespaces["pay"]
			l.is("pay", open)
			l.is("pay", shared)
		}, []string{edge, pay}},
	} {
		t.Run(name, func(t *testing.T) {
			l := leavingShared(t)
			tc.happens(l)
			if diff := cmp.Diff(tc.want, l.guard()); diff != "" {
				t.Errorf("the guard lets in (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLeftIsNoted: at no moment is a Service elsewhere than at a waypoint of ours to which it was bound, and that is there, without it
// being written down; and nothing of that stays when the waypoint is gone.
func TestLeftIsNoted(t *testing.T) {
	l := leavingShared(t)
	namespace := func() *mesh.Object { return l.s.Get(mesh.Namespace, "", "pay") }
	l.before = func() {
		bound := l.s.Binding(l.s.Get(mesh.Service, "pay", "cart")).Gateway
		there := l.s.Get(mesh.Gateway, "edge", "waypoint") != nil
		if noted := slices.Contains(leftBy(l.s, l.managed, namespace()), "edge/waypoint"); noted != (there && (bound == nil || bound.Namespace != "edge")) {
			t.Errorf("bound to %v, edge/waypoint is there: %v, and noted: %v", bound, there, noted)
		}
	}
	l.is("pay", Setting{Mode: Provision, Bypass: Guard, Profile: Profile{Name: "own"}})
	l.delete(mesh.AuthorizationPolicy, "pay", "l7")
	l.rest()
	l.write(strings.Replace(l7Of, "NS", "pay", 1))
	l.rest()
	if got, want := l.guard(), []string{"cluster.local/ns/edge/sa/waypoint", "cluster.local/ns/pay/sa/waypoint"}; !slices.Equal(got, want) {
		t.Errorf("the guard lets in %v", got)
	}
	l.delete(mesh.AuthorizationPolicy, "shop", "l7")
	l.open = false
	l.rest()
	if got, want := l.guard(), []string{"cluster.local/ns/pay/sa/waypoint"}; !slices.Equal(got, want) || l.s.Get(mesh.Gateway, "edge", "waypoint") != nil {
		t.Errorf("when waypoint edge/waypoint is gone the guard lets in %v", got)
	}
	if left := namespace().Annotations[LeftAnnotation]; left != "" || namespace().Labels[label.IoIstioUseWaypoint.Name] == "" {
		t.Errorf("on its Namespace is left: %q, beside %v", left, namespace().Labels)
	}
	l.delete(mesh.AuthorizationPolicy, "pay", "l7")
	l.rest()
	for ref := range l.managed {
		t.Errorf("%s is left", ref)
	}
}

// TestTwinAnew: what is said of clients after a Service has left a waypoint is said as long as that waypoint is there.
func TestTwinAnew(t *testing.T) {
	l := leavingShared(t)
	l.is("pay", Setting{Mode: Provision, Profile: Profile{Name: "own"}})
	l.write(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: late, namespace: pay}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {namespaces: [dev]}}]}]}}`)
	l.rest()
	l.delete(mesh.AuthorizationPolicy, "pay", "l7")
	l.open = false
	l.rest()
	if l.s.Get(mesh.Gateway, "pay", "waypoint") != nil {
		t.Fatal("waypoint pay/waypoint is not removed")
	}
	if twin := l.s.Get(mesh.AuthorizationPolicy, "pay", "waywarden-twin-late.cart"); twin == nil || twin.Annotations[WaypointAnnotation] != "edge/waypoint" {
		t.Errorf("the twin: %v", twin)
	}
}

// TestLeftIsOfOurs: neither what people write on a Namespace, nor a Gateway that looks like ours, lets anybody in but waypoints of ours
// that the namespace itself says it has left.
func TestLeftIsOfOurs(t *testing.T) {
	const gateway = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME, namespace: dev, labels: {app.kubernetes.io/managed-by: waywarden}, annotations: {waywarden.dev/profile: default, waywarden.dev/draining-since: "2026-01-01T00:00:00Z"}}, spec: {gatewayClassName: CLASS, listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}]}}`
	for name, tc := range map[string]struct {
		class  string
		wrote  bool   // our field manager wrote the Gateway
		note   string // on Namespace pay
		letsIn bool
	}{
		"somebody else's":             {class: "istio-waypoint", note: "dev/theirs"},
		"one that looks like ours":    {class: "istio-waypoint", wrote: true},
		"no waypoint":                 {class: "istio", wrote: true, note: "dev/theirs"},
		"no name":                     {class: "istio-waypoint", wrote: true, note: "theirs,/,dev/"},
		"ours, and it says so itself": {class: "istio-waypoint", wrote: true, note: "dev/theirs", letsIn: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := leavingShared(t)
			l.write(`{apiVersion: v1, kind: Namespace, metadata: {name: dev}}`, strings.NewReplacer("NAME", "theirs", "CLASS", tc.class).Replace(gateway))
			if tc.wrote {
				l.managed[RefOf(mesh.Gateway, "dev", "theirs")] = []string{ManagedByLabel}
			}
			l.s = l.s.With(annotated(l.s.Get(mesh.Namespace, "", "pay"), LeftAnnotation, tc.note))
			p := Make(worldOf(l.s, l.managed, l.settings, nil).View, l.settings, l.managed)
			i := slices.IndexFunc(p.Policies, func(own Policy) bool { return own.Ref() == guardOf(RefOf(mesh.Service, "pay", "cart")) })
			if got := slices.Contains(guardedBut(p.Policies[i]), "cluster.local/ns/dev/sa/theirs"); got != tc.letsIn {
				t.Errorf("it is let in: %v", got)
			}
		})
	}
}
