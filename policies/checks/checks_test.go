package checks

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

var update = flag.Bool("update", false, "rewrite the expectations in the .txtar files")

// fileOf is where a check's scenarios are: its file is its ID.
func fileOf(c *policies.Check) string {
	return strings.ReplaceAll(filepath.Base(c.ID), "-", "_") + ".txtar"
}

func parse(t *testing.T, file string) *scenario.File {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := scenario.Parse(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestScenarios runs every check on its scenarios: findings of that check in bad-* and none in ok-*.
func TestScenarios(t *testing.T) {
	for _, c := range asked() {
		t.Run(c.ID, func(t *testing.T) {
			f := parse(t, fileOf(c))
			want := map[string]string{}
			good, bad := 0, 0
			for _, cs := range f.Cases {
				out := cs.Ask(c)
				got, found := out.Text, len(out.Findings) > 0
				want[cs.Name] = got
				switch {
				case cs.Bad():
					bad++
				default:
					good++
				}
				if cs.Bad() != found {
					t.Errorf("%s: finds something: %v", cs.Name, found)
				}
				if diff := cmp.Diff(cs.Want, got); diff != "" && !*update {
					t.Errorf("%s (-want +got; go test ./policies/checks -update rewrites it):\n%s", cs.Name, diff)
				}
			}
			if good == 0 || bad == 0 {
				t.Errorf("%s has %d ok-* and %d bad-* cases; it needs at least one of each", fileOf(c), good, bad)
			}
			if *update {
				if err := os.WriteFile(fileOf(c), f.Update(want), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func all(view *policies.View, checks []*policies.Check) []policies.Finding {
	var out []policies.Finding
	for o := range view.Objects() {
		out = append(out, policies.Evaluate(checks, view, o)...)
	}
	slices.SortFunc(out, policies.CompareFindings)
	return out
}

// TestFilesSayWhatTheyAre tells checks from what they share: a file is a check with its scenarios, or is
// called shared_*.
func TestFilesSayWhatTheyAre(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		_, err := os.Stat(strings.TrimSuffix(f, ".go") + ".txtar")
		shared := strings.HasPrefix(f, "shared_") || strings.HasSuffix(f, "_test.go") || f == "doc.go"
		if (err != nil) != shared {
			t.Errorf("%s: a check has a .txtar of the same name, what checks share is called shared_*", f)
		}
	}
}

// TestEveryFileHasACheck finds scenarios that no check runs.
func TestEveryFileHasACheck(t *testing.T) {
	known := map[string]bool{}
	for _, c := range asked() {
		known[fileOf(c)] = true
	}
	files, err := filepath.Glob("*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !known[f] {
			t.Errorf("%s belongs to no check", f)
		}
	}
}

// TestFixes applies every patch of every finding in every scenario: the finding goes away, no other
// comes but information, and applying it again changes nothing.
func TestFixes(t *testing.T) {
	checks := asked()
	patches := 0
	for _, c := range checks {
		f := parse(t, fileOf(c))
		for _, cs := range f.Cases {
			view := policies.NewView(cs.Snapshot)
			before := all(view, checks)
			for _, finding := range before {
				for _, fix := range finding.Fixes {
					if len(fix.Patch) > 0 {
						patches++
						t.Run(fmt.Sprintf("%s/%s/%s", c.ID, cs.Name, fix.Message), func(t *testing.T) {
							tryFix(t, cs.Snapshot, before, finding, fix)
						})
					}
				}
			}
		}
	}
	if patches == 0 {
		t.Error("no scenario shows a patch")
	}
}

func tryFix(t *testing.T, s *mesh.Snapshot, before []policies.Finding, finding policies.Finding, fix policies.Fix) {
	t.Helper()
	kind, _ := mesh.KindOf(finding.Object.APIVersion, finding.Object.Kind)
	o := s.Get(kind, finding.Object.Namespace, finding.Object.Name)
	patched := patch(t, o.Content(), fix.Patch)
	next, err := mesh.Decode(patched)
	if err != nil {
		t.Fatalf("the patch breaks the object: %v", err)
	}
	after := all(policies.NewView(s.With(next)), policies.Checks())
	key := func(f policies.Finding) string { return f.Check + " " + f.Object.String() + " " + f.Message }
	was := map[string]bool{}
	for _, f := range before {
		was[key(f)] = true
	}
	for _, f := range after {
		if key(f) == key(finding) {
			t.Errorf("the finding is still there after %v: %s", fix.Patch, f.Message)
		}
		if !was[key(f)] && f.Severity != policies.Info { // info is worth knowing, as of what a waypoint enforces now, and no fault
			t.Errorf("the patch adds a finding: %s: %s: %s", f.Check, f.Object, f.Message)
		}
	}
}

func patch(t *testing.T, content map[string]any, ops []policies.Op) map[string]any {
	t.Helper()
	doc, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(ops)
	if err != nil {
		t.Fatal(err)
	}
	p, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Apply(doc)
	if err != nil {
		t.Fatalf("the patch %s does not apply: %v", raw, err)
	}
	var patched map[string]any
	if err := json.Unmarshal(out, &patched); err != nil {
		t.Fatal(err)
	}
	return patched
}
