package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Repair is one thing that was repaired.
type Repair struct {
	Object   mesh.Ref
	Check    string
	Message  string    // what was done
	Location *Location // of what was wrong, before
}

// RepairsText writes for people what was repaired, and what is left, with its remedies.
func RepairsText(w io.Writer, repairs []Repair, left *ScanResult, style Style) error {
	t := textWriter{bufio.NewWriter(w), style}
	for _, r := range repairs {
		t.headline(where(r.Location, r.Object.String()), "repaired", green, printable(r.Object.String()+": "+r.Message), r.Check)
	}
	if len(repairs) > 0 && len(left.Findings)+len(left.Errors)+len(left.Unread) > 0 {
		t.WriteByte('\n')
	}
	for _, f := range left.Findings {
		f.Fixes = slices.Clone(f.Fixes)
		for i := range f.Fixes {
			f.Fixes[i].Patch = nil // it was tried just now: there is no use in naming the command
		}
		t.finding(&f)
	}
	t.errors(left)
	t.unread(left)
	fmt.Fprintf(t, "%s; left: %s.\n", plural(len(repairs), "repair", "repairs"), t.counts(left))
	return t.Flush()
}
