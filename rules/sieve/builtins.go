package sieve

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// known is one of OPA's built-ins that is known here, of at most three arguments.
type known struct {
	args int
	// fails is whether it is an error with some arguments: then it says Unknown.
	fails bool
	of    func(a, b, c Value) Value
}

// builtins are those by which rules mostly decide. Each says what OPA's says, or Unknown.
var builtins = map[string]known{
	"neq": {2, false, func(a, b, _ Value) Value { return opposite(truthOf(equal(a, b))) }},
	"lt":  {2, false, func(a, b, _ Value) Value { return truthOf(less(a, b)) }},
	"gt":  {2, false, func(a, b, _ Value) Value { return truthOf(less(b, a)) }},
	"lte": {2, false, func(a, b, _ Value) Value { return opposite(truthOf(less(b, a))) }},
	"gte": {2, false, func(a, b, _ Value) Value { return opposite(truthOf(less(a, b))) }},

	"internal.member_2": {2, false, func(a, b, _ Value) Value { return truthOf(b.has(a)) }},
	"object.get":        {3, true, objectGet},
	"count":             {1, true, count},
	"array.concat":      {2, true, arrayConcat},
	"min":               {1, true, func(a, _, _ Value) Value { return extreme(a, func(x, y Value) verdict { return less(x, y) }) }},
	"max":               {1, true, func(a, _, _ Value) Value { return extreme(a, func(x, y Value) verdict { return less(y, x) }) }},

	"startswith": {2, true, ofTexts(func(a, b string) Value { return Truth(strings.HasPrefix(a, b)) })},
	"endswith":   {2, true, ofTexts(func(a, b string) Value { return Truth(strings.HasSuffix(a, b)) })},
	"contains":   {2, true, ofTexts(func(a, b string) Value { return Truth(strings.Contains(a, b)) })},
	"split":      {2, true, ofTexts(split)},
	"lower":      {1, true, ofText(strings.ToLower)},
	"upper":      {1, true, ofText(strings.ToUpper)},
	"trim_space": {1, true, ofText(strings.TrimSpace)},
	"concat":     {2, true, concat},
	"sprintf":    {2, true, sprintf},
}

func truthOf(v verdict) Value {
	if v == unknown {
		return Unknown
	}
	return Truth(v == some)
}

func opposite(v Value) Value {
	if v.kind == truth {
		v.n = 1 - v.n
	}
	return v
}

func ofTexts(of func(a, b string) Value) func(a, b, c Value) Value {
	return func(a, b, _ Value) Value {
		if a.kind != text || b.kind != text {
			return Unknown
		}
		return of(a.text, b.text)
	}
}

func ofText(of func(string) string) func(a, b, c Value) Value {
	return func(a, _, _ Value) Value {
		if a.kind != text {
			return Unknown
		}
		return Text(of(a.text))
	}
}

func split(a, b string) Value {
	parts := strings.Split(a, b)
	items := make([]Value, len(parts))
	for i := range parts {
		items[i] = Text(parts[i])
	}
	return Value{kind: list, of: items}
}

func objectGet(in, key, otherwise Value) Value {
	if in.kind != object || key.kind >= opaque {
		return Unknown
	}
	out := in
	if key.kind == list {
		n, _ := key.length()
		for i := 0; i < n && out.kind != undefined; i++ {
			out = out.get(key.at(i))
		}
	} else {
		out = in.get(key)
	}
	if out.kind == undefined {
		return otherwise
	}
	return out
}

func count(of, _, _ Value) Value {
	switch of.kind {
	case text:
		return Number(int64(utf8.RuneCountInString(of.text)))
	case list, set, object:
		if n, ok := of.length(); ok {
			return Number(int64(n))
		}
	}
	return Unknown
}

// objectOf is an object of pairs, whose keys are texts. Two of one key that differ are an error.
func objectOf(pairs, _, _ Value) Value {
	n, _ := pairs.length()
	out := &literal{}
	for i := range n {
		pair := pairs.at(i)
		key, value := pair.at(0), pair.at(1)
		if key.kind != text || n > 64 {
			return Unknown
		}
		if was := out.Get(key.text); was.kind != undefined {
			if equal(was, value) != some {
				return Unknown
			}
			continue
		}
		out.keys, out.values = append(out.keys, key.text), append(out.values, value)
	}
	return Value{kind: object, of: out}
}

// extreme is the item that comes before all others; undefined where there is none.
func extreme(of Value, before func(x, y Value) verdict) Value {
	if of.kind != list && of.kind != set {
		return Unknown
	}
	n, _ := of.length()
	var out Value
	for i := range n {
		item := of.at(i)
		if i > 0 {
			switch before(item, out) {
			case none:
				continue
			case unknown:
				return Unknown
			}
		} else if item.kind >= opaque {
			return Unknown
		}
		out = item
	}
	return out
}

func arrayConcat(a, b, _ Value) Value {
	n, ok := a.length()
	m, too := b.length()
	if a.kind != list || b.kind != list || !ok || !too || n+m > patience {
		return Unknown
	}
	items := make([]Value, 0, n+m)
	for i := range n {
		items = append(items, a.at(i))
	}
	for i := range m {
		items = append(items, b.at(i))
	}
	return Value{kind: list, n: a.n | b.n, of: items}
}

// longest is how long a text may grow here.
const longest = 1 << 16

func concat(between, of, _ Value) Value {
	n, _ := of.length()
	if between.kind != text || of.kind != list || of.n != 0 {
		return Unknown
	}
	parts, long := make([]string, n), n*len(between.text)
	for i := range n {
		v := of.at(i)
		if long += len(v.text); v.kind != text || long > longest {
			return Unknown
		}
		parts[i] = v.text
	}
	return Text(strings.Join(parts, between.text))
}

// sprintf prints texts and whole numbers as OPA does. With anything else it is some text, of which no more is known.
func sprintf(format, args, _ Value) Value {
	n, ok := args.length()
	if format.kind != text || args.kind != list {
		return Unknown
	}
	if !ok || args.n != 0 {
		return Value{kind: opaque}
	}
	in := make([]any, n)
	for i := range n {
		switch v := args.at(i); v.kind {
		case text:
			in[i] = v.text
		case number:
			in[i] = v.n
		default:
			return Value{kind: opaque}
		}
	}
	return Text(fmt.Sprintf(format.text, in...))
}
