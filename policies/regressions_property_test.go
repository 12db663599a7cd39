package policies_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// TestRegressionsMissNothing lays what the reverse index finds beside a look at every policy of the mesh, for changes of
// every Service, Namespace and Gateway of every scenario.
func TestRegressionsMissNothing(t *testing.T) {
	changes, broken := 0, 0
	for _, pattern := range []string{"policies/checks/*.txtar", "policies/testdata/*.txtar", "test/meshes/*.txtar"} {
		files, err := scenario.Load(os.DirFS(".."), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			for _, c := range f.Cases {
				for o := range c.Snapshot.Objects() {
					for name, next := range variants(t, o) {
						after := c.Snapshot.Without(o)
						if next != nil {
							after = c.Snapshot.With(next)
						}
						want := everyRegression(c.Snapshot, after)
						changes, broken = changes+1, broken+len(want)
						got := told(policies.Regressions(policies.NewView(c.Snapshot), policies.NewView(after), o))
						if diff := cmp.Diff(want, got); diff != "" {
							t.Errorf("%s: %s: %s: %s (-every policy +found):\n%s", f.Name, c.Name, o, name, diff)
						}
					}
				}
			}
		}
	}
	t.Logf("%d changes break %d effects", changes, broken)
	if broken < 500 {
		t.Errorf("the changes break only %d effects: the test says little", broken)
	}
}

func told(regressions []policies.Regression) []string {
	var out []string
	for _, r := range regressions {
		out = append(out, fmt.Sprintf("%s at %s: %s to %s", r.After.Object, r.After.Target, r.Before.Verdict, r.After.Verdict))
	}
	slices.Sort(out)
	return out
}

// everyRegression judges every policy before and after.
func everyRegression(before, after *mesh.Snapshot) []string {
	var out []policies.Regression
	for o := range before.Objects() {
		if after.Get(o.Kind, o.Namespace, o.Name) != o || !o.Kind.IsPolicy() {
			continue
		}
		now := policies.Effects(after, o)
		for _, was := range policies.Effects(before, o) {
			for _, by := range []policies.EnforcedBy{was.EnforcedBy, policies.Nobody, policies.Waypoint, policies.Ztunnel} {
				i := slices.IndexFunc(now, func(e policies.Effect) bool { return e.EnforcedBy == by && cmp.Equal(e.Target, was.Target) })
				if i < 0 {
					continue
				}
				if now[i].Verdict != policies.Unknown && now[i].Verdict.Worse(was.Verdict) {
					out = append(out, policies.Regression{Before: was, After: now[i]})
				}
				break
			}
		}
	}
	return told(out)
}

// variants are changes of an object, by name; nil deletes it.
func variants(t *testing.T, o *mesh.Object) map[string]*mesh.Object {
	t.Helper()
	out := map[string]*mesh.Object{}
	change := func(name string, edit func(content map[string]any)) {
		content := clone(o.Content()).(map[string]any)
		edit(content)
		next, err := mesh.Decode(content)
		if err != nil {
			t.Fatalf("%s of %s: %v", name, o, err)
		}
		next.Namespace, next.Name, next.Live = o.Namespace, o.Name, o.Live
		out[name] = next
	}
	label := func(key string, value any) func(map[string]any) {
		return func(content map[string]any) {
			metadata := content["metadata"].(map[string]any)
			labels, _ := metadata["labels"].(map[string]any)
			if labels == nil {
				labels = map[string]any{}
			}
			labels[key] = value
			if value == nil {
				delete(labels, key)
			}
			metadata["labels"] = labels
		}
	}
	spec := func(key string, value any) func(map[string]any) {
		return func(content map[string]any) {
			s, _ := content["spec"].(map[string]any)
			if s == nil {
				s = map[string]any{}
			}
			s[key] = value
			content["spec"] = s
		}
	}
	switch o.Kind {
	case mesh.Namespace:
		change("not enrolled", label("istio.io/dataplane-mode", "none"))
		change("no waypoint", label("istio.io/use-waypoint", nil))
		change("another waypoint", label("istio.io/use-waypoint", "absent"))
		change("ingress through the waypoint", label("istio.io/ingress-use-waypoint", "true"))
		change("ingress past the waypoint", label("istio.io/ingress-use-waypoint", nil))
		change("another team", label("team", "other"))
		change("another environment", label("env", "other"))
	case mesh.Service:
		out["deleted"] = nil
		change("opts out", label("istio.io/use-waypoint", "none"))
		change("TCP", spec("ports", []any{map[string]any{"name": "tcp", "port": 80}}))
		change("headless", spec("clusterIP", "None"))
		change("a NodePort", spec("type", "NodePort"))
		change("selects nothing", spec("selector", map[string]any{"app": "nobody"}))
	case mesh.Gateway:
		out["deleted"] = nil
		change("for workloads", label("istio.io/waypoint-for", "workload"))
		change("another class", spec("gatewayClassName", "other"))
		change("without a status", func(content map[string]any) { delete(content, "status") })
		change("not Waywarden's", label("app.kubernetes.io/managed-by", nil))
	}
	return out
}

func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range x {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = clone(e)
		}
		return out
	}
	return v
}
