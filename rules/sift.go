package rules

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/sieve"
)

// sift is which rules of a plan have to be asked about an object, with their defaults and with each set of parameters that Guardrails
// give. The others certainly find nothing.
func (p *Pack) sift(s *session, plan *plan, o *mesh.Object) []answer {
	m := p.machines.Get().(*sieve.Machine)
	defer p.machines.Put(m)
	m.Start(sieve.Occasion{Input: func(part string) sieve.Value { return s.input(o, part) }, Ask: s.asked})
	defer m.Start(sieve.Occasion{}) // the next one must not keep alive what this one has seen
	var out []answer
	given := s.view.Occasion.Parameters
	for _, q := range plan.asked {
		if q.passes(m, q.defaults) {
			out = append(out, answer{probe: q})
		}
		if q.rule.Params == nil || given == nil {
			continue
		}
		for _, params := range given.Of(q.rule.ID) {
			if q.sieve == nil || q.passes(m, sieve.Of(plain(q.rule.withDefaults(params.Values)))) {
				out = append(out, answer{probe: q, params: params})
			}
		}
	}
	return out
}

func (q *probe) passes(m *sieve.Machine, params sieve.Value) bool {
	if q.sieve == nil {
		return true
	}
	m.With(params)
	return m.Passes(q.sieve)
}

// input is a part of what a rule is asked about.
func (s *session) input(o *mesh.Object, part string) sieve.Value {
	occasion := &s.view.Occasion
	admission := occasion.PhaseOr() == policies.AtAdmission
	switch part {
	case "object":
		if admission && occasion.Operation == "DELETE" {
			return sieve.Of(nil)
		}
		return sieve.Of(s.contentOf(o))
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
