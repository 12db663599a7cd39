package report

import (
	"bufio"
	"fmt"
	"io"

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
	t := textWriter{Writer: bufio.NewWriter(w), style: style, objects: true}
	for _, r := range repairs {
		t.headline(where(r.Location, r.Object.String()), "repaired", green, printable(r.Object.String()+": "+r.Message), r.Check)
	}
	if len(repairs) > 0 && len(left.Findings)+len(left.Errors)+len(left.Unread) > 0 {
		t.WriteByte('\n')
	}
	for _, f := range inReadingOrder(left.Findings) {
		t.finding(&f)
	}
	t.errors(left)
	t.unknown(left)
	t.unread(left)
	fmt.Fprintf(t, "%s; left: %s.\n", plural(len(repairs), "repair", "repairs"), t.counts(left))
	return t.Flush()
}
