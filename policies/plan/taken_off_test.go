package plan

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"istio.io/api/annotation"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestCanaryTakenOff: who takes the label of a canary off rolls back by hand. Nothing is shared out anew, and nothing moves, until somebody
// says which of both is meant; and then nothing of it is left.
func TestCanaryTakenOff(t *testing.T) {
	shop := RefOf(mesh.Namespace, "", "shop")
	for name, tc := range map[string]struct {
		then func(*mesh.Snapshot) *mesh.Snapshot
		want map[string]string // of the Namespace
	}{
		"not to move": {then: write("waypoint", MigrateAnnotation, ""), want: map[string]string{label.IoIstioUseWaypoint.Name: "waypoint"}},
		"to begin again": {then: func(s *mesh.Snapshot) *mesh.Snapshot {
			return s.With(annotated(s.Get(mesh.Namespace, "", "shop"), CanarySinceAnnotation, ""))
		}, want: map[string]string{label.IoIstioUseWaypoint.Name: "waypoint", label.IoIstioUseWaypointCanary.Name: "b", annotation.IoIstioUseWaypointCanaryWeight.Name: "10", CanarySinceAnnotation: instant(noon)}},
	} {
		t.Run(name, func(t *testing.T) {
			nobody, nothing := func(_ *mesh.Snapshot, e *Evidence) { e.Acknowledged = noon.Add(time.Second) }, func(*mesh.Snapshot, Step) {}
			s, managed := done(t)
			s = both(write("waypoint", MigrateAnnotation, "b"), write("waypoint", StepsAnnotation, "10/0s,50"))(s)
			s, managed, _ = rest(t, s, managed, onlyShop, nobody, nothing)
			if weight := s.Get(mesh.Namespace, "", "shop").Annotations[annotation.IoIstioUseWaypointCanaryWeight.Name]; weight != "50" {
				t.Fatalf("%s%% take the canary", weight)
			}
			s = write("waypoint", StepsAnnotation, "10")(s.With(labelled(s.Get(mesh.Namespace, "", "shop"), nil, label.IoIstioUseWaypointCanary.Name)))
			managed = maps.Clone(managed)
			managed[shop] = slices.DeleteFunc(slices.Clone(managed[shop]), func(key string) bool { return key == label.IoIstioUseWaypointCanary.Name })
			p := Next(worldOf(s, managed, onlyShop, func(e *Evidence) { nobody(s, e) }))
			want := "shop/b: stopped make-canary: Namespace shop stays at waypoint waypoint: somebody has taken off the label by which a share of its connections took waypoint b. " +
				"Have it not move, as by removing annotation waywarden.dev/migrate-to of Gateway shop/waypoint, or remove annotation waywarden.dev/canary-since of Namespace shop to begin again."
			if got := says(p); !slices.Contains(got, want) || len(p.Steps()) > 0 {
				t.Fatalf("it says %q", got)
			}
			s, _, p = rest(t, tc.then(s), managed, onlyShop, nobody, nothing)
			ns := s.Get(mesh.Namespace, "", "shop")
			got := map[string]string{}
			for _, key := range []string{label.IoIstioUseWaypoint.Name, label.IoIstioUseWaypointCanary.Name} {
				if v := ns.Labels[key]; v != "" {
					got[key] = v
				}
			}
			for _, key := range []string{annotation.IoIstioUseWaypointCanaryWeight.Name, CanarySinceAnnotation} {
				if v := ns.Annotations[key]; v != "" {
					got[key] = v
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", says(p), diff)
			}
			if gone := s.Get(mesh.Gateway, "shop", "b") == nil; gone != (tc.want[label.IoIstioUseWaypointCanary.Name] == "") {
				t.Errorf("waypoint b is gone: %v, %q", gone, says(p))
			}
		})
	}
}

// TestAllLabelsTakenOff: what nobody binds any more is bound anew, also where a share of it was at another waypoint: what it needs one for is
// not enforced meanwhile.
func TestAllLabelsTakenOff(t *testing.T) {
	shop := RefOf(mesh.Namespace, "", "shop")
	ns := func(s *mesh.Snapshot) *mesh.Object { return s.Get(mesh.Namespace, "", "shop") }
	s, managed := done(t)
	s = both(write("waypoint", MigrateAnnotation, "b"), write("waypoint", StepsAnnotation, "10"))(s)
	s, managed, _ = rest(t, s, managed, onlyShop, func(*mesh.Snapshot, *Evidence) {}, func(*mesh.Snapshot, Step) {})
	if ns(s).Annotations[CanarySinceAnnotation] == "" {
		t.Fatal("no share is at the canary")
	}
	s = s.With(labelled(ns(s), map[string]string{label.IoIstioIngressUseWaypoint.Name: "true"}, label.IoIstioUseWaypoint.Name, label.IoIstioUseWaypointCanary.Name))
	managed = maps.Clone(managed)
	managed[shop] = []string{label.IoIstioIngressUseWaypoint.Name}
	p := Next(worldOf(s, managed, onlyShop, nil))
	if !slices.ContainsFunc(p.Steps(), func(step Step) bool { return step.Row == MakeBinding && step.Object == shop }) {
		t.Errorf("it says %q", says(p))
	}
}
