package audit

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Options say how to scan. The zero value asks every built-in check of every object.
type Options struct {
	Mesh   mesh.Options
	Checks []*policies.Check // nil: all built-in ones
	// Known are all the checks there are, also those that are not asked: what Guardrails and Exemptions may name. Nil: the
	// built-in ones.
	Known []*policies.Check
	// Judge limits which objects are judged, never which are looked at; nil judges all.
	Judge func(*mesh.Object) bool
	// Before, where it is set, is the cluster as it is, and the inventory what it would be with
	// files applied. Objects of the files are judged in full; of what is stored, only that which
	// the files make worse.
	Before *inventory.Inventory
	// Rules are what Guardrails and Exemptions are applied with.
	Rules Rules
	// Progress, which may be nil, is called from many goroutines: so many more objects are judged,
	// of so many in all.
	Progress func(done, total int)
}

// Scan judges an inventory.
func Scan(inv *inventory.Inventory, opts Options) *report.ScanResult { return scan(inv, opts).Finish() }

// scan judges an inventory, and keeps what it was judged by.
func scan(inv *inventory.Inventory, opts Options) writer {
	opts.fill()
	opts.Mesh.Unread = inv.Hidden()
	s := mesh.New(opts.Mesh, inv.Objects...)
	var before *mesh.Snapshot
	if opts.Before != nil {
		before = mesh.New(opts.Mesh, opts.Before.Objects...)
	}
	judge := newJudge(inv, opts.Rules, s, before)
	occasion := opts.occasion(judge)
	answers := opts.evaluate(occasion, s, opts.Judge)
	if before != nil {
		answers = opts.newly(occasion, inv, before, answers)
	}
	w := writer{inv, s, judge, &report.ScanResult{Checks: opts.Checks, Ignored: inv.Ignored}}
	w.Summary = report.Summary{Objects: s.Len(), Checks: len(opts.Checks)}
	for _, a := range answers {
		w.answer(a)
	}
	w.blocked(&opts, before)
	w.authored(&opts)
	w.refused()
	w.input()
	return w
}

// fill enters what is left out.
func (o *Options) fill() {
	if o.Known == nil {
		o.Known = policies.Checks()
	}
	if o.Checks == nil {
		o.Checks = policies.Checks()
	}
	o.Checks, o.Rules.Checks = policies.AboutObjects(o.Checks), o.Known
}

// occasion is a scan, with what Guardrails say.
func (o *Options) occasion(j *judge) policies.Occasion {
	return policies.Occasion{Now: o.Rules.Now, Parameters: j.book.Parameters()}
}

func (o *Options) evaluate(occasion policies.Occasion, s *mesh.Snapshot, judge func(*mesh.Object) bool) []Answer {
	var objects []*mesh.Object
	for object := range s.Objects() {
		if judge == nil || judge(object) {
			objects = append(objects, object)
		}
	}
	var progress func(int)
	if o.Progress != nil {
		progress = func(done int) { o.Progress(done, len(objects)) }
	}
	return EvaluateOn(occasion, s, objects, o.Checks, progress)
}

// newly leaves of the answers those to objects of the files, and what there is to say of stored
// objects that there was not before.
func (o *Options) newly(occasion policies.Occasion, inv *inventory.Inventory, before *mesh.Snapshot, after []Answer) []Answer {
	stored := func(object *mesh.Object) bool { return !inv.FromFile(object) }
	was := map[string]int{}
	for _, a := range o.evaluate(occasion, before, stored) {
		for _, f := range a.Findings {
			was[sameFinding(f)]++
		}
	}
	var out []Answer
	for _, a := range after {
		if stored(a.Object) {
			a.Findings = slices.DeleteFunc(a.Findings, func(f policies.Finding) bool {
				was[sameFinding(f)]--
				return was[sameFinding(f)] >= 0
			})
			if len(a.Findings)+len(a.Panics)+len(a.Failures) == 0 {
				continue
			}
		}
		out = append(out, a)
	}
	return out
}

// writer enters answers into a report, with their places.
type writer struct {
	inv *inventory.Inventory
	s   *mesh.Snapshot
	// judge may be nil where no finding is entered.
	judge *judge
	*report.ScanResult
}

func (w writer) place(ref mesh.Ref, field string) *report.Location { return Place(w.inv, ref, field) }

// Place is where a field of an object is written; nil for what is in no file.
func Place(inv *inventory.Inventory, ref mesh.Ref, field string) *report.Location {
	file, line, column, ok := inv.Position(ref, field)
	if !ok {
		return nil
	}
	return &report.Location{File: file, Line: line, Column: column}
}

func (w writer) answer(a Answer) {
	ref := a.Object.Ref()
	if a.Object.Kind.IsPolicy() {
		w.Summary.Policies++
	}
	for _, e := range a.Effects {
		w.Effects = append(w.Effects, report.At(e, w.place(ref, e.Field)))
	}
	w.decide(a.Findings)
	if b, ok := bindingOf(w.s, a.Object); ok {
		b.Location = w.place(ref, "")
		w.Bindings = append(w.Bindings, b)
	}
	for _, p := range a.Panics {
		what := "its effects could not be judged"
		if p.Check != "" {
			what = "check " + p.Check + " could not be asked of it"
		}
		w.Errors = append(w.Errors, report.Error{Object: &ref, Check: p.Check, Location: w.place(ref, ""),
			Message: fmt.Sprintf("%s: this is a mistake in waywarden: %s. Report it, with the object.", what, p.Value)})
	}
	for _, f := range a.Failures {
		w.Errors = append(w.Errors, report.Error{Object: &ref, Check: f.Check, Location: w.place(ref, ""),
			Message: fmt.Sprintf("check %s could not be asked of it: %s", f.Check, f.Message)})
	}
	w.judged(a, ref)
}

// judged enters which checks were asked of an object. Its place is only the line where it begins,
// which is known without a look at the text.
func (w writer) judged(a Answer, ref mesh.Ref) {
	judged := report.Judged{Object: ref}
	for _, c := range w.Checks {
		if slices.Contains(c.Kinds, a.Object.Kind) {
			judged.Checks = append(judged.Checks, c.ID)
		}
	}
	if len(judged.Checks) == 0 {
		return
	}
	for _, s := range a.Skips {
		if judged.Skipped == nil {
			judged.Skipped = map[string]string{}
		}
		judged.Skipped[s.Check] = s.Reason
	}
	if d := w.inv.Document(ref); d != nil {
		judged.Location = &report.Location{File: d.File, Line: d.Line}
	}
	w.Judged = append(w.Judged, judged)
}

// input enters what could not be read.
func (w writer) input() {
	for _, p := range w.inv.Problems {
		e := report.Error{Message: p.Message, Field: p.Field}
		if p.File != inventory.TheCluster {
			e.Location = &report.Location{File: p.File, Line: p.Line, Column: p.Column}
			if p.Line > 0 { // a parser that names only the line means all of it
				e.Location.Column = max(p.Column, 1)
			}
		}
		w.Errors = append(w.Errors, e)
	}
	for _, u := range w.inv.Unread {
		w.Unread = append(w.Unread, report.Unread(u))
	}
}
