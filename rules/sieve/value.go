package sieve

import (
	"encoding/json"
	"math"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Value is what a rule sees: a part of an object as it was decoded, an answer of the mesh, or what the rule itself wrote. The zero
// value is undefined.
type Value struct {
	kind kind
	n    int64 // a number; 1 for true; of a list or set, what is not known of it
	text string
	of   any
}

type kind uint8

const (
	undefined kind = iota
	null
	truth
	number
	text
	list   // of: []any, []Value, *ast.Array or Sequence
	set    // of: []Value
	object // of: map[string]any, map[string]string, ast.Object or Record, a literal among them
	opaque // it is defined, and that is all that is known
	unknownKind
)

// What is not known of a list or a set.
const (
	recounted = 1 << iota // it may hold something twice that it holds once
	unordered             // what stands where
)

// Record is an object whose fields are worked out when they are asked for. It and a Sequence may have a method Term, for OPA.
type Record interface {
	// Get is undefined for a field that is not there.
	Get(field string) Value
}

// Sequence is a list whose items are made when they are asked for.
type Sequence interface {
	Len() int
	At(i int) Value
}

// Unknown may be anything, also undefined: whoever meets it gives up.
var Unknown = Value{kind: unknownKind}

// Text is a text.
func Text[T ~string](s T) Value { return Value{kind: text, text: string(s)} }

// Optional is a text, and undefined where it is empty.
func Optional[T ~string](s T) Value {
	if s == "" {
		return Value{}
	}
	return Text(s)
}

// Truth is true or false.
func Truth(b bool) Value {
	if b {
		return Value{kind: truth, n: 1}
	}
	return Value{kind: truth}
}

// Number is a whole number.
func Number(n int64) Value { return Value{kind: number, n: n} }

// Of is what was decoded of JSON or YAML, a term, a Record or a Sequence.
func Of(v any) Value {
	switch x := v.(type) {
	case nil:
		return Value{kind: null}
	case bool:
		return Truth(x)
	case string:
		return Text(x)
	case int64:
		return Number(x)
	case int:
		return Number(int64(x))
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return Number(int64(x))
		}
		return Value{kind: opaque}
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return Number(n)
		}
		return Value{kind: opaque}
	case []any, Sequence:
		return Value{kind: list, of: v}
	case map[string]any, map[string]string, Record:
		return Value{kind: object, of: v}
	case *ast.Term:
		if x == nil {
			return Value{}
		}
		return ofTerm(x.Value)
	}
	return Unknown
}

func ofTerm(v ast.Value) Value {
	switch x := v.(type) {
	case ast.Null:
		return Value{kind: null}
	case ast.Boolean:
		return Truth(bool(x))
	case ast.String:
		return Text(x)
	case ast.Number:
		if n, ok := x.Int64(); ok && !strings.ContainsAny(string(x), ".eE") {
			return Number(n)
		}
		return Value{kind: opaque, of: x}
	case *ast.Array:
		return Value{kind: list, of: x}
	case ast.Object:
		return Value{kind: object, of: x}
	case ast.Set:
		items := make([]Value, 0, x.Len())
		x.Foreach(func(t *ast.Term) { items = append(items, ofTerm(t.Value)) })
		return Value{kind: set, of: items}
	}
	return Unknown
}

// Defined is whether it is certainly defined.
func (v Value) Defined() bool { return v.kind != undefined && v.kind != unknownKind }

// Certain is whether it is known, be it as undefined.
func (v Value) Certain() bool { return v.kind != unknownKind }

// AsText is a text; ok is false where it is none.
func (v Value) AsText() (s string, ok bool) { return v.text, v.kind == text }

// length is how many items a collection has; ok is false where that is not known.
func (v Value) length() (n int, ok bool) {
	switch x := v.of.(type) {
	case []any:
		n = len(x)
	case []Value:
		n = len(x)
	case *ast.Array:
		n = x.Len()
	case Sequence:
		n = x.Len()
	case map[string]any:
		n = len(x)
	case map[string]string:
		n = len(x)
	case *literal:
		n = len(x.keys)
	case ast.Object:
		n = x.Len()
	default:
		return 0, false
	}
	return n, (v.kind != list && v.kind != set) || v.n&recounted == 0
}

// at is an item of a list.
func (v Value) at(i int) Value {
	switch x := v.of.(type) {
	case []any:
		return Of(x[i])
	case []Value:
		return x[i]
	case *ast.Array:
		return ofTerm(x.Elem(i).Value)
	case Sequence:
		return x.At(i)
	}
	return Unknown
}

// get is what a key leads to.
func (v Value) get(key Value) Value {
	switch v.kind {
	case unknownKind, opaque:
		return Unknown
	case list:
		return v.item(key)
	case set:
		switch v.has(key) {
		case some:
			return key
		case none:
			return Value{}
		}
		return Unknown
	case object:
		if key.kind == text {
			return v.field(key.text)
		}
		if _, terms := v.of.(ast.Object); terms || key.kind == opaque || key.kind == unknownKind {
			return Unknown
		}
	}
	return Value{}
}

func (v Value) item(key Value) Value {
	switch {
	case v.n != 0 || key.kind == opaque || key.kind == unknownKind:
		return Unknown
	case key.kind != number:
		return Value{}
	}
	if n, ok := v.length(); !ok || key.n < 0 || key.n >= int64(n) {
		return Value{}
	}
	return v.at(int(key.n))
}

// field is what a name leads to in an object.
func (v Value) field(name string) Value {
	switch x := v.of.(type) {
	case map[string]any:
		if f, ok := x[name]; ok {
			return Of(f)
		}
	case map[string]string:
		if f, ok := x[name]; ok {
			return Text(f)
		}
	case Record:
		return x.Get(name)
	case ast.Object:
		return Of(x.Get(ast.StringTerm(name)))
	}
	return Value{}
}

// each calls do for every key and value until it answers something else than none, and returns that; none at the end. Of what is no
// collection it calls nothing.
func (v Value) each(do func(key, value Value) verdict) verdict {
	switch v.kind {
	case unknownKind, opaque:
		return unknown
	case list, set:
		n, _ := v.length()
		for i := range n {
			item := v.at(i)
			key := item
			if v.kind == list {
				key = Number(int64(i))
				if v.n != 0 {
					key = Value{kind: opaque}
				}
			}
			if r := do(key, item); r != none {
				return r
			}
		}
	case object:
		return v.eachField(do)
	}
	return none
}

func (v Value) eachField(do func(key, value Value) verdict) verdict {
	switch x := v.of.(type) {
	case map[string]any:
		for k, f := range x {
			if r := do(Text(k), Of(f)); r != none {
				return r
			}
		}
	case map[string]string:
		for k, f := range x {
			if r := do(Text(k), Text(f)); r != none {
				return r
			}
		}
	case *literal:
		for i, k := range x.keys {
			if r := do(Text(k), x.values[i]); r != none {
				return r
			}
		}
	case ast.Object:
		for _, k := range x.Keys() { // with Until, do would have to be made on the heap for every walk
			if r := do(ofTerm(k.Value), ofTerm(x.Get(k).Value)); r != none {
				return r
			}
		}
	default:
		return unknown
	}
	return none
}

// has is whether a collection holds a value: some, none or unknown.
func (v Value) has(x Value) verdict {
	out := none
	found := v.each(func(_, item Value) verdict {
		switch equal(item, x) {
		case some:
			return some
		case unknown:
			out = unknown
		}
		return none
	})
	if found != none {
		return found
	}
	return out
}

// equal is whether two values are the same: some, none or unknown.
func equal(a, b Value) verdict {
	if a.kind >= opaque || b.kind >= opaque {
		return unknown
	}
	if a.kind != b.kind {
		return none
	}
	switch a.kind {
	case truth, number:
		return is(a.n == b.n)
	case text:
		return is(a.text == b.text)
	case list:
		return sameLists(a, b)
	case set, object:
		n, ok := a.length()
		m, too := b.length()
		switch {
		case !ok || !too || n == m && n > 0:
			return unknown
		default:
			return is(n == m)
		}
	}
	return some // null
}

func sameLists(a, b Value) verdict {
	n, ok := a.length()
	m, too := b.length()
	switch {
	case !ok || !too:
		return unknown
	case n != m:
		return none
	case n > 0 && (a.n != 0 || b.n != 0):
		return unknown
	}
	out := some
	for i := range n {
		switch equal(a.at(i), b.at(i)) {
		case none:
			return none
		case unknown:
			out = unknown
		}
	}
	return out
}

// less is whether a comes before b, of numbers and of texts: some, none or unknown.
func less(a, b Value) verdict {
	switch {
	case a.kind == number && b.kind == number:
		return is(a.n < b.n)
	case a.kind == text && b.kind == text:
		return is(a.text < b.text)
	}
	return unknown
}
