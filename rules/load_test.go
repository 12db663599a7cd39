package rules

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

const scenarios = `Two cases.
-- ok-allow.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop}
spec: {action: ALLOW}
-- bad-deny.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop}
spec: {action: DENY}
`

// folder is the files of an archive, each rule with scenarios unless there is a file called none. What is called .in is a
// scenario file whose sections begin with ">>".
func folder(a *txtar.Archive) fstest.MapFS {
	out := fstest.MapFS{}
	none := false
	for _, f := range a.Files {
		switch {
		case f.Name == "want":
		case f.Name == "none":
			none = true
		case strings.HasSuffix(f.Name, ".in"):
			text := strings.ReplaceAll(string(f.Data), ">> ", "-- ")
			out[strings.TrimSuffix(f.Name, ".in")] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, ".yaml\n", ".yaml --\n"))}
		default:
			out[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	for name := range out {
		beside := strings.TrimSuffix(name, ".rego") + ".txtar"
		if strings.HasSuffix(name, ".rego") && out[beside] == nil && !none && !strings.Contains(name, "/lib/") {
			out[beside] = &fstest.MapFile{Data: []byte(scenarios)}
		}
	}
	return out
}

// TestRefused: every reason for which rules are not loaded, with its place and what to do.
func TestRefused(t *testing.T) {
	files, err := filepath.Glob("testdata/refused/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d cases: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			for i, f := range archive.Files {
				if f.Name == "want" {
					want = string(f.Data)
					archive.Files = append(archive.Files[:i], archive.Files[i+1:]...)
					break
				}
			}
			_, err = Load(folder(archive), Options{Root: "folder"})
			got := "loaded\n"
			if refusals, ok := err.(Refusals); ok {
				got = refusals.Error() + "\n"
			} else if err != nil {
				t.Fatalf("no refusals but %v", err)
			}
			if got == "loaded\n" {
				t.Error("is loaded")
			}
			if diff := cmp.Diff(want, got); diff != "" && !*update {
				t.Errorf("-want +got (go test ./rules -update rewrites it):\n%s", diff)
			}
			if *update {
				archive.Files = append(archive.Files, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
