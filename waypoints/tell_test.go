package waypoints

import (
	"testing"

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
		c.stopped.Store(c.stopped.Load().with(look.progress))
		if found, all := c.Findings(); len(found) != look.found || all != look.all {
			t.Errorf("look %d: %d are found, all %v; want %d, all %v", i, len(found), all, look.found, look.all)
		}
	}
}
