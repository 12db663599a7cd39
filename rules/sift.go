package rules

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/sieve"
)

// sift is what the rules of a plan say of an object, with their defaults and with each set of parameters that Guardrails give. Those that
// say nothing are left out; those that OPA has to be asked are open.
func (p *Pack) sift(s *session, plan *plan, o *mesh.Object) []answer {
	m := p.machines.Get().(*sieve.Machine)
	defer p.machines.Put(m)
	start := func(whole bool) {
		m.Start(sieve.Occasion{Input: func(part string) sieve.Value { return s.input(o, part, whole) }, Ask: s.asked, Remembered: s})
	}
	start(false)
	defer m.Start(sieve.Occasion{}) // the next one must not keep alive what this one has seen
	var out []answer
	given, only := s.view.Occasion.Parameters, s.view.Occasion.Only
	whole := false
	for _, q := range plan.asked {
		if q.needs.whole && !whole {
			whole = true
			start(whole)
		}
		if only != nil && !slices.Contains(only, q.rule.ID) {
			continue
		}
		if a := q.sift(m, q.defaults, ""); a.says() {
			out = append(out, a)
		}
		if q.rule.Params == nil || given == nil {
			continue
		}
		for _, params := range given.Of(q.rule.ID) {
			if a := q.sift(m, sieve.Of(plain(q.rule.withDefaults(params.Values))), params.Key); a.says() {
				a.params = params
				out = append(out, a)
			}
		}
	}
	return out
}

// The sets of a sieve.
const (
	denySet = iota
	skipSet
)

func (q *probe) sift(m *sieve.Machine, params sieve.Value, set string) answer {
	out := answer{probe: q, open: true}
	if q.sieve == nil {
		return out
	}
	m.With(params, sieve.Key{Rule: q.rule.ID, Set: set})
	deny, known := m.Members(q.sieve, denySet)
	if !known || len(deny) > 0 && q.rule.patches { // a patch is OPA's business
		return out
	}
	skip, known := m.Members(q.sieve, skipSet)
	return answer{probe: q, open: !known, deny: deny, skip: skip}
}

func (a *answer) says() bool { return a.open || len(a.deny) > 0 || len(a.skip) > 0 }

// input is a part of what a rule is asked about, which sees the whole object or what is kept of it.
func (s *session) input(o *mesh.Object, part string, whole bool) sieve.Value {
	occasion := &s.view.Occasion
	admission := occasion.PhaseOr() == policies.AtAdmission
	switch part {
	case "object":
		if admission && occasion.Operation == "DELETE" {
			return sieve.Of(nil)
		}
		return sieve.Of(s.contentFor(o, whole))
	case "effects":
		return sieve.Of(effects(s.view.Effects(o)))
	case "namespace":
		if ns := o.Home(); ns != "" {
			return s.namespace(ns)
		}
		return sieve.Value{}
	case "phase":
		return sieve.Text(occasion.PhaseOr())
	case "operation":
		if admission {
			return sieve.Text(occasion.Operation)
		}
		return sieve.Value{}
	case "dryRun":
		if admission {
			return sieve.Truth(occasion.DryRun)
		}
		return sieve.Value{}
	}
	return sieve.Unknown
}

// asked answers a question of a sieve; ok is false where it is a mistake of the rule, which OPA will tell.
func (s *session) asked(name string, args []sieve.Value) (answer sieve.Value, ok bool) {
	for _, a := range args {
		if _, isText := a.AsText(); !isText && a.Term() == nil {
			return sieve.Value{}, false
		}
	}
	t := s.ask(asks[name], args)
	return t.value, t.mistake == ""
}
