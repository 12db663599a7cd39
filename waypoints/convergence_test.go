package waypoints

import (
	"testing"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestJournal: when an object is known to every proxy, by when it was seen to change.
func TestJournal(t *testing.T) {
	a, b, c := namespace(t, "a", "prod"), namespace(t, "b", "prod"), namespace(t, "c", "dev")
	ref := func(name string) mesh.Ref { return plan.RefOf(mesh.Namespace, "", name) }
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	var j journal
	first := mesh.New(mesh.Options{}, a, b)
	second := first.With(namespace(t, "b", "test")).With(c)
	third := second.Without(a)
	j.enter(first, at(0))
	j.enter(second, at(10))
	j.enter(second, at(20))
	j.enter(third, at(30))
	for _, k := range []struct {
		name         string
		acknowledged int
		want         bool
	}{
		{"a", 29, false}, {"a", 31, true}, // deleted
		{"b", 9, false}, {"b", 11, true}, // changed
		{"c", 9, false}, {"c", 11, true}, // made
		{"d", 0, false}, {"d", 1, true}, // as it was when somebody first looked
	} {
		known := plan.Convergence{Acknowledged: at(k.acknowledged), Written: j.written, Since: j.since}
		if got := known.Converged(ref(k.name)); got != k.want {
			t.Errorf("%s, acknowledged up to %ds: %v", k.name, k.acknowledged, got)
		}
	}
	j.forget(at(15).Add(remembered))
	if _, kept := j.written[ref("b")]; kept || !j.since.Equal(at(15)) || len(j.written) != 1 {
		t.Errorf("remembered since %s: %v", j.since, j.written)
	}
}

// TestNobodyLookedYet: before anything was entered nothing is known to anybody, whatever the clock says.
func TestNobodyLookedYet(t *testing.T) {
	k := convergence{settle: time.Second}
	k.look(t.Context(), nil, noon)
	var j journal
	j.enter(mesh.New(mesh.Options{}), noon)
	known := plan.Convergence{Acknowledged: k.at, Written: j.written, Since: j.since}
	if known.Converged(thing) {
		t.Error("what a new leader finds is taken to be known to every proxy at once")
	}
}
