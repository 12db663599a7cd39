package checks

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
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
	for i, c := range asked() {
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

// TestVersionsAgree says every scenario again in each version in which its objects have been served:
// an API server converts by changing the version alone, so nothing else changes either. InferencePool
// is left out, whose first version has another form.
func TestVersionsAgree(t *testing.T) {
	tried := map[string]bool{}
	for _, c := range asked() {
		for _, cs := range parse(t, fileOf(c)).Cases {
			want := everything(cs.Snapshot)
			for n := range 4 {
				s, changed := cs.Snapshot, false
				for o := range cs.Snapshot.Objects() {
					versions := o.Kind.Versions()
					if o.Kind == mesh.InferencePool || n >= len(versions) {
						continue
					}
					apiVersion := strings.TrimPrefix(o.Kind.Group()+"/"+versions[n], "/")
					if apiVersion == o.APIVersion {
						continue
					}
					content := maps.Clone(o.Content())
					content["apiVersion"] = apiVersion
					again, err := mesh.Decode(content)
					if err != nil {
						t.Fatalf("%s %s: %s: %v", c.ID, cs.Name, apiVersion, err)
					}
					s, changed = s.With(again), true
					tried[o.Kind.Group()+" "+o.Kind.String()+" "+versions[n]] = true
				}
				if !changed {
					continue
				}
				if diff := cmp.Diff(want, everything(s)); diff != "" {
					t.Errorf("%s %s: in another version it says something else (-as written +version %d):\n%s", c.ID, cs.Name, n+1, diff)
				}
			}
		}
	}
	if len(tried) < 20 {
		t.Errorf("only %d kinds and versions are tried: %v", len(tried), slices.Sorted(maps.Keys(tried)))
	}
}
