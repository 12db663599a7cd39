package audit

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

// TestWatchedIsWritten: checks and rules find the same in objects as they are written, and in what a watch keeps of them.
func TestWatchedIsWritten(t *testing.T) {
	checks := policies.AboutObjects(slices.Concat(policies.Checks(), zerotrust.Pack().Checks()))
	objects, found := 0, 0
	for _, r := range zerotrust.Pack().Rules {
		for _, c := range r.Scenarios().Cases {
			all := slices.Collect(c.Snapshot.Objects())
			evaluate := func(objects []*mesh.Object) map[string][]string {
				s := mesh.New(mesh.Options{}, objects...)
				return findingsIn(EvaluateOn(policies.Occasion{Phase: policies.AtAudit}, s, slices.Collect(s.Objects()), checks, nil))
			}
			want := evaluate(all)
			if diff := cmp.Diff(want, evaluate(watchedAs(t, all))); diff != "" {
				t.Errorf("%s, %s: not the same is found in what is watched (-written +watched):\n%s", r.ID, c.Name, diff)
			}
			objects, found = objects+len(all), found+len(want)
		}
	}
	t.Logf("%d objects, of which something is found in %d", objects, found)
	if found < objects/10 {
		t.Errorf("something is found in only %d of %d objects: the test says little", found, objects)
	}
}

// watchedAs are objects as a watch keeps them.
func watchedAs(t *testing.T, objects []*mesh.Object) (out []*mesh.Object) {
	t.Helper()
	alike := inventory.NewAlike()
	for _, o := range objects {
		raw, err := json.Marshal(o.Content())
		if err != nil {
			t.Fatal(err)
		}
		var content map[string]any
		if err := json.Unmarshal(raw, &content); err != nil {
			t.Fatal(err)
		}
		mesh.Strip(o.Kind, content)
		kept, err := mesh.Decode(content)
		if err != nil {
			t.Fatal(err)
		}
		if o.Kind == mesh.Secret {
			kept = o // of which nothing but certificates is left already
		}
		out = append(out, alike.Packed(kept))
	}
	return out
}
