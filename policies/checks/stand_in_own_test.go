package checks

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// TestStandInOfOurs: of what Waywarden does itself only that is found which the mesh shows to be wrong. It sees what the mesh does not
// show, and may know of a change of somebody's policy before it is known here.
func TestStandInOfOurs(t *testing.T) {
	want := map[string]bool{"bad-twin-deleted": true, "bad-twin-not-replaced-yet": true, "bad-admission-deleted": true, "bad-copy-deleted": true, "bad-written-by-us": true}
	got := map[string]bool{}
	for _, c := range parse(t, "stand_in.txtar").Cases {
		for _, f := range changedBy(c, policies.Occasion{Phase: policies.AtAdmission, Own: true}) {
			got[c.Name] = true
			if f.Check != "change/stand-in" {
				t.Errorf("%s: %s", c.Name, f.Check)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// changedBy is what the check finds in the changes of a case, one after another, on an occasion.
func changedBy(c scenario.Case, on policies.Occasion) []policies.Finding {
	var out []policies.Finding
	s := c.Before
	ask := func(old, is *mesh.Object, after *mesh.Snapshot) {
		change := policies.Change{Old: old, New: is, Before: policies.NewView(s), After: policies.NewView(after)}
		change.Before.Occasion, change.After.Occasion = on, on
		out = append(out, policies.EvaluateChange(policies.Checks("change/stand-in"), &change)...)
		s = after
	}
	for _, o := range c.Objects {
		ask(s.Get(o.Kind, o.Namespace, o.Name), o, s.With(o))
	}
	for _, o := range c.Deleted {
		ask(o, nil, scenario.Deleted(s, o))
	}
	return out
}
