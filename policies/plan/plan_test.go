package plan

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

var update = flag.Bool("update", false, "rewrite the expectations in the .txtar files")

func scenarios(t *testing.T, each func(t *testing.T, cs scenario.Case) string) {
	t.Helper()
	files, err := scenario.Load(os.DirFS("."), "testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		want := map[string]string{}
		for _, cs := range f.Cases {
			t.Run(f.Name+"/"+cs.Name, func(t *testing.T) { want[cs.Name] = each(t, cs) })
		}
		if *update && want[f.Cases[0].Name] != "" {
			if err := os.WriteFile(f.Name, f.Update(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestScenarios: something is planned in bad-*, nothing in ok-*.
func TestScenarios(t *testing.T) {
	scenarios(t, func(t *testing.T, cs scenario.Case) string {
		p := Make(policies.NewView(cs.Snapshot), Settings{}, nil)
		got := describe(p)
		if cs.Bad() == p.Nothing() {
			t.Errorf("plans nothing: %v", p.Nothing())
		}
		if diff := cmp.Diff(cs.Want, got); diff != "" && !*update {
			t.Errorf("(-want +got; go test ./policies/plan -update rewrites it):\n%s", diff)
		}
		return got
	})
}

// TestAPlanIsEnough: a mesh in which a plan is carried out needs nothing more, and every need of the plan is met.
func TestAPlanIsEnough(t *testing.T) {
	scenarios(t, func(t *testing.T, cs scenario.Case) string {
		p := Make(policies.NewView(cs.Snapshot), Settings{}, nil)
		after := p.Apply(cs.Snapshot)
		again := Make(policies.NewView(after), Settings{}, nil)
		if !again.Nothing() {
			t.Errorf("after the plan there is another:\n%s", describe(again))
		}
		for _, w := range p.Waypoints {
			for _, n := range w.Needs {
				if slices.ContainsFunc(p.Blocked, func(b Blocked) bool { return compareNeeds(b.Need, n) == 0 }) {
					continue
				}
				kind, _ := mesh.KindOf(n.Policy.APIVersion, n.Policy.Kind)
				o := after.Get(kind, n.Policy.Namespace, n.Policy.Name)
				if e, _ := worst(policies.Effects(after, o), o, n.Target); e.Verdict != n.Becomes {
					t.Errorf("%s at %s is %s after the plan, and %s was promised", n.Policy, n.Target, e.Verdict, n.Becomes)
				}
			}
		}
		return ""
	})
}

// TestOrderOfInput: the same objects in any order make the same plan, and planning leaves them as they are.
func TestOrderOfInput(t *testing.T) {
	scenarios(t, func(t *testing.T, cs scenario.Case) string {
		objects := slices.Collect(cs.Snapshot.Objects())
		before := fmt.Sprint(contents(objects))
		first := describe(Make(policies.NewView(mesh.New(mesh.Options{}, objects...)), Settings{}, nil))
		slices.Reverse(objects)
		if diff := cmp.Diff(first, describe(Make(policies.NewView(mesh.New(mesh.Options{}, objects...)), Settings{}, nil))); diff != "" {
			t.Errorf("(-in order +reversed):\n%s", diff)
		}
		slices.Reverse(objects)
		if fmt.Sprint(contents(objects)) != before {
			t.Error("planning changed the objects")
		}
		return ""
	})
}

func contents(objects []*mesh.Object) []any {
	var out []any
	for _, o := range objects {
		out = append(out, o.Content(), o.Labels)
	}
	return out
}

func describe(p Plan) string {
	var b strings.Builder
	for _, w := range p.Waypoints {
		state := "make"
		if w.Existing {
			state = "use"
		}
		fmt.Fprintf(&b, "%s waypoint %s/%s for %s\n", state, w.Namespace, w.Name, w.For)
		for _, n := range w.Needs {
			fmt.Fprintf(&b, "  for %s at %s %s: %s becomes %s\n", n.Policy, n.Target, n.Field, n.Verdict, n.Becomes)
		}
		if spec, ok := w.Manifest["spec"].(map[string]any); ok {
			if allowed := spec["listeners"].([]any)[0].(map[string]any)["allowedRoutes"]; allowed != nil {
				fmt.Fprintf(&b, "  allowedRoutes %v\n", allowed)
			}
		}
	}
	for _, own := range p.Policies {
		fmt.Fprintf(&b, "%s %s for %v, of %v: %s\n  %v\n", own.Role, own.Ref(), own.For, own.Of, own.Why, own.Manifest["spec"])
	}
	for _, l := range p.Labels {
		fmt.Fprintf(&b, "label %s %s=%s, which binds %v\n", l.On, l.Key, l.Value, l.Binds)
		if l.Why != "" {
			fmt.Fprintf(&b, "  because %s\n", l.Why)
		}
	}
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s (%s): %s at %s: %s → %s\n  %s\n", c.Turn, c.Class, c.Object, c.Target, briefly(c.Before), briefly(c.After), c.Message)
	}
	for _, n := range p.Notices {
		fmt.Fprintf(&b, "%s: %s\n  %s\n", n.Class, n.On, n.Why)
	}
	for _, n := range p.Blocked {
		fmt.Fprintf(&b, "blocked: %s at %s\n  %s\n", n.Policy, n.Target, n.Why)
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func briefly(states []State) string {
	var out []string
	for _, s := range states {
		out = append(out, fmt.Sprintf("%s by %s", s.Verdict, s.EnforcedBy))
	}
	return strings.Join(out, ", ")
}
