package checks

import (
	"slices"
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestEffects holds what is promised of every effect to all effects of all scenarios.
func TestEffects(t *testing.T) {
	for _, c := range asked() {
		for _, cs := range parse(t, fileOf(c)).Cases {
			view := policies.NewView(cs.Snapshot)
			for o := range view.Objects() {
				effects := view.Effects(o)
				if len(effects) == 0 && (o.Kind == mesh.AuthorizationPolicy || slices.Contains(routing, o.Kind) || slices.Contains(shaping, o.Kind)) {
					t.Errorf("%s %s: %s has no effect", c.ID, cs.Name, o)
				}
				keys := map[string]bool{}
				for _, e := range effects {
					promise(t, c.ID+" "+cs.Name+" "+o.String(), e)
					key := e.Target.String() + " " + string(e.EnforcedBy)
					if keys[key] {
						t.Errorf("%s %s: %s has two effects at %s", c.ID, cs.Name, o, key)
					}
					keys[key] = true
				}
			}
		}
	}
}

func promise(t *testing.T, where string, e policies.Effect) {
	t.Helper()
	nobody := e.Verdict == policies.NotEnforced || e.Verdict == policies.Pending || e.Verdict == policies.Unknown
	if nobody != (e.EnforcedBy == policies.Nobody) {
		t.Errorf("%s: %s is enforced by %s", where, e.Verdict, e.EnforcedBy)
	}
	if nobody && e.By != nil {
		t.Errorf("%s: %s names %s as its enforcer", where, e.Verdict, e.By)
	}
	if e.Message == "" || e.Reason == "" || e.WaitsFor == nil {
		t.Errorf("%s: the effect lacks a message, a reason or a list of what it waits for: %+v", where, e)
	}
	if e.EnforcedBy == policies.Waypoint && (e.Verdict == policies.Enforced) != (e.Reason == policies.Accepted) {
		t.Errorf("%s: %s with reason %s", where, e.Verdict, e.Reason)
	}
}
