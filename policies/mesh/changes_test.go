package mesh_test

import (
	"math/rand"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestChanges compares what Changes says with what really happened between two Snapshots, whether the later one
// was made step by step or at once.
func TestChanges(t *testing.T) {
	for seed := range int64(200) {
		r := anyObject{rand.New(rand.NewSource(seed)), t}
		current := map[string]*mesh.Object{}
		before := mesh.New(mesh.Options{})
		for range 30 {
			o := r.object()
			before, current[identity(o)] = before.With(o), o
		}
		was := map[string]*mesh.Object{}
		for id, o := range current {
			was[id] = o
		}
		after := before
		for range r.Intn(12) {
			o := r.object()
			if r.Intn(2) == 0 {
				after = after.Without(o)
				delete(current, identity(o))
			} else {
				after, current[identity(o)] = after.With(o), o
			}
		}
		want := map[string][2]*mesh.Object{}
		for id := range was {
			if was[id] != current[id] {
				want[id] = [2]*mesh.Object{was[id], current[id]}
			}
		}
		for id := range current {
			if was[id] != current[id] {
				want[id] = [2]*mesh.Object{was[id], current[id]}
			}
		}
		var all []*mesh.Object
		for _, o := range current {
			all = append(all, o)
		}
		for how, s := range map[string]*mesh.Snapshot{"step by step": after, "at once": mesh.New(mesh.Options{}, all...)} {
			if diff := cmp.Diff(want, changes(t, before, s), byPointer); diff != "" {
				t.Fatalf("seed %d, %s (-want +got):\n%s", seed, how, diff)
			}
		}
		if n := len(changes(t, nil, after)); n != after.Len() {
			t.Fatalf("seed %d: %d of %d objects are new since nothing", seed, n, after.Len())
		}
		if n := len(changes(t, after, nil)); n != after.Len() {
			t.Fatalf("seed %d: %d of %d objects are gone in nothing", seed, n, after.Len())
		}
		if n := len(changes(t, after, after)); n != 0 {
			t.Fatalf("seed %d: a Snapshot differs from itself in %d objects", seed, n)
		}
	}
}

var byPointer = cmp.Comparer(func(a, b *mesh.Object) bool { return a == b })

func changes(t *testing.T, before, after *mesh.Snapshot) map[string][2]*mesh.Object {
	t.Helper()
	out := map[string][2]*mesh.Object{}
	var last *mesh.Object
	for was, is := range mesh.Changes(before, after) {
		o := is
		if o == nil {
			o = was
		}
		if _, twice := out[identity(o)]; twice {
			t.Errorf("%s is told twice", o)
		}
		if last != nil && last.Kind == o.Kind && last.Namespace == o.Namespace && last.Name >= o.Name {
			t.Errorf("%s is told after %s", o, last)
		}
		out[identity(o)], last = [2]*mesh.Object{was, is}, o
	}
	return out
}
