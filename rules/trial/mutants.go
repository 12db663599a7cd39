package trial

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/rules"
)

// Mutant is a rule with one small mistake.
type Mutant struct {
	Line, Column int
	// Kind is drop, negate, operator, constant or clause.
	Kind string
	// From is what is written there, and To what stands in its place.
	From, To string

	source string
}

func (m Mutant) String() string {
	if m.To == "" {
		return fmt.Sprintf("%s: without %s", m.Kind, rules.OneLine(m.From))
	}
	return fmt.Sprintf("%s: %s in place of %s", m.Kind, rules.OneLine(m.To), rules.OneLine(m.From))
}

// others are what may stand in the place of an operator: its opposite, and its neighbour.
var others = map[string][]string{
	"==": {"!="}, "!=": {"=="}, "<": {">=", "<="}, "<=": {">", "<"}, ">": {"<=", ">="}, ">=": {"<", ">"},
	"+": {"-"}, "-": {"+"}, "*": {"+"}, "&": {"|"}, "|": {"&"},
	"startswith": {"endswith"}, "endswith": {"startswith"}, "contains": {"startswith"}, "max": {"min"}, "min": {"max"},
}

// mutation collects the mutants of a source.
type mutation struct {
	source string
	out    []Mutant
	seen   map[string]bool
}

// mutants are all mutants of a rule that can be read, by place. What METADATA says is not changed, nor what is printed, nor a
// branch called else, of which the parser keeps no places.
func mutants(source string, module *ast.Module) []Mutant {
	m := &mutation{source: source, seen: map[string]bool{}}
	clauses := map[string]int{}
	for _, r := range module.Rules {
		clauses[r.Head.Ref().String()]++
	}
	for _, r := range module.Rules {
		if clauses[r.Head.Ref().String()] > 1 && !r.Default {
			m.add("clause", r.Location, "")
		}
		m.constants(r.Head)
		ast.WalkExprs(r.Body, func(e *ast.Expr) bool { return m.expr(e) })
		m.constants(r.Body)
		m.operators(r.Head)
		m.operators(r.Body)
	}
	slices.SortStableFunc(m.out, func(a, b Mutant) int { return (a.Line-b.Line)*1000 + a.Column - b.Column })
	return m.out
}

// add makes a mutant in which other text stands in a place.
func (m *mutation) add(kind string, at *ast.Location, to string) {
	text := string(at.Text)
	end := at.Offset + len(text)
	if text == "" || end > len(m.source) || m.source[at.Offset:end] != text {
		return
	}
	one := Mutant{Line: at.Row, Column: at.Col, Kind: kind, From: text, To: to, source: m.source[:at.Offset] + to + m.source[end:]}
	if m.seen[one.source] {
		return
	}
	m.seen[one.source] = true
	m.out = append(m.out, one)
}

// expr drops an expression, or asks for the opposite. It returns true where what is in it is left alone.
func (m *mutation) expr(e *ast.Expr) bool {
	if e.Location == nil || prints(e) {
		return true
	}
	text := string(e.Location.Text)
	if t, ok := e.Terms.(*ast.Term); ok && t.Value.Compare(ast.Boolean(true)) == 0 && text != "true" {
		return true // the body of a rule that has none
	}
	if strings.HasPrefix(text, "else") {
		return true
	}
	if _, declares := e.Terms.(*ast.SomeDecl); declares || e.IsAssignment() {
		return false // without it there would be no variable
	}
	m.add("drop", e.Location, "true")
	switch rest, negated := strings.CutPrefix(text, "not "); {
	case negated:
		m.add("negate", e.Location, strings.TrimLeft(rest, " "))
	case !compares(e):
		m.add("negate", e.Location, "not "+text)
	}
	return false
}

func prints(e *ast.Expr) bool { return e.IsCall() && e.Operator().String() == "print" }

// compares is whether an expression has an operator of which the opposite is tried anyway.
func compares(e *ast.Expr) bool {
	return e.IsCall() && e.OperatorTerm().Location != nil && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, string(e.OperatorTerm().Location.Text))
}

// operators puts others in their place.
func (m *mutation) operators(in any) {
	replace := func(op *ast.Term) {
		if op.Location == nil {
			return
		}
		for _, to := range others[string(op.Location.Text)] {
			m.add("operator", op.Location, to)
		}
	}
	ast.WalkExprs(in, func(e *ast.Expr) bool {
		if e.IsCall() {
			replace(e.OperatorTerm())
		}
		return prints(e)
	})
	ast.WalkTerms(in, func(t *ast.Term) bool {
		if c, ok := t.Value.(ast.Call); ok {
			replace(c[0])
		}
		return false
	})
}

// constants changes the texts, numbers and truths that are written in a rule, but for the names of fields.
func (m *mutation) constants(in any) {
	printed := map[*ast.Term]bool{}
	ast.WalkExprs(in, func(e *ast.Expr) bool {
		if prints(e) {
			for _, o := range e.Operands() {
				printed[o] = true
			}
		}
		return false
	})
	ast.WalkTerms(in, func(t *ast.Term) bool {
		if t.Location == nil || printed[t] {
			return true
		}
		switch v := t.Value.(type) {
		case ast.Ref:
			return true
		case ast.String:
			if text := string(t.Location.Text); strings.HasPrefix(text, `"`) && len(text) > 1 {
				m.add("constant", t.Location, text[:len(text)-1]+`~"`)
			}
		case ast.Number:
			if n, ok := v.Int(); ok && string(t.Location.Text) == v.String() {
				m.add("constant", t.Location, fmt.Sprint(n+1))
			}
		case ast.Boolean:
			if string(t.Location.Text) == v.String() {
				m.add("constant", t.Location, fmt.Sprint(!bool(v)))
			}
		}
		return false
	})
}
