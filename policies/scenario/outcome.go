package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

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

// Asked is on what occasion the check of a case is asked, and with which parameters. At admission it is asked about the
// objects of the case, else about everything.
type Asked struct {
	Phase  policies.Phase `json:"phase"`
	DryRun bool           `json:"dryRun"`
	// Now is the time, as in 2026-11-25T22:00:00Z.
	Now    time.Time      `json:"now"`
	User   User           `json:"user"`
	Params map[string]any `json:"params"`
	// Over is whether the time for an answer is over; nil for no bound. It is nothing that is written in a file.
	Over func() bool `json:"-"`
}

// User is who makes the request.
type User struct {
	Username string              `json:"username"`
	UID      string              `json:"uid"`
	Groups   []string            `json:"groups"`
	Extra    map[string][]string `json:"extra"`
}

func readAsked(data []byte) (a Asked, err error) {
	if err := yaml.UnmarshalStrict(data, &a); err != nil {
		return a, err
	}
	if a.Phase != "" && !slices.Contains(policies.Phases, a.Phase) {
		return a, fmt.Errorf("there is no phase %q: say admission, audit or scan", a.Phase)
	}
	return a, nil
}

// given is how the parameters of a case are told from the defaults.
const given = "given"

func (a *Asked) occasion(check *policies.Check) policies.Occasion {
	o := policies.Occasion{Phase: a.Phase, DryRun: a.DryRun, Now: a.Now, User: policies.User(a.User), Over: a.Over}
	if a.Params != nil {
		o.Parameters = policies.NewParameters(map[string][]policies.Params{check.ID: {{Key: given, Values: a.Params}}})
	}
	return o
}

// Ask asks a check of every object of a case, or of its changes.
func (c Case) Ask(check *policies.Check) Outcome {
	view := policies.NewView(c.Snapshot)
	var effects []policies.Effect
	for _, o := range c.Objects {
		effects = append(effects, view.Effects(o)...)
	}
	var out Outcome
	switch {
	case check.Run != nil && c.Asked.Phase == policies.AtAdmission:
		for _, o := range c.Objects {
			out.request(check, c, o)
		}
	case check.Run != nil:
		view.Occasion = c.Asked.occasion(check)
		for o := range view.Objects() {
			out.Findings = append(out.Findings, policies.Evaluate([]*policies.Check{check}, view, o)...)
		}
		out.take(view)
	}
	if check.Change != nil {
		out.changes(check, c)
	}
	if c.Asked.Params != nil {
		out.Findings = slices.DeleteFunc(out.Findings, func(f policies.Finding) bool { return f.Params != nil && !slices.Contains(f.Params, given) })
	}
	out.describe(effects)
	return out
}

// View is the mesh of a case, on the occasion on which a check is asked about one of its objects.
func (c Case) View(check *policies.Check, o *mesh.Object) *policies.View {
	view := policies.NewView(c.Snapshot)
	view.Occasion = c.Asked.occasion(check)
	if c.Asked.Phase != policies.AtAdmission {
		return view
	}
	view.Occasion.Operation, view.Occasion.Old = "CREATE", c.Before.Get(o.Kind, o.Namespace, o.Name)
	if view.Occasion.Old != nil {
		view.Occasion.Operation = "UPDATE"
	}
	return view
}

// request asks about an object as admission does.
func (out *Outcome) request(check *policies.Check, c Case, o *mesh.Object) {
	view := c.View(check, o)
	out.Findings = append(out.Findings, policies.Evaluate([]*policies.Check{check}, view, o)...)
	out.take(view)
}

func (out *Outcome) take(view *policies.View) {
	out.Failures, out.Skips = append(out.Failures, view.TakeFailures()...), append(out.Skips, view.TakeSkips()...)
}

// AskOne asks a check of one object of a View. The Text has what the check says, and no effects.
func AskOne(check *policies.Check, view *policies.View, o *mesh.Object) Outcome {
	out := Outcome{Findings: policies.Evaluate([]*policies.Check{check}, view, o)}
	out.take(view)
	out.describe(nil)
	return out
}

// describe writes the Text.
func (out *Outcome) describe(effects []policies.Effect) {
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
}

// changes asks about the changes of a case, one after another: its objects, then what it deletes.
func (out *Outcome) changes(check *policies.Check, c Case) {
	before := c.Before
	one := func(o, next *mesh.Object, after *mesh.Snapshot) {
		change := &policies.Change{Old: before.Get(o.Kind, o.Namespace, o.Name), New: next, Before: policies.NewView(before), After: policies.NewView(after)}
		change.After.Occasion = c.Asked.occasion(check)
		if next == nil {
			change.After.Occasion.Phase, change.After.Occasion.Operation, change.After.Occasion.Old = policies.AtAdmission, "DELETE", o
		}
		out.Findings = append(out.Findings, policies.EvaluateChange([]*policies.Check{check}, change)...)
		out.take(change.After)
		before = after
	}
	for _, o := range c.Objects {
		one(o, o, before.With(o))
	}
	for _, o := range c.Deleted {
		one(o, nil, Deleted(before, o))
	}
}
