package istiod

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestKnownDifferencesAreExplained holds the list to docs/semantics.md: every entry is a row there, with the same
// line of Istio's code, and every row is an entry.
func TestKnownDifferencesAreExplained(t *testing.T) {
	raw, err := os.ReadFile("../../docs/semantics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(raw), "### Where a running istiod contradicts itself")
	if !ok {
		t.Fatal("docs/semantics.md has no section on where istiod contradicts itself")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string]string{}
	for _, line := range strings.Split(section, "\n") {
		if cells := strings.Split(line, "|"); len(cells) == 5 && !strings.HasPrefix(line, "|--") && !strings.HasPrefix(line, "| difference ") {
			rows[strings.TrimSpace(cells[1])] = strings.TrimSpace(cells[3])
		}
	}
	place := regexp.MustCompile(`^pilot/[a-z/_]+\.go:[0-9]+$`)
	for _, k := range known {
		if !place.MatchString(k.line) || k.says == "" || k.why == "" {
			t.Errorf("%q names no line of Istio's code, or does not say why", k.name)
		}
		if rows[k.name] != "`"+k.line+"`" {
			t.Errorf("%q: docs/semantics.md says %q, want `%s`", k.name, rows[k.name], k.line)
		}
		delete(rows, k.name)
	}
	for name := range rows {
		t.Errorf("docs/semantics.md explains %q, which is not in the list", name)
	}
}
