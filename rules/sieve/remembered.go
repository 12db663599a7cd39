package sieve

import "github.com/open-policy-agent/opa/v1/ast"

// A function that looks at no input but parameters says the same of the same arguments, whichever object is asked about. Where an
// audit asks about fifty pods of one service account, it is worth asking once.

// Call is a function with its arguments, which are texts.
type Call struct {
	function *function
	params   Key // of a function that takes any
	args     [mostArguments]string
}

// Key tells parameters apart: those of a rule, and of these one set.
type Key struct{ Rule, Set string }

// mostArguments is how many arguments a function may have that is remembered.
const mostArguments = 4

// Remembered keeps what functions said that follows from the mesh alone, for as long as the mesh is the same.
type Remembered interface {
	// Recall is what was kept of a call.
	Recall(Call) (Value, bool)
	// Find finds what a call says, and keeps it, unless it is Unknown.
	Find(Call, func() Value) Value
}

// said is what a function says of arguments, remembered where it can be.
func (m *Machine) said(f *function, args []Value) Value {
	call, ok := m.callOf(f, args)
	if !ok {
		return m.call(f, args)
	}
	if v, known := m.on.Remembered.Recall(call); known {
		return v
	}
	return m.on.Remembered.Find(call, func() Value { return m.call(f, args) })
}

func (m *Machine) callOf(f *function, args []Value) (c Call, ok bool) {
	if m.on.Remembered == nil || f.looks || len(args) > mostArguments {
		return c, false
	}
	c.function = f
	if f.takes {
		c.params = m.key
	}
	for i := range args {
		if args[i].kind != text {
			return c, false
		}
		c.args[i] = args[i].text
	}
	return c, true
}

// look is what rules, and what they call, look at.
type look struct {
	rules *ast.Compiler
	seen  map[*ast.Rule]bool
	looks bool // at the input, beside parameters, or at what is not known here
	takes bool // parameters
}

func (l *look) at(rules []*ast.Rule) {
	for _, r := range rules {
		if l.seen[r] {
			continue
		}
		l.seen[r] = true
		ast.WalkRefs(r, func(ref ast.Ref) bool {
			switch {
			case ref[0].Equal(ast.InputRootDocument):
				params := len(ref) > 1 && ref[1].Equal(ast.StringTerm("params"))
				l.looks, l.takes = l.looks || !params, l.takes || params
			case ref[0].Equal(ast.DefaultRootDocument):
				l.into(ref)
			}
			return false
		})
	}
}

// into is a reference to other rules.
func (l *look) into(ref ast.Ref) {
	for n := 2; n <= len(ref) && ref[:n].IsGround(); n++ {
		if called := l.rules.GetRulesExact(ref[:n]); len(called) > 0 {
			l.at(called)
			return
		}
	}
	l.looks = true
}
