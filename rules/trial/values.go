package trial

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/waywarden/waywarden/rules"
)

// value is what something that is written in a rule was at one moment.
type value struct {
	name string
	term ast.Value // nil is undefined
}

// widest is how much of a value is shown.
const widest = 160

func values(b *strings.Builder, indent string, all []value) {
	for _, v := range all {
		text := "undefined"
		if v.term != nil {
			text = shorten(v.term.String())
		}
		fmt.Fprintf(b, "%s%s = %s\n", indent, v.name, text)
	}
}

func shorten(text string) string {
	if runes := []rune(text); len(runes) > widest {
		return string(runes[:widest]) + "…"
	}
	return text
}

// locals are the variables that the author of a rule named, in the order in which they stand.
func locals(e *topdown.Event) []value {
	type placed struct {
		value
		at *ast.Location
	}
	var all []placed
	for v, meta := range e.LocalMetadata {
		if term := e.Locals.Get(v); term != nil && meta.Name != "_" && !meta.Name.IsWildcard() && !meta.Name.IsGenerated() {
			all = append(all, placed{value{string(meta.Name), term}, meta.Location})
		}
	}
	slices.SortFunc(all, func(a, b placed) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	var out []value
	for _, p := range all {
		out = append(out, p.value)
	}
	return out
}

// valuesIn are the values of what an expression names: variables, fields of the input, and answers of functions.
func valuesIn(expr *ast.Expr, e *topdown.Event) []value {
	var out []value
	seen := map[string]bool{}
	add := func(name string, term ast.Value) {
		if name = rules.OneLine(name); name != "" && !seen[name] {
			seen[name] = true
			out = append(out, value{name, term})
		}
	}
	all := append([]*ast.Expr{expr.BaseCogeneratedExpr()}, expr.CogeneratedExprs()...)
	for _, x := range append(all, expr) {
		operands := x.Operands()
		if t, ok := x.Terms.(*ast.Term); ok {
			operands = []*ast.Term{t}
		}
		for _, operand := range operands {
			ast.WalkTerms(operand, func(t *ast.Term) bool { return look(t, e, add) })
		}
	}
	return out
}

// look adds what a term is worth, and says whether what is in it needs no look.
func look(t *ast.Term, e *topdown.Event, add func(string, ast.Value)) bool {
	switch v := t.Value.(type) {
	case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
		return true
	case ast.Var:
		worth := e.Locals.Get(v)
		if worth == nil { // it is what the expression would have found out
			return false
		}
		if meta, ok := e.LocalMetadata[v]; ok && !meta.Name.IsWildcard() && !meta.Name.IsGenerated() {
			add(string(meta.Name), worth)
		} else if t.Location != nil {
			add(string(t.Location.Text), worth)
		}
	case ast.Ref:
		for _, sub := range v[1:] {
			look(sub, e, add)
		}
		if root, rest, ok := rootOf(v, e); ok {
			add(written(v, e), find(root, rest, e))
			return true
		}
		return v[0].Equal(ast.DefaultRootDocument)
	}
	return false
}

// rootOf is the value in which a reference looks something up, if it is known.
func rootOf(ref ast.Ref, e *topdown.Event) (ast.Value, ast.Ref, bool) {
	if len(ref) < 2 {
		return nil, nil, false
	}
	if ref[0].Equal(ast.InputRootDocument) && e.Input() != nil {
		return e.Input().Value, ref[1:], true
	}
	v, ok := ref[0].Value.(ast.Var)
	if !ok {
		return nil, nil, false
	}
	worth := e.Locals.Get(v)
	return worth, ref[1:], worth != nil
}

func find(root ast.Value, path ast.Ref, e *topdown.Event) ast.Value {
	for _, p := range path {
		if v, ok := p.Value.(ast.Var); ok {
			worth := e.Locals.Get(v)
			if worth == nil {
				return nil
			}
			p = ast.NewTerm(worth)
		}
		next, err := root.Find(ast.Ref{p})
		if err != nil {
			return nil
		}
		root = next
	}
	return root
}

// written is a reference with variables as their author called them, and with their values where the author gave them no name.
func written(ref ast.Ref, e *topdown.Event) string {
	out := ref.Copy()
	for i, t := range out {
		v, ok := t.Value.(ast.Var)
		if !ok {
			continue
		}
		if meta, known := e.LocalMetadata[v]; known && !meta.Name.IsWildcard() && !meta.Name.IsGenerated() {
			out[i] = ast.NewTerm(meta.Name)
		} else if worth := e.Locals.Get(v); worth != nil && i > 0 {
			out[i] = ast.NewTerm(worth)
		} else if v.IsGenerated() && i > 0 {
			out[i] = ast.VarTerm("_")
		}
	}
	return out.String()
}
