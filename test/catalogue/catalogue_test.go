package catalogue

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/waywarden/waywarden/policies"
)

// TestEveryCaseIsAnswered: a check finds it, or the catalogue says why none can; never both.
func TestEveryCaseIsAnswered(t *testing.T) {
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != Last {
		t.Fatalf("the catalogue has %d cases, want %d", len(cases), Last)
	}
	for _, c := range cases {
		excused := c.Undecidable != "" || c.Admission != ""
		switch {
		case len(c.Checks) == 0 && !excused:
			t.Errorf("no check has case %d in its Cases, and cases.txt does not say why: %s", c.Number, c.Text)
		case len(c.Checks) > 0 && excused:
			t.Errorf("%v finds case %d, and cases.txt says that nothing can: remove the reason", c.Checks, c.Number)
		case c.Undecidable != "" && c.Admission != "":
			t.Errorf("case %d has two reasons", c.Number)
		}
	}
}

// TestDocsNameRealChecks: every ID in backquotes in the documentation is that of a check.
func TestDocsNameRealChecks(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile("`((?:effect|waypoint|enrolment)/[a-z0-9/-]+)`")
	named := 0
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range id.FindAllStringSubmatch(string(doc), -1) {
			named++
			if !slices.ContainsFunc(policies.Checks(), func(c *policies.Check) bool { return c.ID == m[1] }) {
				t.Errorf("%s names check %s, and there is none", filepath.Base(file), m[1])
			}
		}
	}
	if named == 0 {
		t.Error("the documentation names no check at all")
	}
}
