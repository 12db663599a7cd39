package main

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

// bankMoment is what the report of the bank is of: the same whenever it is made.
var bankMoment = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)

// bank is the compliance report of the example, for some frameworks; without any, for all that come with the program.
func bank(format func(io.Writer, *compliance.Report) error, frameworks ...string) func() (string, error) {
	return func() (string, error) {
		inv, err := inventory.Files(inventory.FileOptions{}, "examples/bank")
		if err != nil {
			return "", err
		}
		if len(frameworks) == 0 {
			frameworks = compliance.Shipped()
		}
		opts := audit.ReportOptions{Version: "example", Source: "files", Options: audit.Options{Known: allChecks(), Checks: allChecks(), Rules: audit.Rules{Now: bankMoment}}}
		for _, id := range frameworks {
			frame, ok := compliance.Find(id)
			if !ok {
				panic("gen: there is no framework " + id)
			}
			opts.Frames = append(opts.Frames, frame)
		}
		var b strings.Builder
		err = format(&b, audit.Report(inv, opts))
		return b.String(), err
	}
}

// allChecks are those in Go and those of the zero-trust library.
func allChecks() []*policies.Check {
	all := slices.Concat(policies.Checks(), zerotrust.Pack().Checks())
	slices.SortFunc(all, func(a, b *policies.Check) int { return strings.Compare(a.ID, b.ID) })
	return all
}
