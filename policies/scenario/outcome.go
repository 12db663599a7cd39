package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Outcome is what a check says of a case.
type Outcome struct {
	// Text is as expectations are written: the effects of the case's own policies, and what the check says of anything.
	Text     string
	Findings []policies.Finding
	Failures []policies.Failure
	Skips    []policies.Skip
}

// Ask asks a check of every object of a case, or of its changes.
func (c Case) Ask(check *policies.Check) Outcome {
	view := policies.NewView(c.Snapshot)
	var effects []policies.Effect
	for _, o := range c.Objects {
		effects = append(effects, view.Effects(o)...)
	}
	var out Outcome
	if check.Run != nil {
		for o := range view.Objects() {
			out.Findings = append(out.Findings, policies.Evaluate([]*policies.Check{check}, view, o)...)
		}
		out.Failures, out.Skips = view.TakeFailures(), view.TakeSkips()
	}
	if check.Change != nil {
		out.changes(check, c)
	}
	slices.SortFunc(out.Findings, policies.CompareFindings)
	out.Text = Describe(effects, out.Findings)
	var b strings.Builder
	for _, s := range out.Skips {
		fmt.Fprintf(&b, "skips %s: %s\n", short(s.Object), s.Reason)
	}
	for _, f := range out.Failures {
		fmt.Fprintf(&b, "fails on %s: %s\n", short(f.Object), f.Message)
	}
	if b.Len() > 0 {
		out.Text = strings.TrimPrefix(out.Text, "nothing\n") + b.String()
	}
	return out
}

// changes asks about the changes of a case, one after another: its objects, then what it deletes.
func (out *Outcome) changes(check *policies.Check, c Case) {
	before := c.Before
	one := func(o, next *mesh.Object, after *mesh.Snapshot) {
		change := &policies.Change{Old: before.Get(o.Kind, o.Namespace, o.Name), New: next, Before: policies.NewView(before), After: policies.NewView(after)}
		out.Findings = append(out.Findings, policies.EvaluateChange([]*policies.Check{check}, change)...)
		out.Failures = append(out.Failures, change.After.TakeFailures()...)
		before = after
	}
	for _, o := range c.Objects {
		one(o, o, before.With(o))
	}
	for _, o := range c.Deleted {
		one(o, nil, Deleted(before, o))
	}
}
