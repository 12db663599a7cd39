// Package examples holds the folder examples to what its comments say: every mistake is found, with
// the verdict that its comment begins with, and nothing is found in what works.
package examples

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks"
)

var update = flag.Bool("update", false, "rewrite testdata/findings.golden")

const folder = "../../examples"

func scan(t *testing.T, paths ...string) *report.ScanResult {
	t.Helper()
	for i, p := range paths {
		paths[i] = filepath.Join(folder, p)
	}
	inv, err := inventory.Files(inventory.FileOptions{}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	r := audit.Scan(inv, audit.Options{})
	for _, e := range r.Errors {
		t.Errorf("%s: %s", paths, e.Message)
	}
	return r
}

// TestFindings compares with findings.golden: a line for each finding (file, object, check, verdict).
func TestFindings(t *testing.T) {
	var got bytes.Buffer
	for _, input := range []string{"ineffective.yaml", "shop", "bank"} {
		for _, f := range scan(t, input).Findings {
			file, err := filepath.Rel(folder, f.Location.File)
			if err != nil {
				t.Fatal(err)
			}
			verdict := f.Verdict
			if verdict == "" {
				verdict = "-"
			}
			fmt.Fprintln(&got, filepath.ToSlash(file), f.Object, f.Severity, f.Check, verdict)
		}
	}
	golden := filepath.Join("testdata", "findings.golden")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestGood holds that what works is not accused, without the mistakes and beside them, and that all folders together can be
// read, which is what a newcomer tries first.
func TestGood(t *testing.T) {
	scan(t, "")
	for _, input := range []string{"shop", "bank"} {
		good := scan(t, input+"/mesh.yaml", input+"/policies.yaml")
		for _, f := range good.Findings {
			if f.Severity != policies.Info {
				t.Errorf("%s: %s %s: %s", f.Location.File, f.Severity, f.Check, f.Message)
			}
		}
		for _, e := range good.Effects {
			if e.Verdict != policies.Enforced {
				t.Errorf("%s at %s is %s: %s", e.Object, e.Target, e.Verdict, e.Message)
			}
		}
		for _, f := range scan(t, input).Findings {
			if f.Severity != policies.Info && filepath.Base(f.Location.File) != "mistakes.yaml" {
				t.Errorf("%s: %s %s: %s", f.Location.File, f.Severity, f.Check, f.Message)
			}
		}
	}
}

var (
	comment = regexp.MustCompile(`(?m)^# (?:\d+\. )?([A-Z][A-Za-z]+): `)
	named   = regexp.MustCompile(`(?m)^kind: (\w+)\nmetadata:\n  name: (\S+)\n  namespace: (\S+)`)
)

// TestVerdicts holds each mistake to the verdict that its comment begins with, and to a finding of its own.
func TestVerdicts(t *testing.T) {
	for input, file := range map[string]string{"shop": "shop/mistakes.yaml", "bank": "bank/mistakes.yaml", "ineffective.yaml": "ineffective.yaml"} {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		r := scan(t, input)
		n := 0
		for _, doc := range strings.Split(string(text), "\n---\n") {
			says, object := comment.FindStringSubmatch(doc), named.FindStringSubmatch(doc)
			if says == nil {
				if input != "ineffective.yaml" {
					t.Errorf("%s: a mistake without a verdict in its comment:\n%s", file, doc)
				}
				continue
			}
			n++
			name := object[1] + " " + object[3] + "/" + object[2]
			if !slices.ContainsFunc(r.Effects, func(e report.Effect) bool { return e.Object.String() == name && string(e.Verdict) == says[1] }) {
				t.Errorf("%s: %s is not %s", file, name, says[1])
			}
			if !slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Object.String() == name && f.Severity != policies.Info }) {
				t.Errorf("%s: nothing is found about %s", file, name)
			}
		}
		if want := map[string]int{"shop": 3, "bank": 4, "ineffective.yaml": 8}[input]; n != want {
			t.Errorf("%s: %d mistakes, want %d", file, n, want)
		}
	}
}
