package sieve

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// scope is a rule that is being made into nodes. OPA's compiler has ordered each body so that whatever an expression needs is
// known when it is reached, has given every variable a name of its own, and has taken calls and references out of one another.
type scope struct {
	*Compiler
	slots map[ast.Var]int
	count *int // of slots
	outer *scope
	bound map[ast.Var]bool // here; outer has its own
	nodes []linked
	// mayFail is whether anything so far can be an error.
	mayFail *bool
}

func (c *Compiler) scope() *scope {
	return &scope{Compiler: c, slots: map[ast.Var]int{}, count: new(int), bound: map[ast.Var]bool{}, mayFail: new(bool)}
}

// finish is a body with room for its variables.
func (s *scope) finish(first node) *block { return &block{first, *s.count} }

// inner is a scope for a body within the body: it sees the variables around it, which do not see its own.
func (s *scope) inner() *scope {
	return &scope{Compiler: s.Compiler, slots: s.slots, count: s.count, outer: s, bound: map[ast.Var]bool{}, mayFail: new(bool)}
}

// knows is whether a variable has a value when it is reached.
func (s *scope) knows(v ast.Var) bool {
	for ; s != nil; s = s.outer {
		if s.bound[v] {
			return true
		}
	}
	return false
}

// collected makes nodes of a body of which a value counts.
func (s *scope) collected(body ast.Body, value *ast.Term) (first node) {
	if s.all(body) {
		if v, ok := s.operand(value); ok {
			return s.chain(collect{value: v})
		}
	}
	return s.chain(leave{})
}

// all makes nodes of expressions, up to the first that is left to OPA; false where there is one.
func (s *scope) all(body ast.Body) bool {
	for _, e := range body {
		before := len(s.nodes)
		if !s.expr(e) {
			s.nodes = s.nodes[:before]
			return false
		}
	}
	return true
}

// chain links what there is.
func (s *scope) chain(end node) (first node) {
	for i := len(s.nodes) - 1; i >= 0; i-- {
		s.nodes[i].link(end)
		end = s.nodes[i]
	}
	s.nodes = nil
	return end
}

func (s *scope) add(n linked) bool {
	s.nodes = append(s.nodes, n)
	return true
}

// temporary is a place for a value without a name.
func (s *scope) temporary() int {
	*s.count++
	return *s.count - 1
}

// place is that of a variable.
func (s *scope) place(v ast.Var) int {
	slot, ok := s.slots[v]
	if !ok {
		slot = s.temporary()
		s.slots[v] = slot
	}
	return slot
}

// become is the target that a variable is which is not known yet; ok is false for anything else.
func (s *scope) become(t *ast.Term) (to target, ok bool) {
	v, isVar := t.Value.(ast.Var)
	if !isVar || s.knows(v) {
		return target{}, false
	}
	return target{use: becomes, slot: s.place(v)}, true
}

// bind makes a variable known to what follows.
func (s *scope) bind(t *ast.Term) {
	if v, ok := t.Value.(ast.Var); ok {
		s.bound[v] = true
	}
}

// expr makes nodes of an expression; false where it is left to OPA.
func (s *scope) expr(e *ast.Expr) bool {
	switch terms := e.Terms.(type) {
	case *ast.SomeDecl:
		return true
	case *ast.Term:
		return len(e.With) == 0 && s.negated(e, func(s *scope) bool { return s.produce(terms, target{}) })
	case []*ast.Term:
		return len(e.With) == 0 && s.negated(e, func(s *scope) bool { return s.called(terms[0], terms[1:]) })
	case *ast.Every:
		return len(e.With) == 0 && !e.Negated && s.every(terms)
	}
	return false
}

// negated makes an expression, in a negation if it is in one.
func (s *scope) negated(e *ast.Expr, expr func(*scope) bool) bool {
	if !e.Negated {
		return expr(s)
	}
	in, slot := s.inner(), s.temporary()
	if !expr(in) {
		return false
	}
	return s.add(&not{slot: slot, body: in.chain(s.ended(in, slot))})
}

// ended is the end of a body within a body, which goes on where the rest of it may fail.
func (s *scope) ended(in *scope, slot int) node {
	if *in.mayFail {
		*s.mayFail = true
		return noted{slot}
	}
	return found{}
}

func (s *scope) every(e *ast.Every) bool {
	domain, ok := s.operand(e.Domain)
	if !ok {
		return false
	}
	in, n := s.inner(), &every{domain: domain, key: -1, value: -1, slot: s.temporary()}
	for _, v := range []struct {
		term *ast.Term
		slot *int
	}{{e.Key, &n.key}, {e.Value, &n.value}} {
		if v.term == nil {
			continue
		}
		to, free := in.become(v.term)
		if !free {
			return false
		}
		*v.slot = to.slot
		in.bind(v.term)
	}
	if !in.all(e.Body) {
		return false
	}
	n.body = in.chain(s.ended(in, n.slot))
	return s.add(n)
}

// unify makes one side of an equation what the other is, or compares them.
func (s *scope) unify(a, b *ast.Term) bool {
	if to, ok := s.become(a); ok {
		defer s.bind(a)
		return s.produce(b, to)
	}
	if to, ok := s.become(b); ok {
		defer s.bind(b)
		return s.produce(a, to)
	}
	with, ok := s.operand(b)
	return ok && s.produce(a, target{use: compares, with: with})
}

// produce works out a term for a target.
func (s *scope) produce(t *ast.Term, to target) bool {
	switch v := t.Value.(type) {
	case ast.Ref:
		return s.reference(v, to)
	case *ast.ArrayComprehension:
		return s.comprehension(v.Body, v.Term, false, to)
	case *ast.SetComprehension:
		return s.comprehension(v.Body, v.Term, true, to)
	case *ast.ObjectComprehension:
		// The pairs first, as a list of lists, and an object of them then.
		slot := s.temporary()
		if !s.comprehension(v.Body, ast.ArrayTerm(v.Key, v.Value), false, target{use: becomes, slot: slot}) {
			return false
		}
		*s.mayFail = true
		return s.add(&builtin{of: objectOf, args: [3]operand{{form: variable, slot: slot}}, to: to})
	}
	from, ok := s.operand(t)
	return ok && s.add(&give{from: from, to: to})
}

func (s *scope) comprehension(body ast.Body, of *ast.Term, set bool, to target) bool {
	in := s.inner()
	if !in.all(body) {
		return false
	}
	value, ok := in.operand(of)
	if !ok {
		return false
	}
	*s.mayFail = *s.mayFail || *in.mayFail
	return s.add(&comprehension{set: set, body: in.chain(collect{value: value}), to: to})
}

// operand is a term of which everything is known; ok is false where it is left to OPA.
func (s *scope) operand(t *ast.Term) (o operand, ok bool) {
	switch v := t.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
		return operand{value: ofTerm(v)}, true
	case ast.Var:
		return operand{form: variable, slot: s.place(v)}, s.knows(v)
	case *ast.Array:
		return s.literal(literalList, v.Len(), func(do func(*ast.Term)) { v.Foreach(do) })
	case ast.Set:
		return s.literal(literalSet, v.Len(), v.Foreach)
	case ast.Object:
		return s.literalObject(v)
	case ast.Ref, *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
		slot := s.temporary()
		return operand{form: variable, slot: slot}, s.produce(t, target{use: becomes, slot: slot})
	}
	return operand{}, false
}

// literal is a list or a set as it is written, made at once where nothing in it varies.
func (s *scope) literal(f form, n int, each func(func(*ast.Term))) (o operand, ok bool) {
	o, ok = operand{form: f, parts: make([]operand, 0, n)}, true
	each(func(t *ast.Term) {
		part, known := s.operand(t)
		o.parts, ok = append(o.parts, part), ok && known
	})
	return o.settled(), ok
}

func (s *scope) literalObject(v ast.Object) (o operand, ok bool) {
	o, ok = operand{form: literalObject}, true
	v.Foreach(func(k, value *ast.Term) {
		key, isText := k.Value.(ast.String)
		part, known := s.operand(value)
		o.keys, o.parts, ok = append(o.keys, string(key)), append(o.parts, part), ok && known && isText
	})
	return o.settled(), ok
}

// settled is an operand that is worked out once and for all if nothing in it varies.
func (o operand) settled() operand {
	for _, p := range o.parts {
		if p.form != written {
			return o
		}
	}
	return operand{value: o.eval(nil, 0)}
}

// reference walks.
func (s *scope) reference(ref ast.Ref, to target) bool {
	head, ok := ref[0].Value.(ast.Var)
	if !ok {
		return false
	}
	n, rest := &walk{to: to}, ref[1:]
	switch {
	case head.Equal(ast.InputRootDocument.Value):
		rest, ok = s.intoInput(n, rest)
	case head.Equal(ast.DefaultRootDocument.Value):
		rest, ok = s.intoRules(n, ref)
	default:
		n.from, n.slot, ok = fromVariable, s.place(head), s.knows(head)
	}
	if !ok {
		return false
	}
	for _, t := range rest {
		if free, open := s.become(t); open {
			n.steps = append(n.steps, pace{open: true, slot: free.slot})
			s.bind(t)
			continue
		}
		key, known := s.operand(t)
		if !known {
			return false
		}
		n.steps = append(n.steps, pace{key: key})
	}
	return s.add(n)
}

// intoInput begins in a part of the input that is known here.
func (s *scope) intoInput(n *walk, ref ast.Ref) (rest ast.Ref, ok bool) {
	if len(ref) == 0 {
		return nil, false
	}
	part, isText := ref[0].Value.(ast.String)
	if !isText {
		return nil, false
	}
	if part == "params" {
		n.from = fromParams
		return ref[min(2, len(ref)):], len(ref) > 1 // below params, the ID of the rule
	}
	if !slices.Contains(inputs, string(part)) {
		return nil, false
	}
	n.from, n.path = fromInput, s.path(nil, string(part))
	for rest = ref[1:]; len(rest) > 0; rest = rest[1:] {
		name, isText := rest[0].Value.(ast.String)
		if !isText {
			break
		}
		n.path = s.path(n.path, string(name))
	}
	return rest, true
}
