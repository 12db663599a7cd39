package plan

import (
	"slices"
	"strings"
	"testing"

	"istio.io/api/annotation"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestGoOfAnotherMove: what let a move go on that was taken back lets no other one go on, and that is said, until it is taken off and said anew.
// Said together with the move, or while it goes on, it counts.
func TestGoOfAnotherMove(t *testing.T) {
	nobody, nothing := func(*mesh.Snapshot, *Evidence) {}, func(*mesh.Snapshot, Step) {}
	at := func(s *mesh.Snapshot) string {
		ns := s.Get(mesh.Namespace, "", "shop")
		out := ns.Labels[label.IoIstioUseWaypoint.Name]
		if to := ns.Labels[label.IoIstioUseWaypointCanary.Name]; to != "" {
			out += "+" + to + "=" + ns.Annotations[annotation.IoIstioUseWaypointCanaryWeight.Name]
		}
		return out
	}
	s, managed := done(t)
	stage := func(want string, ignored bool, people ...func(*mesh.Snapshot) *mesh.Snapshot) {
		t.Helper()
		for _, act := range people {
			s = act(s)
		}
		var p Progress
		s, managed, p = rest(t, s, managed, onlyShop, nobody, nothing)
		if got := at(s); got != want {
			t.Errorf("it is at %s and not at %s: %q", got, want, says(p))
		}
		if told := slices.ContainsFunc(says(p), func(line string) bool { return strings.Contains(line, "was there before this move") }); told != ignored {
			t.Errorf("at %s it is said that it does not count: %v; %q", want, told, says(p))
		}
	}
	move, back := write("waypoint", MigrateAnnotation, "b"), write("waypoint", MigrateAnnotation, "")
	stage("waypoint+b=10", false, move, write("waypoint", StepsAnnotation, "10,50"))
	stage("waypoint+b=50", false, write("waypoint", GoAnnotation, "10"))
	stage("waypoint", false, back)
	stage("waypoint+b=10", true, move) // it is there still
	stage("waypoint", false, back)
	stage("waypoint+b=10", true, move)
	stage("waypoint+b=10", false, write("waypoint", GoAnnotation, ""))
	stage("waypoint+b=50", false, write("waypoint", GoAnnotation, "10"))
	stage("waypoint", false, back, write("waypoint", GoAnnotation, ""))
	stage("waypoint+b=50", false, move, write("waypoint", GoAnnotation, "10")) // both at once
	stage("waypoint", false, back)
	stage("waypoint+b=10", true, move)
	stage("b", false, write("waypoint", GoAnnotation, "50")) // another number is said of this move
}
