package rules

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies/mesh"
)

// flow follows values through a compiled rule, also into the functions that it calls, to find what OPA's type checker lets
// pass: a field that its object does not have, read in a helper function, and a text compared with a field that never has
// it. What is not known is let pass.
type flow struct {
	compiler *ast.Compiler
	all      []*ast.Rule // of the rule's module, and of those that rules share
	input    *shape
	sight    sight // of what the mesh answers
	// vars are the shapes of variables, which the compiler has made unique in a module.
	vars map[ast.Var]*shape
	// open are variables of which some value is not known, so that nothing can be said of them.
	open    map[ast.Var]bool
	changed bool
	closing bool                                   // what is not known by now will not be
	say     func(at *ast.Location, message string) // nil while shapes are still found out

	// What is found out of owned objects, in rules that the one in question reaches.
	file        string // of that rule
	reached     map[*ast.Rule]bool
	rule        *ast.Rule // that is looked at
	silentAt    *ast.Location
	knowsOwners bool
}

// mistakes calls the function for each mistake that is found in a rule.
func mistakes(compiler *ast.Compiler, r *Rule, o Options, shared []string, say func(at *ast.Location, message string)) {
	f := &flow{compiler: compiler, input: inputShape(r, o.sightOf(r)), sight: o.sight(), vars: map[ast.Var]*shape{}, open: map[ast.Var]bool{},
		file: r.File, reached: map[*ast.Rule]bool{}}
	reached(compiler, compiler.Modules[r.File].Rules, func(rule *ast.Rule) bool {
		f.reached[rule] = true
		return true
	})
	for _, file := range append(shared, r.File) {
		f.all = append(f.all, compiler.Modules[file].Rules...)
	}
	f.settle()
	f.closing = true
	f.settle()
	f.say = say
	f.rules()
	f.owned(r)
}

// settle goes over the rules until nothing more is found out. A round hands shapes on over one assignment or call at least.
func (f *flow) settle() {
	const rounds = 20
	for range rounds {
		f.changed = false
		f.rules()
		if !f.changed {
			return
		}
	}
}

func (f *flow) rules() {
	for _, r := range f.all {
		f.rule = r
		ast.WalkExprs(r, func(e *ast.Expr) bool {
			f.expr(e)
			return false
		})
		ast.WalkTerms(r, func(t *ast.Term) bool {
			if ref, ok := t.Value.(ast.Ref); ok && f.say != nil {
				f.refShape(ref, true)
			}
			return false
		})
	}
}

// expr hands shapes on from one side of an expression to the other, and looks at comparisons.
func (f *flow) expr(e *ast.Expr) {
	switch terms := e.Terms.(type) {
	case *ast.Every:
		each := f.shape(terms.Domain)
		f.bind(terms.Value, stepInto(each))
	case []*ast.Term:
		f.call(e, terms[0].Value.(ast.Ref), terms[1:])
	}
}

func (f *flow) call(e *ast.Expr, operator ast.Ref, args []*ast.Term) {
	switch name := operator.String(); name {
	case "eq", "neq", "equal":
		f.compare(e, args[0], args[1], name != "neq")
		f.compare(e, args[1], args[0], name != "neq")
	case "internal.member_2":
		f.member(e, args[0], args[1])
	case "object.get":
		if of := f.get(e, args[0], args[1]); len(args) == 4 {
			f.bind(args[3], of)
		}
	default:
		if b := questions[name]; b != nil {
			f.asked(e, name, args)
			return
		}
		f.function(e, operator, args)
	}
}

// compare makes a variable what the other side is, and holds a text to the values that the other side can have.
func (f *flow) compare(e *ast.Expr, a, b *ast.Term, binds bool) {
	if _, ok := a.Value.(ast.Var); ok && binds && !e.Negated {
		f.bindTo(a, b)
	}
	if text, ok := a.Value.(ast.String); ok {
		f.report(location(a, e), f.shape(b).unknownValue(string(text)))
	}
}

// member is `a in b`.
func (f *flow) member(e *ast.Expr, a, b *ast.Term) {
	of := f.shape(a)
	each(b, func(t *ast.Term) {
		if text, ok := t.Value.(ast.String); ok {
			f.report(location(t, e), of.unknownValue(string(text)))
		}
	})
	if text, ok := a.Value.(ast.String); ok {
		f.report(location(a, e), stepInto(f.shape(b)).unknownValue(string(text)))
	}
}

// each calls the function for the elements of a written array or set.
func each(t *ast.Term, do func(*ast.Term)) {
	switch v := t.Value.(type) {
	case *ast.Array:
		v.Foreach(do)
	case ast.Set:
		v.Foreach(do)
	}
}

// get is what object.get finds in an object under a key or a path.
func (f *flow) get(e *ast.Expr, of, key *ast.Term) *shape {
	s := f.shape(of)
	switch k := key.Value.(type) {
	case ast.String:
		return f.got(s, key, location(key, e))
	case *ast.Array:
		for i := range k.Len() {
			s = f.got(s, k.Elem(i), location(k.Elem(i), e))
		}
		return s
	}
	return nil
}

// asked is an answer of the mesh.
func (f *flow) asked(e *ast.Expr, name string, args []*ast.Term) {
	decl := questions[name].Decl.Decl
	n := len(decl.FuncArgs().Args)
	var kind *shape
	if n > 0 && kindIsFirst[name] {
		if text, ok := args[0].Value.(ast.String); ok {
			if k, known := KindNamed(string(text)); known {
				kind = f.sight.kindShape(k)
			} else {
				f.report(location(args[0], e), "the question cannot be answered: there is no kind "+string(text)+". Write it as in AuthorizationPolicy, or with its group.")
			}
		}
	}
	if len(args) > n {
		f.bind(args[n], answerShape(name, kind))
	}
}

// kindIsFirst are the questions whose first argument names a kind.
var kindIsFirst = map[string]bool{"mesh.policies": true, "mesh.policies_for": true, "mesh.effects": true, "mesh.waypoint": true, "mesh.enrolled": true,
	"mesh.workloads_of": true, "mesh.layers": true, "mesh.admits": true, "mesh.callers": true, "mesh.granted": true}

func answerShape(name string, kind *shape) *shape {
	switch name {
	case "mesh.namespace":
		return namespaceShape
	case "mesh.service":
		return ofKept.kindShape(mesh.Service)
	case "mesh.services":
		return listOf(ofKept.kindShape(mesh.Service))
	case "mesh.policies":
		return listOf(kind)
	case "mesh.effects":
		return listOf(effectShape)
	case "mesh.callers":
		return listOf(callerShape)
	case "mesh.layers":
		return listOf(layerShape)
	case "mesh.workloads", "mesh.workloads_of", "mesh.workloads_as":
		return listOf(workloadShape)
	case "mesh.granted":
		return listOf(grantShape)
	case "mesh.certificates":
		return listOf(certificateShape)
	case "mesh.waypoint":
		return bindingShape
	case "mesh.effective_mtls":
		return mtlsShape
	}
	return nil
}

// function hands the arguments of a call on to the function, and its answer back. One of OPA's own looks at all of what it is given.
func (f *flow) function(e *ast.Expr, operator ast.Ref, args []*ast.Term) {
	found := f.compiler.GetRulesExact(operator)
	for _, a := range args {
		if len(found) == 0 && f.shape(a).hides() {
			f.silent(location(a, e))
		}
	}
	for _, r := range found {
		if len(r.Head.Args) == 0 || len(args) < len(r.Head.Args) {
			continue
		}
		for one := r; one != nil; one = one.Else {
			for i, a := range one.Head.Args {
				f.bindTo(a, args[i])
			}
			if len(args) > len(r.Head.Args) && one.Head.Value != nil {
				f.bindTo(args[len(r.Head.Args)], one.Head.Value)
			}
		}
	}
}

// bindTo makes a variable what a term is.
func (f *flow) bindTo(v, to *ast.Term) {
	switch to.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
		return // says nothing about fields
	}
	f.bind(v, f.shape(to))
}

// bind makes a variable one more shape.
func (f *flow) bind(t *ast.Term, s *shape) {
	v, ok := t.Value.(ast.Var)
	if !ok || f.open[v] {
		return
	}
	was, bound := f.vars[v]
	switch {
	case s == nil && f.closing:
		f.open[v], f.changed = true, true
	case s == nil:
	case !bound:
		f.vars[v], f.changed = s, true
	case was != s && !sameShape(was, s):
		f.vars[v], f.changed = union(was, s), true
		if f.vars[v] == nil {
			f.open[v] = true
		}
	}
}

// sameShape is whether a shape that is known adds nothing to another one.
func sameShape(a, b *shape) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.closed != b.closed && b.fields != nil || len(b.enum) > len(a.enum) || len(b.hidden) > len(a.hidden) {
		return false
	}
	for name, s := range b.fields {
		was, ok := a.fields[name]
		if !ok || was != nil && s != nil && !sameShape(was, s) {
			return false
		}
	}
	return b.each == nil || a.each != nil && sameShape(a.each, b.each)
}

// of is what is known of a variable.
func (f *flow) of(v ast.Var) *shape {
	if f.open[v] {
		return nil
	}
	return f.vars[v]
}

// shape is what is known of a term.
func (f *flow) shape(t *ast.Term) *shape {
	switch v := t.Value.(type) {
	case ast.Var:
		return f.of(v)
	case ast.Ref:
		return f.refShape(v, false)
	case *ast.ArrayComprehension:
		return listOf(f.shape(v.Term))
	case *ast.SetComprehension:
		return listOf(f.shape(v.Term))
	case *ast.ObjectComprehension:
		return listOf(f.shape(v.Value))
	}
	return nil
}

// refShape is what a reference leads to. It tells of fields that do not exist, if it is to.
func (f *flow) refShape(ref ast.Ref, tell bool) *shape {
	var s *shape
	rest := ref[1:]
	switch head := ref[0].Value.(ast.Var); head {
	case ast.InputRootDocument.Value:
		s = f.input
	case ast.DefaultRootDocument.Value:
		s, rest = f.ofRule(ref)
	default:
		s = f.of(head)
	}
	for _, key := range rest {
		var at *ast.Location
		if tell {
			at = key.Location
			f.shown(s, key, at)
		}
		s = f.step(s, key, at)
	}
	return s
}

// ofRule is what another rule of the module says, and what of the reference is left.
func (f *flow) ofRule(ref ast.Ref) (*shape, ast.Ref) {
	for n := len(ref); n > 1; n-- {
		var out *shape
		if !ref[:n].IsGround() {
			continue
		}
		found := f.compiler.GetRulesExact(ref[:n])
		for _, r := range found {
			if len(r.Head.Args) > 0 {
				return nil, nil
			}
			if r.Head.RuleKind() == ast.MultiValue {
				out = either(out, listOf(f.shape(r.Head.Key)))
			} else if r.Head.Value != nil {
				out = either(out, f.shape(r.Head.Value))
			}
		}
		if len(found) > 0 {
			return out, ref[n:]
		}
	}
	return nil, nil
}

// step is what stands under a key of what has a shape.
func (f *flow) step(s *shape, key *ast.Term, at *ast.Location) *shape {
	if s == nil {
		return nil
	}
	if text, ok := key.Value.(ast.String); ok {
		if one, known := s.fields[string(text)]; known {
			return one
		}
		if at != nil {
			f.report(at, s.unknownField(string(text)))
		}
		return s.each
	}
	return stepInto(s)
}

// stepInto is what stands under some key of what has a shape.
func stepInto(s *shape) *shape {
	if s == nil {
		return nil
	}
	if s.each != nil || len(s.fields) == 0 {
		return s.each
	}
	return nil
}

func (f *flow) report(at *ast.Location, message string) {
	if f.say != nil && message != "" {
		f.say(at, message)
	}
}

func location(t *ast.Term, e *ast.Expr) *ast.Location {
	if t.Location != nil && t.Location.Row > 0 {
		return t.Location
	}
	return e.Location
}
