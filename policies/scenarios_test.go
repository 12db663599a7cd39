package policies_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/scenario"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata/*.txtar")

// TestScenarios compares the effects of the policies of every case with what the file expects.
// In an ok-* case every policy is enforced as written; in a bad-* case at least one is not.
func TestScenarios(t *testing.T) {
	files, err := scenario.Load(os.DirFS("."), "testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.Name, func(t *testing.T) {
			want := map[string]string{}
			for _, c := range f.Cases {
				var effects []policies.Effect
				asWritten := true
				for _, o := range c.Objects {
					for _, e := range policies.Effects(c.Snapshot, o) {
						effects = append(effects, e)
						asWritten = asWritten && e.Verdict == policies.Enforced
					}
				}
				want[c.Name] = scenario.Describe(effects, nil)
				if asWritten == c.Bad() {
					t.Errorf("%s: everything is enforced as written: %v", c.Name, asWritten)
				}
				if diff := cmp.Diff(c.Want, want[c.Name]); diff != "" && !*update {
					t.Errorf("%s (-want +got; go test ./policies -update rewrites it):\n%s", c.Name, diff)
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
