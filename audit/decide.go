package audit

import (
	"slices"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Rules are what an inventory's Guardrails and Exemptions are applied with.
type Rules struct {
	// Now is the moment at which Exemptions are in force or not. At the zero time none is.
	Now time.Time
	// MaxExemption is how far ahead an Exemption may end; 0 means decide.DefaultMaxDuration.
	MaxExemption time.Duration
	// Checks are those whose parameters Guardrails are held to.
	Checks []*policies.Check
}

// judge decides about findings by the Guardrails and Exemptions of an inventory, as a cluster would that holds them.
type judge struct {
	book     *decide.Rulebook
	problems []decide.Problem
	request  decide.Request
	now      time.Time
	tally    decide.Tally
}

// newJudge compiles what the inventory has. before is the mesh as it was, nil where nothing changes.
func newJudge(inv *inventory.Inventory, rules Rules, s, before *mesh.Snapshot) *judge {
	j := &judge{request: decide.Request{Mesh: s, Before: before}, now: rules.Now, tally: decide.Tally{}}
	j.book, j.problems = decide.New(decide.Options{MaxDuration: rules.MaxExemption, Checks: rules.Checks}, inv.Guardrails, inv.Exemptions)
	return j
}

// rulings are what is done about findings, one for each. The findings get the action, and whether they are exempt.
func (j *judge) rulings(findings []policies.Finding) []decide.Ruling {
	if len(findings) == 0 {
		return nil
	}
	d := j.book.Judge(j.request, findings, j.now)
	j.tally.Add(d)
	for i := range findings {
		findings[i].Action, findings[i].Exempt = string(d.Rulings[i].Action), d.Rulings[i].Exempt != nil
	}
	return d.Rulings
}

// decide enters findings in the report with what is done about them. What is Off is not shown.
func (w writer) decide(findings []policies.Finding) {
	for i, r := range w.judge.rulings(findings) {
		f := findings[i]
		if r.Action == v1alpha1.Off {
			continue
		}
		out := report.Finding{Finding: f, Location: w.place(f.Object, f.Field), Guardrail: r.Guardrail, Note: r.Note(f)}
		if e := r.Exempt; e != nil {
			out.Exemption = &report.Exemption{Namespace: e.Namespace, Name: e.Name, Reason: e.Reason, Ticket: e.Ticket, GrantedBy: e.GrantedBy, ExpiresAt: e.ExpiresAt.UTC()}
		}
		w.Findings = append(w.Findings, out)
	}
}

// authored enters what there is to say against Guardrails and Exemptions themselves: against those of files, where files
// are looked at, and of the namespaces that are judged.
func (w writer) authored(opts *Options) {
	var ids []string
	for _, c := range opts.Known {
		ids = append(ids, c.ID)
	}
	out := w.judge.book.Misnamed(ids)
	for _, s := range w.judge.book.Standings(w.judge.tally, w.judge.now) {
		e := s.Exemption
		// That one excepts nothing is known only where everything was asked that it could except.
		if s.State == v1alpha1.StateUnused && !(opts.Before == nil && w.s.Known(e.Namespace) && opts.asksAll(e)) {
			continue
		}
		if f, ok := s.Finding(); ok {
			out = append(out, f)
		}
	}
	w.decide(slices.DeleteFunc(out, func(f policies.Finding) bool {
		ns := f.Object.Namespace
		return !slices.ContainsFunc(opts.Checks, func(c *policies.Check) bool { return c.ID == f.Check }) ||
			opts.Before != nil && w.inv.Document(f.Object) == nil ||
			opts.Judge != nil && ns != "" && !opts.Judge(&mesh.Object{Kind: mesh.Namespace, Name: ns})
	}))
}

// asksAll is whether all checks were asked whose findings an Exemption could except.
func (o *Options) asksAll(e *decide.Exemption) bool {
	return !slices.ContainsFunc(o.Known, func(c *policies.Check) bool { return e.Names(c.ID) && !slices.Contains(o.Checks, c) })
}

// refused enters Guardrails and Exemptions that are not well formed, and that no reader of files or of a cluster has
// left out.
func (w writer) refused() {
	for _, p := range w.judge.problems {
		w.Errors = append(w.Errors, report.Error{Object: &p.Object, Field: p.Field, Message: p.Message, Location: w.place(p.Object, p.Field)})
	}
}
