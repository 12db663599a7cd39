package sieve

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// intoRules begins in what another rule says.
func (s *scope) intoRules(n *walk, ref ast.Ref) (rest ast.Ref, ok bool) {
	for i := 2; i <= len(ref); i++ {
		if _, isText := ref[i-1].Value.(ast.String); !isText {
			return nil, false
		}
		rules := s.rules.GetRulesExact(ref[:i])
		if len(rules) == 0 {
			continue
		}
		if len(rules[0].Head.Args) > 0 {
			return nil, false
		}
		n.from, n.doc = fromDoc, s.function(ref[:i], rules)
		*s.mayFail = true
		return ref[i:], true
	}
	return nil, false
}

// called makes a node of a call: of a built-in, a question or a function.
func (s *scope) called(operator *ast.Term, args []*ast.Term) bool {
	ref, ok := operator.Value.(ast.Ref)
	if !ok {
		return false
	}
	name := ref.String()
	if name == "eq" || name == "equal" {
		return len(args) == 2 && s.unify(args[0], args[1])
	}
	if b, known := builtins[name]; known {
		operands, to, ok := s.callOf(args, b.args)
		if !ok {
			return false
		}
		*s.mayFail = *s.mayFail || b.fails
		n := &builtin{of: b.of, to: to}
		copy(n.args[:], operands)
		return s.done(n, args, b.args)
	}
	*s.mayFail = true
	if arity, known := s.questions(name); known {
		operands, to, ok := s.callOf(args, arity)
		return ok && s.done(&question{name: name, args: operands, to: to}, args, arity)
	}
	rules := s.rules.GetRulesExact(ref)
	if len(rules) == 0 || len(rules[0].Head.Args) == 0 {
		return false
	}
	arity := len(rules[0].Head.Args)
	operands, to, ok := s.callOf(args, arity)
	return ok && s.done(&call{function: s.function(ref, rules), args: operands, to: to}, args, arity)
}

// callOf are the arguments of a call, and what is done with its answer, which is the last one where there is one more.
func (s *scope) callOf(args []*ast.Term, arity int) (operands []operand, to target, ok bool) {
	if len(args) < arity || len(args) > arity+1 {
		return nil, to, false
	}
	for _, a := range args[:arity] {
		o, known := s.operand(a)
		if !known {
			return nil, to, false
		}
		operands = append(operands, o)
	}
	if len(args) == arity {
		return operands, to, true
	}
	if to, ok = s.become(args[arity]); ok {
		return operands, to, true
	}
	with, ok := s.operand(args[arity])
	return operands, target{use: compares, with: with}, ok
}

// done adds a call; its answer is known to what follows.
func (s *scope) done(n linked, args []*ast.Term, arity int) bool {
	if len(args) > arity {
		s.bind(args[arity])
	}
	return s.add(n)
}

// function is what rules of one name say. It is made once, however many ask.
func (c *Compiler) function(ref ast.Ref, rules []*ast.Rule) *function {
	key := ref.String()
	if f, ok := c.functions[key]; ok {
		return f
	}
	seen := look{rules: c.rules, seen: map[*ast.Rule]bool{}}
	seen.at(rules)
	f := &function{looks: seen.looks, takes: seen.takes}
	c.functions[key] = f
	for _, r := range rules {
		switch kind := r.Head.RuleKind(); {
		case r.Default || len(r.Head.Ref()) != 1 || kind == ast.MultiValue && (r.Head.Key == nil || len(r.Head.Args) > 0):
			f.left = true // a default, or an object of many rules
		case kind == ast.MultiValue:
			f.partial = true
			made, ok := c.clause(r, r.Head.Key)
			f.clauses, f.left = append(f.clauses, made), f.left || !ok
		default:
			made, ok := c.clause(r, r.Head.Value)
			f.clauses, f.left = append(f.clauses, made), f.left || !ok
		}
	}
	return f
}

// clause is one definition, and those behind it; ok is false where it is left to OPA.
func (c *Compiler) clause(r *ast.Rule, value *ast.Term) (out *clause, ok bool) {
	s := c.scope()
	out = &clause{}
	for _, a := range r.Head.Args {
		p, ok := s.param(a)
		if !ok {
			return nil, false
		}
		out.params = append(out.params, p)
	}
	if !s.all(r.Body) {
		out.body = s.finish(s.chain(leave{}))
	} else {
		said, known := s.operand(value)
		if !known {
			return nil, false
		}
		// Of one and the same value the first is enough, unless what follows may fail.
		once := said.form == written && !*s.mayFail && r.Head.Key == nil
		out.body = s.finish(s.chain(collect{said, once}))
	}
	if r.Else != nil {
		if out.otherwise, ok = c.clause(r.Else, r.Else.Head.Value); !ok {
			return nil, false
		}
	}
	return out, true
}

func (s *scope) param(t *ast.Term) (p param, ok bool) {
	switch v := t.Value.(type) {
	case ast.Var:
		if v.IsWildcard() {
			return param{}, true
		}
		to, free := s.become(t)
		s.bind(t)
		return param{form: named, slot: to.slot}, free
	case ast.Null, ast.Boolean, ast.Number, ast.String:
		return param{form: fixed, value: ofTerm(v)}, true
	}
	return param{}, false
}
