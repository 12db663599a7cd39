package examples

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
)

// december is when examples/guardrails is judged: one of its Exemptions has ended, and one has not.
var december = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)

func decided(t *testing.T) *report.ScanResult {
	t.Helper()
	inv, err := inventory.Files(inventory.FileOptions{}, filepath.Join(folder, "guardrails"))
	if err != nil {
		t.Fatal(err)
	}
	r := audit.Scan(inv, audit.Options{Rules: audit.Rules{Now: december}})
	for _, e := range r.Errors {
		t.Error(e.Message)
	}
	return r
}

// TestGuardrails compares with guardrails.golden: a line for each finding, with what is done about it and why.
func TestGuardrails(t *testing.T) {
	var got bytes.Buffer
	for _, f := range decided(t).Findings {
		action := f.Action
		if f.Exempt {
			action += " (exempt)"
		}
		fmt.Fprintf(&got, "%s %s %s: %s\n    %s\n", f.Object, f.Severity, f.Check, action, f.Note)
	}
	golden := filepath.Join("testdata", "guardrails.golden")
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

var done = regexp.MustCompile(`(?m)^# (Denied|Warned about|Exempt)[:,]`)

// TestWhatIsDone holds each policy of examples/guardrails to what its comment begins with.
func TestWhatIsDone(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(folder, "guardrails", "policies.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r := decided(t)
	docs := strings.Split(string(text), "\n---\n")
	if len(docs) != 4 {
		t.Errorf("%d policies, want 4", len(docs))
	}
	for _, doc := range docs {
		says, object := done.FindStringSubmatch(doc), named.FindStringSubmatch(doc)
		if says == nil {
			t.Errorf("a policy whose comment does not say what is done about it:\n%s", doc)
			continue
		}
		name := object[1] + " " + object[3] + "/" + object[2]
		if !slices.ContainsFunc(r.Findings, func(f report.Finding) bool {
			is := map[string]bool{"Denied": f.Action == "Deny" && !f.Exempt, "Warned about": f.Action == "Warn" && !f.Exempt, "Exempt": f.Exempt}
			return f.Object.String() == name && is[says[1]]
		}) {
			t.Errorf("%s is not %s", name, strings.ToLower(says[1]))
		}
	}
}
