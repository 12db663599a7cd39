package trial

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules"
)

var update = flag.Bool("update", false, "rewrite what is expected in testdata")

func load(t *testing.T, dir string) *rules.Pack {
	t.Helper()
	pack, err := rules.Load(os.DirFS(dir), rules.Options{Root: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	return pack
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestWhy: of every way in which a case can fail, what is said, and the part of the evaluation that explains it.
func TestWhy(t *testing.T) {
	var b strings.Builder
	for _, r := range Run(load(t, "testdata/acme"), Options{}) {
		for _, c := range r.Cases {
			fmt.Fprintf(&b, "== %s\n%s\n%s-- why\n%s-- printed\n%s", c.Name, strings.Join(c.Problems, "\n"), c.Diff, c.Why, c.Printed)
		}
		fmt.Fprintf(&b, "== coverage %.1f %%, missed %v\n", r.Coverage.Percent(), r.Coverage.Missed)
	}
	golden(t, "why.want", b.String())
}

// TestUpdating: what is said becomes what is expected, and a case that is not what its name says stays wrong.
func TestUpdating(t *testing.T) {
	pack := load(t, "testdata/acme")
	for _, r := range Run(pack, Options{Updating: true}) {
		for _, c := range r.Cases {
			if wrong := len(c.Problems) > 0; wrong != (c.Name != "ok-other-words") {
				t.Errorf("%s: %q", c.Name, c.Problems)
			}
		}
		if got := string(r.Update()); !strings.Contains(got, "-- ok-other-words.want --\neffect AuthorizationPolicy") {
			t.Errorf("not written down:\n%s", got)
		}
	}
}

func TestRunRego(t *testing.T) {
	tests, err := RunRego(context.Background(), load(t, "testdata/acme"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, one := range tests {
		fmt.Fprintf(&b, "%s:%d %s: %s\n%s%s", one.File, one.Line, one.Name, one.Problem, one.Why, one.Printed)
	}
	golden(t, "rego.want", b.String())
}

// TestMutate: which mistakes are noticed, which are not, which comment excuses one, and which excuses nothing.
func TestMutate(t *testing.T) {
	var b strings.Builder
	for _, m := range Mutate(load(t, "testdata/mutants"), nil) {
		fmt.Fprintf(&b, "%s: %d killed, %d stillborn\n", m.Rule.ID, m.Killed, m.Stillborn)
		for _, s := range m.Survived {
			fmt.Fprintf(&b, "survived %d:%d %s\n", s.Line, s.Column, s)
		}
		for _, s := range m.Excused {
			fmt.Fprintf(&b, "excused %d:%d %s: %s\n", s.Line, s.Column, s, s.Reason)
		}
		fmt.Fprintf(&b, "idle %v\n", m.Idle)
	}
	golden(t, "mutants.want", b.String())
}

// TestBegin: a rule can be begun for every kind, and passes what is demanded of rules.
func TestBegin(t *testing.T) {
	for _, k := range mesh.Kinds() {
		begun, err := Begin(Beginning{ID: "acme/has-owner", Kinds: []mesh.Kind{k}, Severity: policies.High})
		if err != nil {
			t.Errorf("%s: %v", k, err)
			continue
		}
		if begun.Rego != "acme/has_owner.rego" || begun.Scenarios != "acme/has_owner.txtar" || !bytes.Contains(begun.Files[begun.Scenarios], []byte("finding high "+k.String())) {
			t.Errorf("%s: %s", k, begun.Files[begun.Scenarios])
		}
	}
	for _, id := range []string{"noslash", "Acme/x", "acme/x_", "zero-trust/x", "acme//x", "../x"} {
		if _, err := Begin(Beginning{ID: id, Kinds: []mesh.Kind{mesh.Service}, Severity: policies.Low}); err == nil {
			t.Errorf("%q is accepted", id)
		}
	}
}

func TestBeside(t *testing.T) {
	for _, tc := range []struct{ file, folder, want string }{
		{"acme/x.rego", "/p", "acme/x.rego"},
		{"acme/x.rego", "/acme", "acme/x.rego"},
		{"zerotrust/authz/x.rego", "/rules/zerotrust", "authz/x.rego"},
	} {
		if got := Beside(tc.file, tc.folder); got != tc.want {
			t.Errorf("%s in %s is %s, want %s", tc.file, tc.folder, got, tc.want)
		}
	}
}

// TestBench: the lines can be read as those of Go's benchmarks.
func TestBench(t *testing.T) {
	var b bytes.Buffer
	if err := Bench(load(t, "testdata/mutants"), nil, time.Millisecond, func(one Benchmark) error {
		if one.P50 <= 0 || one.P99 < one.P50 || one.Allocs == 0 || one.N == 0 {
			t.Errorf("%+v", one)
		}
		return one.Write(&b)
	}); err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(b.String())
	if len(fields) != 12 || !strings.HasPrefix(fields[0], "BenchmarkRule/acme/weak-") || fields[3] != "ns/op" || fields[11] != "allocs/op" {
		t.Errorf("%q", b.String())
	}
}
