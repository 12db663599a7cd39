package audit

import (
	"encoding/json"
	"slices"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

const (
	// maxRounds bounds how often everything is judged again: one repair can make another one safe, and a chain of more
	// than these is a mistake in the checks.
	maxRounds = 10
	// maxPatches bounds the patches of one object, for the same reason.
	maxPatches = 20
)

// Repair is one patch of one object, and the finding that it answers.
type Repair struct {
	Object   mesh.Ref
	Document *manifest.Document
	Finding  policies.Finding
	Fix      policies.Fix
}

// Repaired is what came of repairing an inventory.
type Repaired struct {
	// Repairs are in the order in which they are to be applied.
	Repairs []Repair
	// Left is what there still is to say of the objects of files.
	Left *report.ScanResult
}

// RepairAll applies the first safe patch of every finding about an object of a file, one after another, and judges anew
// after each, until no patch is left: a patch is safe only in the mesh for which it was offered. Objects for which skip
// is true are left as they are.
func RepairAll(inv *inventory.Inventory, opts Options, skip func(mesh.Ref) bool) *Repaired {
	opts.fill()
	opts.Mesh.Unread = inv.Hidden()
	r := repairer{inv: inv, opts: opts, skip: skip, s: mesh.New(opts.Mesh, inv.Objects...), count: map[mesh.Ref]int{}, gone: map[string]bool{}}
	r.judge = newJudge(inv, opts.Rules, r.s, nil)
	for range maxRounds {
		if !r.round() {
			break
		}
	}
	return &Repaired{Repairs: r.repairs, Left: r.left()}
}

// evaluate judges objects as things stand. Findings that a Guardrail turns off are left out: nobody asks for a repair.
func (r *repairer) evaluate(objects []*mesh.Object) []Answer {
	r.judge.request.Mesh = r.s
	answers := EvaluateOn(r.opts.occasion(r.judge), r.s, objects, r.opts.Checks, nil)
	for i := range answers {
		a := &answers[i]
		r.judge.rulings(a.Findings)
		a.Findings = slices.DeleteFunc(a.Findings, func(f policies.Finding) bool { return f.Action == string(v1alpha1.Off) })
	}
	return answers
}

type repairer struct {
	inv     *inventory.Inventory
	opts    Options
	skip    func(mesh.Ref) bool
	s       *mesh.Snapshot
	judge   *judge
	repairs []Repair
	count   map[mesh.Ref]int // patches of an object
	gone    map[string]bool  // patches that were applied, or cannot be, and that nobody needs to see again
}

// judged are the objects of files, as they are now.
func (r *repairer) judged() []*mesh.Object {
	var out []*mesh.Object
	for o := range r.s.Objects() {
		if r.inv.FromFile(o) {
			out = append(out, o)
		}
	}
	return out
}

// round repairs everything once, and reports whether there was something to repair.
func (r *repairer) round() bool {
	before := len(r.repairs)
	for _, a := range r.evaluate(r.judged()) {
		if !slices.ContainsFunc(a.Findings, patched) {
			continue
		}
		for r.one(a.Object) {
		}
	}
	return len(r.repairs) > before
}

func patched(f policies.Finding) bool {
	return !f.Exempt && slices.ContainsFunc(f.Fixes, func(x policies.Fix) bool { return len(x.Patch) > 0 })
}

// one judges an object as things stand, and applies the first patch that answers a finding.
func (r *repairer) one(was *mesh.Object) bool {
	o := r.s.Get(was.Kind, was.Namespace, was.Name)
	for _, f := range r.evaluate([]*mesh.Object{o})[0].Findings {
		if f.Exempt {
			continue
		}
		for _, x := range f.Fixes {
			if len(x.Patch) > 0 {
				if r.apply(f, x) {
					return true
				}
				break // only the first is offered for application
			}
		}
	}
	return false
}

func (r *repairer) apply(f policies.Finding, x policies.Fix) bool {
	kind, _ := mesh.KindOf(f.Object.APIVersion, f.Object.Kind)
	o := r.s.Get(kind, f.Object.Namespace, f.Object.Name)
	if o == nil || !r.inv.FromFile(o) || r.skip(o.Ref()) || r.count[o.Ref()] >= maxPatches {
		return false
	}
	raw, err := json.Marshal(x.Patch)
	if err != nil {
		return false
	}
	key := o.String() + " " + string(raw)
	if r.gone[key] {
		return false // it did not help the last time
	}
	r.gone[key] = true
	next, err := inventory.Patched(o, raw)
	if err != nil {
		return false // the finding stays, and with it its remedy
	}
	r.s = r.s.With(next)
	r.count[o.Ref()]++
	r.repairs = append(r.repairs, Repair{Object: o.Ref(), Document: r.inv.Document(o.Ref()), Finding: f, Fix: x})
	return true
}

// left is what there is to say after all repairs. Places are those before them.
func (r *repairer) left() *report.ScanResult {
	r.judge.request.Mesh = r.s
	w := writer{r.inv, r.s, r.judge, &report.ScanResult{Checks: r.opts.Checks, Ignored: r.inv.Ignored}}
	w.Summary = report.Summary{Objects: r.s.Len(), Checks: len(r.opts.Checks)}
	for _, a := range EvaluateOn(r.opts.occasion(r.judge), r.s, r.judged(), r.opts.Checks, nil) {
		a.Effects = slices.DeleteFunc(a.Effects, func(e policies.Effect) bool { return e.Verdict != policies.Unknown })
		w.answer(a)
	}
	w.Bindings = nil
	w.refused()
	w.input()
	return w.Finish()
}
