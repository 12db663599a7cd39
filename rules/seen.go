package rules

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/sieve"
)

// What the mesh answers is seen in two ways: by a sieve, which looks at one field at a time, and by OPA, which must have all of it as
// terms. Both are told by the same list of fields.

// fields are those of an answer, in the order in which they are told.
type fields[T any] []struct {
	name string
	of   func(T) sieve.Value // undefined where there is none
}

func (f fields[T]) get(of T, name string) sieve.Value {
	for i := range f {
		if f[i].name == name {
			return f[i].of(of)
		}
	}
	return sieve.Value{}
}

func (f fields[T]) term(of T) *ast.Term {
	pairs := make([][2]*ast.Term, 0, len(f))
	for i := range f {
		if t := f[i].of(of).Term(); t != nil {
			pairs = append(pairs, [2]*ast.Term{ast.InternedTerm(f[i].name), t})
		}
	}
	return ast.NewTerm(ast.NewObject(pairs...))
}

// known is an answer with its fields.
type known[T any] struct {
	of     T
	fields fields[T]
}

func seen[T any](of T, f fields[T]) sieve.Value { return sieve.Of(&known[T]{of, f}) }

// Get is a field.
func (k *known[T]) Get(field string) sieve.Value { return k.fields.get(k.of, field) }

// Term is the whole.
func (k *known[T]) Term() *ast.Term { return k.fields.term(k.of) }

// items are a list of answers.
type items[T any] struct {
	of   []T
	seen func(T) sieve.Value
}

func listOfSeen[T any](of []T, seen func(T) sieve.Value) sieve.Value {
	return sieve.Of(&items[T]{of, seen})
}

// Len is how many there are.
func (l *items[T]) Len() int { return len(l.of) }

// At is one of them.
func (l *items[T]) At(i int) sieve.Value { return l.seen(l.of[i]) }

// Term is the list.
func (l *items[T]) Term() *ast.Term {
	return array(l.of, func(of T) *ast.Term { return l.seen(of).Term() })
}

// contentSeen is an object as rules see it, wherever it comes from. One that is not at hand was packed by a watch, which keeps no more.
func contentSeen(o *mesh.Object) map[string]any {
	if o.AtHand() == nil {
		return o.Content()
	}
	return mesh.Kept(o.Kind, o.AtHand())
}

// contentWhole is an object as a rule sees it that is asked at admission alone: all of it, but for what controllers make.
func contentWhole(o *mesh.Object) map[string]any {
	if o.Kind.MadeByControllers() {
		return contentSeen(o)
	}
	return o.Content()
}

// storedObject is a stored object whose content is at hand. It is made a term once for all requests.
type storedObject struct {
	*mesh.Object
	content map[string]any
	session *session
}

// Get is a field of what is stored.
func (o *storedObject) Get(field string) sieve.Value {
	if v, ok := o.content[field]; ok {
		return sieve.Of(v)
	}
	return sieve.Value{}
}

// Term is the object as it is stored.
func (o *storedObject) Term() *ast.Term { return o.session.object(o.Object) }

func (s *session) seen(o *mesh.Object) sieve.Value {
	if o.AtHand() == nil {
		return sieve.Of(s.object(o)) // to read it would cost more than its term, which is there for the next request too
	}
	return sieve.Of(&storedObject{o, contentSeen(o), s})
}

// effects are the effects of a policy.
type effects []policies.Effect

// Len is how many there are.
func (e effects) Len() int { return len(e) }

// At is one of them.
func (e effects) At(i int) sieve.Value { return sieve.Of((*effect)(&e[i])) }

// Term is the list.
func (e effects) Term() *ast.Term {
	out := make([]*ast.Term, len(e))
	for i := range e {
		out[i] = (*effect)(&e[i]).Term()
	}
	return ast.NewTerm(ast.NewArray(out...))
}

type effect policies.Effect

// Get is a field of an effect.
func (e *effect) Get(field string) sieve.Value { return effectFields.get(e, field) }

// Term is the effect.
func (e *effect) Term() *ast.Term { return effectFields.term(e) }
