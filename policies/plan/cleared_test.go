package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// halfGone is a waypoint that shop and pay share, from which both are released, with the twin of a policy of shop that is gone; nothing else is
// taken away yet, and it is needed again.
func halfGone(t *testing.T) (*mesh.Snapshot, Managed, Settings, mesh.Ref) {
	t.Helper()
	setting := Setting{Mode: Provision, Profile: Profile{Name: "default", Granularity: Shared, SharedNamespace: "edge"}}
	settings := Settings{Namespaces: map[string]Setting{"shop": setting, "pay": setting, "edge": setting}}
	_, s, managed := until(two(letsInDev, podsOf("cart")).Snapshot, Managed{}, settings, noon, noon.Add(30*time.Minute))
	twin := RefOf(mesh.AuthorizationPolicy, "shop", twinOfAllow)
	if find(s, twin) == nil {
		t.Fatal("there is no twin")
	}
	for _, ns := range []string{"shop", "pay"} {
		o := s.Get(mesh.Namespace, "", ns)
		if o.Labels[label.IoIstioUseWaypoint.Name] == "" {
			t.Fatalf("%s is not bound", ns)
		}
		s = s.With(labelled(o, nil, label.IoIstioUseWaypoint.Name, label.IoIstioUseWaypointNamespace.Name))
		delete(managed, refOf(o))
	}
	return s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "allow")), managed, settings, twin
}

func boundBy(p Progress) (out []string) {
	for _, s := range p.Steps() {
		if s.Row == MakeBinding {
			out = append(out, s.Object.Name)
		}
	}
	return out
}

// TestClearedTwinsAreKnown: what has a twin that nothing asks for any more is bound when every proxy knows that it is gone; what has none does
// not wait for that.
func TestClearedTwinsAreKnown(t *testing.T) {
	s, managed, settings, twin := halfGone(t)
	gone, bound := false, ""
	for range 12 {
		p := Next(worldOf(s, managed, settings, func(e *Evidence) {
			if e.Written = map[mesh.Ref]time.Time{}; gone {
				e.Written[twin] = noon
			}
		}))
		if slices.Contains(boundBy(p), "shop") {
			t.Fatalf("shop is bound before that is known: %q", says(p))
		}
		for _, step := range p.Steps() {
			if step.Row == MakeBinding {
				bound += step.Object.Name
			}
			gone = gone || step.Object == twin && step.Action == Delete
			s, managed = taken(s, managed, step)
		}
	}
	p := Next(worldOf(s, managed, settings, func(e *Evidence) { e.Written = map[mesh.Ref]time.Time{twin: noon} }))
	if !gone || bound != "pay" || !strings.Contains(strings.Join(says(p), "\n"), "waits remove-twin") {
		t.Errorf("gone %v, bound %q: %q", gone, bound, says(p))
	}
	if p := Next(worldOf(s, managed, settings, nil)); !slices.Contains(boundBy(p), "shop") {
		t.Errorf("it is known: %q", says(p))
	}
	if p := Next(worldOf(s, managed, settings, func(e *Evidence) { e.Since = e.Acknowledged })); len(boundBy(p)) > 0 {
		t.Errorf("whoever leads since now does not know what is gone: %q", says(p))
	}
	for name, waits := range map[string]bool{twinOfAllow: true, "waywarden-twins.cart": true, "waywarden-twin-a.b.hash.01234567": true, "waywarden-twin-allow.web": true, "waywarden-twin-allow.gone": false, "waywarden-admit-waypoint.cart": false, "mine.cart": false} {
		p := Next(worldOf(s, managed, settings, func(e *Evidence) {
			e.Written = map[mesh.Ref]time.Time{RefOf(mesh.AuthorizationPolicy, "shop", name): noon}
		}))
		if bound := slices.Contains(boundBy(p), "shop"); bound == waits {
			t.Errorf("%s is gone, and shop is bound: %v", name, bound)
		}
	}
}

// TestNewWaypointKnewNoTwin: whoever leads since now does not know what went before, and binds to a waypoint that was there already when every
// proxy has acknowledged something since. One that is made since then knew no twin.
func TestNewWaypointKnewNoTwin(t *testing.T) {
	s, managed, settings, twin := halfGone(t)
	s = s.Without(find(s, twin))
	delete(managed, twin)
	gw := *s.Get(mesh.Gateway, "edge", "waypoint")
	for created, bound := range map[time.Time][]string{noon.Add(-time.Second): nil, noon: {"pay"}} { // an API server writes down whole seconds
		gw.Created = created
		p := Next(worldOf(s.With(&gw), managed, settings, func(e *Evidence) { e.Since = noon.Add(time.Millisecond) }))
		if got := boundBy(p); !slices.Equal(got, bound) {
			t.Errorf("made at %s: bound are %q: %q", created, got, says(p))
		}
	}
}

// TestTwinThatStays: a twin that the API server does not let go keeps its Service from being bound, which is said, and nothing else.
func TestTwinThatStays(t *testing.T) {
	for name, again := range map[string]bool{"refused": false, "refused, and tried again": true} {
		t.Run(name, func(t *testing.T) {
			s, managed, settings, twin := halfGone(t)
			bound := ""
			for range 12 {
				p := Next(worldOf(s, managed, settings, func(e *Evidence) {
					e.Refused, e.Again = map[mesh.Ref]string{twin: "a webhook"}, map[mesh.Ref]bool{twin: again}
				}))
				if !strings.Contains(strings.Join(says(p), "\n"), "the API server refused it: a webhook") && bound != "" {
					t.Errorf("it is not said: %q", says(p))
				}
				for _, step := range p.Steps() {
					if step.Object == twin {
						continue
					}
					if step.Row == MakeBinding {
						bound += step.Object.Name
					}
					s, managed = taken(s, managed, step)
				}
			}
			if bound != "pay" {
				t.Errorf("bound: %q", bound)
			}
		})
	}
}
