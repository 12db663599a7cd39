package audit

import (
	"slices"

	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies/mesh"
)

// ReportOptions say what a compliance report says, besides how is scanned.
type ReportOptions struct {
	Options
	// Frames are the frameworks to say something of.
	Frames []compliance.Frame
	// Version is that of the program.
	Version string
	// Source is what the inventory was read from, in a word or three: "files", "cluster", "files and cluster".
	Source string
}

// Report says what a scan of an inventory is evidence for. The moment that it is of is that of the Rules.
func Report(inv *inventory.Inventory, opts ReportOptions) *compliance.Report {
	opts.fill()
	w := scan(inv, opts.Options)
	result := w.Finish()
	paths := slices.Clone(inv.Read())
	slices.Sort(paths)
	return compliance.New(compliance.Input{
		Scan: result, Known: opts.Known, Snapshot: w.s, Standings: w.judge.book.Standings(w.judge.tally, opts.Rules.Now), Frames: opts.Frames,
		Source: opts.Source, Paths: paths, ResourceVersion: func(o *mesh.Object) string { return inv.ResourceVersion(o) },
		Version: opts.Version, Now: opts.Rules.Now,
	})
}
