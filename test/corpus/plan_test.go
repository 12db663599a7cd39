package corpus

import (
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestPlanIsEnough: in the recorded mesh, with its missing, unready and refusing waypoints, a plan that is carried out
// leaves nothing to plan, and what stays blocked was blocked before or is no longer hidden by something missing.
func TestPlanIsEnough(t *testing.T) {
	s := load(t, "testdata/mesh-a").snapshot
	p := plan.Make(policies.NewView(s), plan.Settings{}, nil)
	if len(p.Waypoints) == 0 || len(p.Blocked) == 0 {
		t.Fatalf("%d waypoints, %d blocked: the recording needs both", len(p.Waypoints), len(p.Blocked))
	}
	again := plan.Make(policies.NewView(p.Apply(s)), plan.Settings{}, nil)
	if !again.Nothing() {
		t.Errorf("after the plan another is needed: %d waypoints, %d labels", len(again.Waypoints), len(again.Labels))
	}
}
