package checks

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// everything is all that there is to say of a mesh.
func everything(s *mesh.Snapshot) string {
	view := policies.NewView(s)
	var effects []policies.Effect
	for o := range view.Objects() {
		effects = append(effects, view.Effects(o)...)
	}
	return scenario.Describe(effects, all(view, policies.Checks()))
}

// TestOrderAndStepsDoNotMatter takes every scenario apart, object by object, and puts it together in
// another order, asking in between so that what is remembered is there to go stale: no effect and no
// finding changes.
func TestOrderAndStepsDoNotMatter(t *testing.T) {
	cases := 0
	for i, c := range policies.Checks() {
		for j, cs := range parse(t, fileOf(c)).Cases {
			cases++
			want := everything(cs.Snapshot)
			objects := slices.Collect(cs.Snapshot.Objects())
			r := rand.New(rand.NewPCG(uint64(i), uint64(j)))
			shuffle := func() { r.Shuffle(len(objects), func(a, b int) { objects[a], objects[b] = objects[b], objects[a] }) }
			s := cs.Snapshot
			shuffle()
			for _, o := range objects {
				s = s.Without(o)
			}
			if s.Len() > 0 {
				t.Fatalf("%s %s: %d objects are left", c.ID, cs.Name, s.Len())
			}
			shuffle()
			for n, o := range objects {
				if s = s.With(o); n == len(objects)/2 {
					everything(s)
				}
			}
			if diff := cmp.Diff(want, everything(s)); diff != "" {
				t.Errorf("%s %s: put together in another order it says something else (-before +after):\n%s", c.ID, cs.Name, diff)
			}
		}
	}
	if cases < 400 {
		t.Errorf("only %d scenarios, so this shows little", cases)
	}
}
