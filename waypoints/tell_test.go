package waypoints

import (
	"errors"
	"testing"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestFindingsAreAll: what has stopped is not known to be all before there was a look, nor while there are steps that the API server may
// refuse as it did before a restart; from then on it is.
func TestFindingsAreAll(t *testing.T) {
	var c Controller
	if _, all := c.Findings(); all {
		t.Error("all is known before the first look")
	}
	working := plan.Progress{{}, {Step: &plan.Step{}}}
	refused := plan.Progress{{}, {Stopped: []plan.Stop{{Why: "refused"}}}}
	for i, look := range []struct {
		progress plan.Progress
		found    int
		all      bool
	}{{working, 0, false}, {refused, 1, true}, {working, 0, true}} {
		c.stopped.Store(c.stopped.Load().with(look.progress, func(mesh.Ref) bool { return false }))
		if found, all := c.Findings(); len(found) != look.found || all != look.all {
			t.Errorf("look %d: %d are found, all %v; want %d, all %v", i, len(found), all, look.found, look.all)
		}
	}
}

// TestStoppedUntilTaken: that a write is refused is found until it is taken, also while it is tried again, when that fails, and when
// its waypoint has something else to do first.
func TestStoppedUntilTaken(t *testing.T) {
	var c Controller
	c.attempts = attempts{}
	waypoint, version := plan.RefOf(mesh.Gateway, "shop", "waypoint"), map[mesh.Ref]string{thing: "1"}
	making, step := &plan.Course{Waypoint: waypoint}, &plan.Step{Object: thing}
	at := noon
	look := func(busy bool) (found int, tries bool) {
		refused, again := c.attempts.refusals(version, at)
		course := plan.Course{Waypoint: waypoint} // as the plan has it
		switch why, ok := refused[thing]; {
		case busy:
			course.Step = &plan.Step{Object: plan.RefOf(mesh.ConfigMap, "shop", "parameters")}
		case ok:
			course.Stopped = []plan.Stop{{Object: thing, Why: why}}
			if again[thing] {
				course.Step = step
			}
		default:
			course.Step = step
		}
		progress := plan.Progress{course}
		c.attempts.settle(progress, version)
		c.stopped.Store(c.stopped.Load().with(progress, c.attempts.refuses))
		all, _ := c.Findings()
		return len(all), course.Step == step && c.attempts.may(thing, version[thing], at)
	}
	expect := func(when string, busy bool, found int, tries bool) {
		t.Helper()
		if n, tried := look(busy); n != found || tried != tries {
			t.Errorf("%s: %d are found, tried %v", when, n, tried)
		}
	}
	expect("at first", false, 0, true)
	c.attempts.doneFor(making, thing, "1", at, manager("argocd"))
	expect("refused", false, 1, false)
	at = at.Add(firstRefusal)
	expect("tried again", false, 1, true)
	c.attempts.doneFor(making, thing, "1", at, errors.New("away"))
	expect("the API server is away", false, 1, false)
	at = at.Add(lastRefusal)
	expect("something else comes first", true, 1, false)
	version[thing] = "2"
	expect("changed", false, 1, true)
	c.attempts.doneFor(making, thing, "2", at, manager("argocd"))
	expect("refused again", false, 1, false)
	at = at.Add(lastRefusal)
	c.attempts.doneFor(making, thing, "2", at, nil)
	if expect("taken", false, 0, false); c.attempts.refuses(thing) {
		t.Error("what was taken is refused")
	}
	waits := []plan.Wait{{Why: "for its pods"}}
	for name, tc := range map[string]struct {
		progress plan.Progress
		version  string
		forgets  bool
	}{
		"it serves":                        {plan.Progress{{Waypoint: waypoint}}, "2", true},
		"it is gone":                       {nil, "2", true},
		"it waits":                         {plan.Progress{{Waypoint: waypoint, Waiting: waits}}, "2", false},
		"it waits, and the object changed": {plan.Progress{{Waypoint: waypoint, Waiting: waits}}, "3", true},
		"it waits, and is on its way out":  {plan.Progress{{Waypoint: waypoint, Waiting: waits, Removing: true}}, "2", true},
		"it stopped there, and it changed": {plan.Progress{{Waypoint: waypoint, Stopped: []plan.Stop{{Object: thing}}}}, "3", false},
	} {
		c.attempts.doneFor(making, thing, "2", at, manager("argocd"))
		c.attempts.settle(tc.progress, map[mesh.Ref]string{thing: tc.version})
		if c.attempts.refuses(thing) == tc.forgets {
			t.Errorf("%s: forgotten %v", name, !c.attempts.refuses(thing))
		}
	}
}
