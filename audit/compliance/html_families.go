package compliance

import (
	"fmt"
	"strings"

	"github.com/waywarden/waywarden/rules/controls"
)

// Family is the controls of a framework that begin alike, with more to say of than that nothing is evidence for them, and the IDs
// of the others.
type Family struct {
	ID, Title string
	Controls  []Control
	Rest      []string
	totals    Totals
}

// Families divide a framework's controls, in its order. Where all are of one family, or each of its own, they are one
// without a name.
func (f Framework) Families() []*Family {
	var out []*Family
	at := map[string]*Family{}
	for _, c := range f.Controls {
		id, title := controls.Family(f.ID, c.ID)
		family := at[id]
		if family == nil {
			family = &Family{ID: id, Title: title}
			at[id] = family
			out = append(out, family)
		}
		family.add(c)
	}
	if len(out) > 1 && len(out) < len(f.Controls) {
		return out
	}
	one := &Family{}
	for _, c := range f.Controls {
		one.add(c)
	}
	return []*Family{one}
}

func (f *Family) add(c Control) {
	f.totals.Controls++
	*f.totals.at(c.State)++
	if len(c.Checks) > 0 {
		f.Controls = append(f.Controls, c)
	} else {
		f.Rest = append(f.Rest, c.ID)
	}
}

// Line is the family's totals: how many of its controls have which state, of how many.
func (f *Family) Line() string {
	var parts []string
	for _, s := range States {
		if n := f.totals.Of(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.Words()))
		}
	}
	return fmt.Sprintf("%s of %s", strings.Join(parts, ", "), count(f.totals.Controls, "control", "controls"))
}

// Rest is how many of a framework's controls no check is evidence for.
func (f Framework) Rest() (n int) {
	for _, c := range f.Controls {
		if len(c.Checks) == 0 {
			n++
		}
	}
	return n
}
