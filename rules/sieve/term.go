package sieve

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Term is a value for OPA; nil where it is undefined, or only known here.
func (v Value) Term() *ast.Term {
	switch v.kind {
	case null:
		return ast.NullTerm()
	case truth:
		return ast.InternedTerm(v.n == 1)
	case number:
		return ast.InternedTerm(int(v.n))
	case text:
		return ast.InternedTerm(v.text)
	}
	switch x := v.of.(type) {
	case interface{ Term() *ast.Term }:
		return x.Term()
	case ast.Value:
		return ast.NewTerm(x)
	case []any, map[string]any, map[string]string:
		if value, err := ast.InterfaceToValue(x); err == nil {
			return ast.NewTerm(value)
		}
	case []Value:
		return collectionTerm(v, x)
	}
	return nil
}

// literal is an object that a rule has written.
type literal struct {
	keys   []string // each once
	values []Value
}

// Get is a field of it.
func (l *literal) Get(field string) Value {
	if i := slices.Index(l.keys, field); i >= 0 {
		return l.values[i]
	}
	return Value{}
}

// Term is the object; nil where not all of it is known.
func (l *literal) Term() *ast.Term {
	pairs := make([][2]*ast.Term, len(l.keys))
	for i, v := range l.values {
		t := v.Term()
		if t == nil {
			return nil
		}
		pairs[i] = [2]*ast.Term{ast.InternedTerm(l.keys[i]), t}
	}
	return ast.NewTerm(ast.NewObject(pairs...))
}

func collectionTerm(v Value, items []Value) *ast.Term {
	if v.n != 0 {
		return nil
	}
	terms := make([]*ast.Term, len(items))
	for i := range items {
		if terms[i] = items[i].Term(); terms[i] == nil {
			return nil
		}
	}
	if v.kind == set {
		return ast.NewTerm(ast.NewSet(terms...))
	}
	return ast.NewTerm(ast.NewArray(terms...))
}
