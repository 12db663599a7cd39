package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"istio.io/api/label"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestHeldMoveSaysOneThing: a move that is held, or whose label is refused, says the same however often its Gateway changes, and goes on
// only when every proxy knows the Gateway.
func TestHeldMoveSaysOneThing(t *testing.T) {
	shop, b := RefOf(mesh.Namespace, "", "shop"), RefOf(mesh.Gateway, "shop", "b")
	const unknown = "shop/b: waits make-binding: not every ztunnel has acknowledged its address, and what is bound elsewhere would be called round both"
	changed := func(e *Evidence) { e.Written = map[mesh.Ref]time.Time{b: noon.Add(time.Second)} }
	refused := func(e *Evidence) { e.Refused = map[mesh.Ref]string{shop: "argocd owns metadata.labels"} }
	again := func(e *Evidence) { e.Again = map[mesh.Ref]bool{shop: true} }
	for _, tc := range []struct {
		name, steps string
		taken       int // how many steps
		people      func(*mesh.Snapshot) *mesh.Snapshot
		evidence    []func(*Evidence)
		want        string
	}{
		{"a first label waits", "", 2, nil, []func(*Evidence){changed}, unknown},
		{"a first share waits", "10,50", 2, nil, []func(*Evidence){changed}, unknown},
		{"a refused label", "", 2, nil, []func(*Evidence){changed, refused}, "shop/b: stopped make-binding: the API server refused it: argocd owns metadata.labels"},
		{"a refused share", "10,50", 2, nil, []func(*Evidence){changed, refused}, "shop/b: stopped make-canary: the API server refused it: argocd owns metadata.labels"},
		{"a refused label, when it is tried again", "", 2, nil, []func(*Evidence){changed, refused, again}, unknown},
		{"a share that is held", "10,50", 3, nil, []func(*Evidence){changed}, "shop/b: waits make-canary: 10% of its connections take waypoint b until annotation waywarden.dev/migrate-go of Gateway shop/waypoint is 10"},
		{"a share after which it may go on", "10,50", 3, write("waypoint", GoAnnotation, "10"), []func(*Evidence){changed}, unknown},
		{"a share after which it may go on, refused", "10,50", 3, write("waypoint", GoAnnotation, "10"), []func(*Evidence){changed, refused}, "shop/b: stopped make-canary: the API server refused it: argocd owns metadata.labels"},
		{"the last share", "10", 3, write("waypoint", GoAnnotation, "10"), []func(*Evidence){changed}, unknown},
		{"a share of which the steps are gone", "10,50", 3, write("waypoint", StepsAnnotation, ""), []func(*Evidence){changed}, unknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, managed := done(t)
			s = both(write("waypoint", MigrateAnnotation, "b"), write("waypoint", StepsAnnotation, tc.steps))(s)
			for range tc.taken {
				steps := Next(worldOf(s, managed, onlyShop, nil)).Steps()
				if len(steps) != 1 {
					t.Fatalf("no step: %+v", steps)
				}
				s, managed = taken(s, managed, steps[0])
			}
			if tc.people != nil {
				s = tc.people(s)
			}
			p := Next(worldOf(s, managed, onlyShop, func(e *Evidence) {
				for _, change := range tc.evidence {
					change(e)
				}
			}))
			said := slices.DeleteFunc(says(p), func(line string) bool { return !strings.HasPrefix(line, "shop/b: ") })
			if diff := cmp.Diff([]string{tc.want}, said); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestGoIsOfOneMove: that a move may go on is said on the Gateway that is left. What a profile says of that would hold for each move that
// comes after.
func TestGoIsOfOneMove(t *testing.T) {
	s, managed := done(t)
	s = s.With(parse(other))
	profile := &v1alpha1.WaypointProfile{ObjectMeta: metav1.ObjectMeta{Name: "default", Annotations: map[string]string{StepsAnnotation: "20", GoAnnotation: "100"}}}
	guardrail := &v1alpha1.Guardrail{ObjectMeta: metav1.ObjectMeta{Name: "g"}, Spec: v1alpha1.GuardrailSpec{
		NamespaceSelector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "istio.io/dataplane-mode", Operator: metav1.LabelSelectorOpExists}}},
		Checks:            []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"*"}, Action: v1alpha1.Warn}}, Waypoints: &v1alpha1.GuardrailWaypoints{Mode: "Provision"}}}
	settings := func(class string) Settings {
		profile.Spec.GatewayClassName = class
		out, missing := Rules([]*v1alpha1.Guardrail{guardrail}, []*v1alpha1.WaypointProfile{profile}, s)
		if len(missing) > 0 || out.Of("shop").Mode != Provision {
			t.Fatalf("the Guardrail says nothing: %v", missing)
		}
		return Settings{Namespaces: map[string]Setting{"shop": out.Of("shop")}}
	}
	nobody, nothing := func(*mesh.Snapshot, *Evidence) {}, func(*mesh.Snapshot, Step) {}
	for _, move := range []struct{ class, from, to string }{{"other", "waypoint", "waypoint-2"}, {mesh.WaypointClassName, "waypoint-2", "waypoint-3"}} {
		var p Progress
		s, managed, p = rest(t, s, managed, settings(move.class), nobody, nothing)
		want := "shop/" + move.to + ": waits make-canary: 20% of its connections take waypoint " + move.to + " until annotation waywarden.dev/migrate-go of Gateway shop/" + move.from + " is 20"
		if got := says(p); !slices.Contains(got, want) {
			t.Fatalf("got %q", got)
		}
		s = write(move.from, GoAnnotation, "20")(s)
		s, managed, p = rest(t, s, managed, settings(move.class), nobody, nothing)
		if at := s.Get(mesh.Namespace, "", "shop").Labels[label.IoIstioUseWaypoint.Name]; at != move.to {
			t.Fatalf("it is bound to %s: %q", at, says(p))
		}
		counted := func(_ *mesh.Snapshot, e *Evidence) { e.Acknowledged = noon.Add(time.Second) }
		if s, managed, p = rest(t, s, managed, settings(move.class), counted, nothing); s.Get(mesh.Gateway, "shop", move.from) != nil {
			t.Fatalf("waypoint %s stays: %q", move.from, says(p))
		}
	}
}

// TestForeignLabelsBesideShare: a label of somebody else's that names the namespace of a canary counts beside ours, and so ours says it
// too; and what is elsewhere only by such a label has nothing there that could be shared out, and makes that label none of ours.
func TestForeignLabelsBesideShare(t *testing.T) {
	const edge = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: edge}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}]}, status: {addresses: [{type: Hostname, value: w}]}}`
	for name, tc := range map[string]struct {
		foreign string
		people  func(*mesh.Snapshot) *mesh.Snapshot
		row     Row
		want    map[string]any
	}{
		"of the canary": {label.IoIstioUseWaypointCanaryNamespace.Name, write("waypoint", MigrateAnnotation, "b"), MakeCanary, map[string]any{
			label.IoIstioUseWaypoint.Name: "waypoint", label.IoIstioUseWaypointCanary.Name: "b", label.IoIstioUseWaypointCanaryNamespace.Name: "shop"}},
		"of the waypoint": {label.IoIstioUseWaypointNamespace.Name, func(s *mesh.Snapshot) *mesh.Snapshot { return s }, MakeBinding, map[string]any{
			label.IoIstioUseWaypoint.Name: "waypoint", label.IoIstioUseWaypointNamespace.Name: "shop"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, managed := done(t, edge)
			s = tc.people(s.With(labelled(s.Get(mesh.Namespace, "", "shop"), map[string]string{tc.foreign: "edge"})))
			setting := onlyShop.Namespaces["shop"]
			setting.Profile.Steps = "10"
			settings := Settings{Namespaces: map[string]Setting{"shop": setting}}
			for range 10 {
				steps := Next(worldOf(s, managed, settings, nil)).Steps()
				if len(steps) == 0 {
					break
				}
				if steps[0].Action != Bind {
					s, managed = taken(s, managed, steps[0])
					continue
				}
				if diff := cmp.Diff(tc.want, steps[0].Manifest["metadata"].(map[string]any)["labels"]); diff != "" || steps[0].Row != tc.row {
					t.Errorf("%s (-want +got):\n%s", steps[0].Row, diff)
				}
				return
			}
			t.Error("nothing is labelled")
		})
	}
}
