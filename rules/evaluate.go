package rules

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

const (
	// defaultBudget is how long one rule may think about one object. A typical one takes some microseconds.
	defaultBudget = 2 * time.Second
	// patience is how often a rule may run out of time in one View before it is not asked any more.
	patience = 3
	// share is the part of the budget that rules have together: what they cannot answer in it they are asked alone, and a request
	// has time for both.
	share = 4
	// glances is how many steps of an evaluation pass between two looks at the clock.
	glances = 256
)

var noContext = context.Background()

// answers are those of the rules of a Pack about one object: of rules that certainly have nothing to say of it, none. Each rule
// answers with its defaults, and with each set of parameters that Guardrails give.
type answers struct {
	object *mesh.Object
	all    []answer
}

// answer is what one rule says of one object.
type answer struct {
	probe             *probe
	params            policies.Params // the key is "" for the defaults
	deny, skip, patch []*ast.Term     // sorted
	failure           string          // why there is no answer
	open              bool            // OPA has to be asked
}

// ask is what the rules say of an object.
func (p *Pack) ask(s *session, o *mesh.Object) *answers {
	if last := s.last[p]; last != nil && last.object == o {
		return last
	}
	s.about(o)
	out := &answers{object: o, all: p.answers(s, o)}
	s.last[p] = out // only now: after a panic there are no answers, which is not the same as that nothing is found
	return out
}

func (p *Pack) answers(s *session, o *mesh.Object) []answer {
	occasion := &s.view.Occasion
	plan := p.plans[slot{o.Kind, occasion.PhaseOr(), occasion.Operation}]
	if plan == nil {
		return nil
	}
	out := p.sift(s, plan, o)
	n := slices.IndexFunc(out, func(a answer) bool { return a.probe.needs.whole })
	if n < 0 {
		n = len(out)
	}
	p.askOpen(s, out[:n], o)
	p.askOpen(s, out[n:], o)
	return out
}

// askOpen answers what is open of some that see as much of the object.
func (p *Pack) askOpen(s *session, of []answer, o *mesh.Object) {
	var all needs
	open := false
	for _, a := range of {
		if a.open {
			all, open = all.and(a.probe.needs), true
		}
	}
	if open {
		p.askAll(s, of, p.input(s, o, all), o)
	}
}

// askAll answers what is open: with defaults together, and with other parameters each by itself.
func (p *Pack) askAll(s *session, all []answer, in map[string]any, o *mesh.Object) {
	input := ast.NewTerm(ast.LazyObject(in))
	together := p.askTogether(s, all, o, input)
	for i, a := range all {
		switch {
		case !a.open:
		case s.givenUp(a.probe):
			all[i] = answer{probe: a.probe, params: a.params, failure: fmt.Sprintf("it ran out of time %d times and is not asked any more. Make it faster: `waywarden rules bench` shows what it takes.", patience)}
		case a.params.Key != "":
			all[i] = p.askAlone(s, a.probe, o, a.probe.input(withParams(in, a.probe.rule, a.params)))
			all[i].params = a.params
		case together != nil && !a.probe.replaces:
			all[i] = p.withPatch(s, a.probe.answer(together), o, input)
		case a.probe.replaces:
			all[i] = p.askAlone(s, a.probe, o, a.probe.input(in))
		default: // one of them went wrong, and nobody knows which: the others must not fall silent for it
			all[i] = p.askAlone(s, a.probe, o, input)
		}
	}
}

// askTogether asks all that are open and have their defaults at once, but for those that are not asked any more; nil where there is
// only one, or where one of them goes wrong.
func (p *Pack) askTogether(s *session, all []answer, o *mesh.Object, input *ast.Term) topdown.QueryResult {
	var probes []*probe
	for _, a := range all {
		if a.open && a.params.Key == "" && !a.probe.replaces && !s.givenUp(a.probe) {
			probes = append(probes, a.probe)
		}
	}
	if len(probes) < 2 {
		return nil
	}
	r, errs, err := p.runFor(p.budget/share, s, inOne(probes), o, input)
	if err != nil || len(errs) > 0 {
		return nil
	}
	return r
}

// input is an input of which only that becomes terms which a rule looks at. OPA writes into such a one where a rule says `with
// input…` (its lazy objects are not copied, v1/ast/term.go), so that a rule that does has one of its own, made at once.
func (q *probe) input(in map[string]any) *ast.Term {
	if q.replaces {
		return ast.NewTerm(ast.MustInterfaceToValue(in))
	}
	return ast.NewTerm(ast.LazyObject(in))
}

// withParams is an input with other parameters for a rule.
func withParams(in map[string]any, r *Rule, given policies.Params) map[string]any {
	with := maps.Clone(in)
	with["params"] = map[string]any{r.ID: plain(r.withDefaults(given.Values))}
	return with
}

// inputWith is what a rule is asked about again, of another object and with the parameters of an answer.
func (p *Pack) inputWith(s *session, o *mesh.Object, a answer) *ast.Term {
	in := p.input(s, o, a.probe.needs)
	if a.params.Key != "" {
		in = withParams(in, a.probe.rule, a.params)
	}
	return a.probe.input(in)
}

func (q *probe) answer(r topdown.QueryResult) answer {
	return answer{probe: q, deny: members(r[q.deny]), skip: members(r[q.skip])}
}

// withPatch is an answer with what repairs it: that is asked only where something is found.
func (p *Pack) withPatch(s *session, a answer, o *mesh.Object, input *ast.Term) answer {
	if !a.probe.rule.patches || len(a.deny) == 0 {
		return a
	}
	r, errs, err := p.run(s, a.probe.patch, o, input)
	if why := failure(errs, err); why != "" {
		a.failure = why
		return a
	}
	a.patch = members(r[patchVar])
	return a
}

// givenUp is whether a rule ran out of time so often that it is not asked any more.
func (s *session) givenUp(q *probe) bool { return s.spent[q.rule] >= patience }

func (p *Pack) askAlone(s *session, q *probe, o *mesh.Object, input *ast.Term) answer {
	r, errs, err := p.run(s, q.alone, o, input)
	if topdown.IsCancel(err) {
		s.spent[q.rule]++
	}
	if why := failure(errs, err); why != "" {
		return answer{probe: q, failure: why}
	}
	return p.withPatch(s, q.answer(r), o, input)
}

// failure is what went wrong in an evaluation; "" where nothing did. A built-in that fails leaves its expression
// undefined, so that a rule would find nothing: that is an error, and no answer.
func failure(errs []topdown.Error, err error) string {
	switch {
	case topdown.IsCancel(err):
		return "it ran out of time. Make it faster: `waywarden rules bench` shows what it takes."
	case err != nil:
		return located(err) + ". Correct the rule."
	case len(errs) > 0:
		return located(&errs[0]) + ". Correct the rule."
	}
	return ""
}

func located(err error) string {
	var e *topdown.Error
	if !errors.As(err, &e) {
		return OneLine(err.Error())
	}
	text := strings.TrimSuffix(OneLine(e.Message), ".")
	if e.Location != nil && e.Location.File != "" {
		return fmt.Sprintf("%s:%d: %s", e.Location.File, e.Location.Row, text)
	}
	return text
}

// run evaluates a query, for as long as one rule may think. There is one result: whatever is asked for is defined.
func (p *Pack) run(s *session, asked query, o *mesh.Object, input *ast.Term) (result topdown.QueryResult, errs []topdown.Error, err error) {
	return p.runFor(p.budget, s, asked, o, input)
}

// runFor evaluates a query for no longer than a budget. Only here somebody hears how long it took: what a sieve answers costs less than to
// look at the clock.
func (p *Pack) runFor(budget time.Duration, s *session, asked query, o *mesh.Object, input *ast.Term) (result topdown.QueryResult, errs []topdown.Error, err error) {
	began := time.Now()
	q := topdown.NewQuery(asked.body).WithCompiler(asked.compiler).WithStore(p.store).WithTransaction(p.txn).WithInput(input).
		WithBuiltins(questions).WithBuiltinErrorList(&errs).WithMetrics(metrics.NoOp()).WithTime(s.view.Occasion.Now).
		WithCancel(&stop{over: s.view.Occasion.Over, deadline: began.Add(budget)})
	err = p.watch.watched(q, o).Iter(asking{noContext, s}, func(r topdown.QueryResult) error {
		result = r
		return nil
	})
	if m := s.view.Occasion.Meter; m != nil && m.Took != nil {
		m.Took(asked.of, time.Since(began))
	}
	return result, errs, err
}

// stop ends an evaluation when its time is over. It is for one evaluation in one goroutine.
type stop struct {
	over     func() bool
	deadline time.Time
	steps    int
	stopped  bool
}

// Cancel ends the evaluation.
func (s *stop) Cancel() { s.stopped = true }

// Cancelled is called at every step, so it looks at the clock now and then only.
func (s *stop) Cancelled() bool {
	s.steps++
	if s.stopped || s.steps%glances != 0 {
		return s.stopped
	}
	s.stopped = s.over != nil && s.over() || time.Now().After(s.deadline)
	return s.stopped
}

// input is what the rules are asked about. Of the objects only that becomes terms which a rule looks at.
func (p *Pack) input(s *session, o *mesh.Object, needs needs) map[string]any {
	occasion := &s.view.Occasion
	in := map[string]any{"phase": string(occasion.PhaseOr()), "object": s.contentFor(o, needs.whole), "params": p.params}
	if needs.mesh {
		in["mesh"] = meshTerm(s.view.Snapshot).Value
	}
	if needs.now && !occasion.Now.IsZero() {
		in["now"] = occasion.Now.UTC().Format(time.RFC3339)
	}
	if needs.effects {
		in["effects"] = effects(s.view.Effects(o)).Term().Value
	}
	if ns := o.Home(); needs.namespace && ns != "" {
		if t := s.namespace(ns).Term(); t != nil {
			in["namespace"] = t.Value
		}
	}
	if occasion.PhaseOr() == policies.AtAdmission {
		admissionInput(in, occasion, needs)
	}
	return in
}

func admissionInput(in map[string]any, o *policies.Occasion, needs needs) {
	in["operation"], in["dryRun"] = o.Operation, o.DryRun
	if needs.user {
		extra := map[string]any{}
		for k, v := range o.User.Extra {
			extra[k] = v
		}
		in["user"] = map[string]any{"username": o.User.Username, "uid": o.User.UID, "groups": o.User.Groups, "extra": extra}
	}
	if needs.old && o.Old != nil {
		if in["old"] = contentSeen(o.Old); needs.whole {
			in["old"] = contentWhole(o.Old)
		}
	}
	if o.Operation == "DELETE" {
		in["object"] = nil
	}
}
