package gatekeeper

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/trial"
)

var update = flag.Bool("update", false, "rewrite what is expected in testdata")

func importFolder(t *testing.T, dir string) Pack {
	t.Helper()
	names, err := filepath.Glob(dir + "/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal("no files", err)
	}
	var sources []Source
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, Source{filepath.ToSlash(name), data})
	}
	return Import("acme", sources, os.ReadFile)
}

func golden(t *testing.T, file, got string) {
	t.Helper()
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

// TestImport: what is made of a template passes what is demanded of rules, and judges the cases of its Suite as gator does.
func TestImport(t *testing.T) {
	pack := importFolder(t, "testdata/services")
	if len(pack.Refusals) > 0 {
		t.Fatal(pack.Refusals)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(pack.Files)) {
		b.WriteString("== " + name + "\n" + string(pack.Files[name]))
	}
	golden(t, "testdata/services/pack.want", b.String())

	fsys := fstest.MapFS{}
	for name, data := range pack.Files {
		fsys[name] = &fstest.MapFile{Data: data}
	}
	// Of this one there is no Suite.
	fsys["acme/no_wildcards.txtar"] = &fstest.MapFile{Data: []byte(`-- ok-a.yaml --
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a, namespace: shop}
spec: {hostnames: [a.example.com]}
-- bad-a.yaml --
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a, namespace: shop}
spec: {hostnames: ["*.example.com"]}
`)}
	loaded, refusals, err := rules.Check(fsys, rules.Options{})
	if err != nil || len(refusals) > 0 {
		t.Fatalf("%v\n%v", err, refusals)
	}
	only := func(id string) bool { return id == "acme/services-inside" }
	for _, r := range trial.Run(loaded, trial.Options{Only: only, Updating: true}) {
		for _, c := range r.Cases {
			if len(c.Problems) > 0 {
				t.Errorf("%s: %v\n%s%s", c.Name, c.Problems, c.Text, c.Why)
			}
		}
		if len(r.Cases) != 3 {
			t.Errorf("%d cases", len(r.Cases))
		}
	}
	if got := loaded.Find("acme/no-wildcards"); got == nil || len(got.Phases) != 1 || got.Phases[0] != "admission" {
		t.Errorf("what asks for the operation is asked elsewhere than at admission: %v", got)
	}
}

// TestRefused: what cannot be carried over, and why.
func TestRefused(t *testing.T) {
	pack := importFolder(t, "testdata/refused")
	var b strings.Builder
	for _, r := range pack.Refusals {
		b.WriteString(r.String() + "\n")
	}
	golden(t, "testdata/refused/refusals.want", b.String())
	if len(pack.Files) > 0 {
		t.Errorf("written all the same: %v", slices.Collect(maps.Keys(pack.Files)))
	}
}

// FuzzImport: whatever a file holds, it is carried over or refused, and what is written can be read.
func FuzzImport(f *testing.F) {
	for _, name := range []string{"testdata/services/template.yaml", "testdata/services/constraint.yaml", "testdata/refused/all.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pack := Import("acme", []Source{{"x.yaml", data}}, os.ReadFile)
		for name, text := range pack.Files {
			if strings.HasSuffix(name, ".rego") {
				if _, err := rules.Parse(name, text); err != nil {
					t.Errorf("%v\n%s", err, text)
				}
			}
		}
	})
}
