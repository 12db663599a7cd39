package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// These are what people say of a client at the pods of a Service.
const (
	letsInDev    = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: allow, namespace: shop}, spec: {action: ALLOW, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {principals: [cluster.local/ns/dev/sa/dev]}}]}]}}`
	keepsOutDev  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: deny, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: theirs}}, rules: [{from: [{source: {principals: [cluster.local/ns/dev/sa/dev]}}]}]}}`
	keepsAllBut  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: except, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {notPrincipals: [cluster.local/ns/dev/sa/dev]}}]}]}}`
	labelledSvc  = `{apiVersion: v1, kind: Service, metadata: {name: theirs, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}, spec: {clusterIP: 10.96.0.12, selector: {app: theirs}, ports: [{name: http, port: 80}]}}`
	twinOfAllow  = "waywarden-twin-allow.cart"
	twinOfDenied = "waywarden-twin-deny.theirs"
)

func admissions(p Progress) bool {
	return slices.ContainsFunc(p.Steps(), func(s Step) bool { return s.Row == MakeAdmission })
}

// TestAdmissionAfterTwinElsewhere: while a Service moves, no waypoint is let in at its pods before every proxy knows the twin, which is
// written with the waypoint to which the Service goes.
func TestAdmissionAfterTwinElsewhere(t *testing.T) {
	s, managed := done(t, podsOf("cart"))
	s = s.With(annotated(s.Get(mesh.Gateway, "shop", "waypoint"), MigrateAnnotation, "waypoint-b")).With(parse(letsInDev))
	twin := RefOf(mesh.AuthorizationPolicy, "shop", twinOfAllow)
	refused := func(e *Evidence) { e.Refused = map[mesh.Ref]string{twin: "quota"} }
	if p := Next(worldOf(s, managed, onlyShop, refused)); admissions(p) || !strings.Contains(strings.Join(says(p), "\n"), "refused it: quota") {
		t.Errorf("its twin is refused: %q", says(p))
	}
	written := false
	for range 10 {
		p := Next(worldOf(s, managed, onlyShop, func(e *Evidence) { e.Written = map[mesh.Ref]time.Time{twin: noon} }))
		if admissions(p) {
			t.Fatalf("the waypoint is let in before the twin is known: %q", says(p))
		}
		for _, step := range p.Steps() {
			written = written || step.Object == twin
			s, managed = taken(s, managed, step)
		}
	}
	if p := Next(worldOf(s, managed, onlyShop, nil)); !written || !admissions(p) {
		t.Errorf("the twin is known: %q", says(p))
	}
}

// TestRefusedTwin: a waypoint that serves is not let in at pods while the API server refuses what is to be said of clients there.
func TestRefusedTwin(t *testing.T) {
	s, managed := done(t, podsOf("cart"))
	s = s.With(parse(letsInDev))
	for range 3 {
		p := Next(worldOf(s, managed, onlyShop, func(e *Evidence) {
			e.Refused = map[mesh.Ref]string{RefOf(mesh.AuthorizationPolicy, "shop", twinOfAllow): "quota"}
		}))
		if admissions(p) || !strings.Contains(strings.Join(says(p), "\n"), "stopped make-twin: the API server refused it: quota") {
			t.Fatalf("%q", says(p))
		}
		for _, step := range p.Steps() {
			s, managed = taken(s, managed, step)
		}
	}
}

// TestAskedForKeepsItsTwins: what is said of clients of a Service that somebody else has bound to a waypoint of ours stays said there when
// nothing needs the waypoint any more.
func TestAskedForKeepsItsTwins(t *testing.T) {
	s, managed := done(t, labelledSvc, podsOf("theirs"), keepsOutDev)
	if s.Get(mesh.AuthorizationPolicy, "shop", twinOfDenied) == nil {
		t.Fatal("there is no twin")
	}
	ns := s.Get(mesh.Namespace, "", "shop") // and of which somebody has taken our label off
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7")).With(labelled(ns, nil, label.IoIstioUseWaypoint.Name))
	delete(managed, refOf(ns))
	if rows, left := toTheEnd(t, s, managed, onlyShop); left[RefOf(mesh.AuthorizationPolicy, "shop", twinOfDenied)] == nil {
		t.Errorf("the twin goes: %q", rows)
	}
}

// TestBlockedStaysInForce: what a waypoint has in force stays so where another profile asks for another waypoint, to which its Service must
// not be bound.
func TestBlockedStaysInForce(t *testing.T) {
	s, managed := done(t, podsOf("cart"))
	each := Settings{Namespaces: map[string]Setting{"shop": onlyShop.Namespaces["shop"]}}
	shop := each.Namespaces["shop"]
	shop.Profile.Granularity = PerService
	each.Namespaces["shop"] = shop
	rows, left := toTheEnd(t, s.With(parse(keepsAllBut)), managed, each)
	if left[RefOf(mesh.Gateway, "shop", "waypoint")] == nil || slices.Contains(rows, string(RemoveBinding)) {
		t.Errorf("the waypoint goes: %q", rows)
	}
}

// TestCopyKeepsItsWaypoint: a waypoint at which a copy of ours puts in force what people say of the one before it does not go because nothing
// else needs it.
func TestCopyKeepsItsWaypoint(t *testing.T) {
	s, managed := done(t, other, atGate)
	s = s.With(annotated(s.Get(mesh.Gateway, "shop", "waypoint"), MigrateAnnotation, "waypoint-b"))
	_, s, managed = journey(t, s, managed, func() Settings { return onlyShop }, nil)
	anew := Settings{Namespaces: map[string]Setting{"shop": onlyShop.Namespaces["shop"]}}
	shop := anew.Namespaces["shop"]
	shop.Profile.GatewayClassName = "other"
	anew.Namespaces["shop"] = shop
	for range 8 { // until the one of the other class is made
		if s.Get(mesh.Gateway, "shop", "waypoint-2") != nil {
			break
		}
		s, managed = taken(s, managed, Next(worldOf(s, managed, anew, nil)).Steps()[0])
	}
	rows, left := toTheEnd(t, s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7")), managed, anew)
	if left[RefOf(mesh.Gateway, "shop", "waypoint-b")] == nil && slices.Contains(rows, string(RemoveBinding)) {
		t.Errorf("what names the waypoint is in force nowhere: %q", rows)
	}
}

// TestRefusedTwinKeepsTheOther: what a twin says stays said where the one that is to take its place is refused.
func TestRefusedTwinKeepsTheOther(t *testing.T) {
	const nobody = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: nobody, namespace: shop}, spec: {action: ALLOW, selector: {matchLabels: {app: cart}}}}`
	s, managed := done(t, podsOf("cart"), nobody)
	s = s.With(parse(letsInDev)).Without(s.Get(mesh.AuthorizationPolicy, "shop", "nobody"))
	before := len(s.List(mesh.AuthorizationPolicy, "shop"))
	for range 5 {
		p := Next(worldOf(s, managed, onlyShop, func(e *Evidence) {
			e.Refused = map[mesh.Ref]string{RefOf(mesh.AuthorizationPolicy, "shop", twinOfAllow): "quota"}
		}))
		for _, step := range p.Steps() {
			s, managed = taken(s, managed, step)
		}
	}
	if got := len(s.List(mesh.AuthorizationPolicy, "shop")); got < before {
		t.Errorf("of %d policies %d are left", before, got)
	}
}

// guarded is the mesh of two() with a guard over cart, and its settings.
func guarded(t *testing.T) (*mesh.Snapshot, Managed, Settings) {
	t.Helper()
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Bypass: Guard}}}
	s, managed := two(podsOf("cart")).Snapshot, Managed{}
	for range 10 {
		for _, step := range Next(worldOf(s, managed, settings, nil)).Steps() {
			s, managed = taken(s, managed, step)
		}
	}
	if find(s, guardOf(RefOf(mesh.Service, "shop", "cart"))) == nil {
		t.Fatal("no guard was set")
	}
	return s, managed, settings
}

// TestRefusedGuard: what is guarded neither moves to a waypoint that its guard does not let in, nor is it released from under it, while the
// API server refuses to change the guard.
func TestRefusedGuard(t *testing.T) {
	guard := guardOf(RefOf(mesh.Service, "shop", "cart"))
	refused := func(e *Evidence) { e.Refused = map[mesh.Ref]string{guard: "a webhook"} }
	s, managed, settings := guarded(t)
	s = s.With(annotated(s.Get(mesh.Gateway, "shop", "waypoint"), MigrateAnnotation, "waypoint-b"))
	widened, owned := s, managed
	for range 10 {
		p := Next(worldOf(s, managed, settings, refused))
		for _, step := range p.Steps() {
			if step.Row == MakeBinding {
				t.Fatalf("it moves: %q", says(p))
			}
			s, managed = taken(s, managed, step)
		}
	}
	for range 10 {
		for _, step := range Next(worldOf(widened, owned, settings, nil)).Steps() {
			if step.Row != MakeBinding {
				widened, owned = taken(widened, owned, step)
			}
		}
	}
	widened = widened.Without(widened.Get(mesh.AuthorizationPolicy, "shop", "l7"))
	now := noon
	for range 10 {
		p := Next(later(worldOf(widened, owned, settings, func(e *Evidence) { refused(e); e.Acknowledged = now }), now))
		for _, step := range p.Steps() {
			if step.Row == RemoveBinding {
				t.Fatalf("it is released: %q", says(p))
			}
			widened, owned = taken(widened, owned, step)
		}
		now = now.Add(2 * time.Hour)
	}
}
