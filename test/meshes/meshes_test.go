// Package meshes holds whole meshes, as people write them, against every check at once: what is found in
// them, and that nothing is in those that are as they should be.
package meshes

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

var update = flag.Bool("update", false, "rewrite the expectations in *.txtar")

// TestMeshes compares all that is found in a mesh with what the file expects. In an ok-* mesh nothing is
// worse than a remark.
func TestMeshes(t *testing.T) {
	files, err := scenario.Load(os.DirFS("."), "*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.Name, func(t *testing.T) {
			want := map[string]string{}
			for _, c := range f.Cases {
				findings, altered := evaluate(c)
				want[c.Name] = scenario.Describe(altered, findings)
				if !c.Bad() {
					for _, x := range findings {
						if x.Severity != policies.Info {
							t.Errorf("%s: %s %s in a mesh that is as it should be: %s", c.Name, x.Severity, x.Check, x.Message)
						}
					}
				}
				if diff := cmp.Diff(c.Want, want[c.Name]); diff != "" && !*update {
					t.Errorf("%s (-want +got; go test ./test/meshes -update rewrites it):\n%s", c.Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(f.Name, f.Update(want), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// evaluate is all that is found, and the effects that differ from what their policies say.
func evaluate(c scenario.Case) (findings []policies.Finding, altered []policies.Effect) {
	view := policies.NewView(c.Snapshot)
	for _, kind := range mesh.Kinds() {
		for o := range c.Snapshot.All(kind) {
			findings = append(findings, policies.Evaluate(policies.Checks(), view, o)...)
			for _, e := range view.Effects(o) {
				if e.Verdict != policies.Enforced {
					altered = append(altered, e)
				}
			}
		}
	}
	return findings, altered
}
