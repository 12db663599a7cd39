package zerotrust

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/rules"
)

var update = flag.Bool("update", false, "rewrite the expectations in the .txtar files")

// TestScenarios asks every rule of its scenarios: it finds something in bad-* and nothing in ok-*, and fails nowhere.
func TestScenarios(t *testing.T) {
	pack, err := rules.Load(os.DirFS("."), rules.Options{Root: Root, Library: true})
	if err != nil {
		t.Fatal(err)
	}
	checks := pack.Checks()
	for i, r := range pack.Rules {
		t.Run(r.ID, func(t *testing.T) {
			want := map[string]string{}
			for _, c := range r.Scenarios().Cases {
				got := c.Ask(checks[i])
				want[c.Name] = got.Text
				if found := len(got.Findings) > 0; c.Bad() != found || len(got.Failures) > 0 {
					t.Errorf("%s: finds something: %v; failures: %v", c.Name, found, got.Failures)
				}
				if diff := cmp.Diff(c.Want, got.Text); diff != "" && !*update {
					t.Errorf("%s (-want +got; go test ./rules/zerotrust -update rewrites it):\n%s", c.Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(filepath.FromSlash(r.ScenarioFile), r.Scenarios().Update(want), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestEmbedded: what is embedded is what lies in the folder.
func TestEmbedded(t *testing.T) {
	pack, err := rules.Load(os.DirFS("."), rules.Options{Root: Root, Library: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pack.Revision, Pack().Revision); diff != "" {
		t.Error(diff)
	}
}
