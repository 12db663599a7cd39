// Package probes holds what was probed in a real istiod: which policies a waypoint gets, and which it
// does not. In a case ok-* a waypoint applies every policy of the case, in a case bad-* none of them.
package probes

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/scenario"
)

var update = flag.Bool("update", false, "rewrite the expectations in the .txtar files")

func TestProbes(t *testing.T) {
	files, err := scenario.Load(os.DirFS("."), "*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.Name, func(t *testing.T) { probe(t, f) })
	}
}

func probe(t *testing.T, f *scenario.File) {
	want := map[string]string{}
	for _, cs := range f.Cases {
		var effects []policies.Effect
		for _, o := range cs.Objects {
			own := policies.Effects(cs.Snapshot, o)
			if o.Kind.IsPolicy() && atWaypoint(own) == cs.Bad() {
				t.Errorf("%s: %s: applied by a waypoint: %v", cs.Name, o, atWaypoint(own))
			}
			effects = append(effects, own...)
		}
		want[cs.Name] = verdicts(scenario.Describe(effects, nil))
		if diff := cmp.Diff(cs.Want, want[cs.Name]); diff != "" && !*update {
			t.Errorf("%s (-want +got; go test ./test/probes -update rewrites it):\n%s", cs.Name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(f.Name, f.Update(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// verdicts leaves out the messages, which checks show well enough.
func verdicts(described string) string {
	var b strings.Builder
	for line := range strings.Lines(described) {
		if strings.HasPrefix(line, "effect ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func atWaypoint(effects []policies.Effect) bool {
	for _, e := range effects {
		if e.EnforcedBy == policies.Waypoint {
			return true
		}
	}
	return false
}
