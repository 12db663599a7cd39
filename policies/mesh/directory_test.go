package mesh

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDirectory lays directories of many sizes, made by many changes, beside maps of the same; and those that they were made of stay as
// they were.
func TestDirectory(t *testing.T) {
	type state struct {
		made directory
		want map[string]*namespace
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, names := range []int{1, 3, mostOnPage, mostOnPage + 1, 1000} {
		was := state{newDirectory(nil), map[string]*namespace{}}
		kept := []state{was}
		for range 600 {
			changed := map[string]*namespace{}
			for range 1 + r.IntN(3) {
				var now *namespace
				if r.IntN(3) > 0 {
					now = newNamespace()
				}
				changed[fmt.Sprintf("n-%d", r.IntN(names))] = now
			}
			is := state{was.made.with(changed), maps.Clone(was.want)}
			for name, now := range changed {
				if is.want[name] = now; now == nil {
					delete(is.want, name)
				}
			}
			kept = append(kept, is)
			if was = is; r.IntN(50) == 0 {
				was.made = newDirectory(is.want)
			}
		}
		for i, s := range kept {
			if diff := cmp.Diff(slices.Sorted(maps.Keys(s.want)), listed(s.made)); diff != "" {
				t.Fatalf("%d names, state %d: -want +listed:\n%s", names, i, diff)
			}
			for n := range names {
				if name := fmt.Sprintf("n-%d", n); s.made.get(name) != s.want[name] {
					t.Fatalf("%d names, state %d: %s is another namespace", names, i, name)
				}
			}
			if most := 2 + 4*len(s.want)/mostOnPage; len(s.made.pages) > most {
				t.Fatalf("%d names, state %d: %d namespaces on %d pages, more than %d", names, i, len(s.want), len(s.made.pages), most)
			}
			for _, p := range s.made.pages {
				if len(p.names) == 0 || len(p.names) > mostOnPage || len(p.names) != len(p.states) {
					t.Fatalf("%d names, state %d: a page of %d", names, i, len(p.names))
				}
			}
		}
	}
}

// listed is by a cursor what all says too.
func listed(d directory) []string {
	var names []string
	at := cursor{pages: d.pages}
	for name, ns := at.next(); ns != nil; name, ns = at.next() {
		names = append(names, name)
	}
	for name := range d.all() {
		if len(names) == 0 || names[0] != name {
			return append(names, "but not "+name)
		}
		names = append(names[1:], name)
	}
	return names
}
