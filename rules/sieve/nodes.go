package sieve

// A body is a chain of nodes: each hands on to the next one every way in which it holds, until one answers something else than
// none. Variables live in the machine's stack, from base on.

type node interface {
	run(m *Machine, base int) verdict
}

// tail is the rest of a body.
type tail struct{ next node }

func (t *tail) link(n node) { t.next = n }

type linked interface {
	node
	link(node)
}

// found is the end of a body of which only counts whether it holds.
type found struct{}

func (found) run(*Machine, int) verdict { return some }

// leave is where a body is left to OPA.
type leave struct{}

func (leave) run(*Machine, int) verdict { return unknown }

// noted is the end of a body in a negation, of which the rest is looked at too, as it may fail.
type noted struct{ slot int }

func (n noted) run(m *Machine, base int) verdict {
	m.stack[base+n.slot] = Truth(true)
	return none
}

// collect is the end of a body whose values count.
type collect struct {
	value operand
	once  bool // all values are the same, and nothing can fail
}

func (n collect) run(m *Machine, base int) verdict {
	v := n.value.eval(m, base)
	switch v.kind {
	case undefined:
		return none
	case unknownKind:
		return unknown
	}
	m.collected = append(m.collected, v)
	if n.once {
		return some
	}
	return none
}

// operand is what is known when an expression is reached: a variable, or what is written.
type operand struct {
	form  form
	value Value // as written
	slot  int
	parts []operand
	keys  []string
}

type form uint8

const (
	written form = iota
	variable
	literalList
	literalSet
	literalObject
)

func (o *operand) eval(m *Machine, base int) Value {
	switch o.form {
	case written:
		return o.value
	case variable:
		return m.stack[base+o.slot]
	case literalObject:
		out := &literal{keys: o.keys, values: make([]Value, len(o.parts))}
		for i := range o.parts {
			out.values[i] = o.parts[i].eval(m, base)
		}
		return Value{kind: object, of: out}
	}
	items := make([]Value, len(o.parts))
	for i := range o.parts {
		items[i] = o.parts[i].eval(m, base)
	}
	if o.form == literalSet {
		return setOf(items)
	}
	return Value{kind: list, of: items}
}

// setOf is a set of items, each of them once as far as that can be told.
func setOf(items []Value) Value {
	const few = 32
	if len(items) > few {
		return Value{kind: set, n: recounted, of: items}
	}
	var doubts int64
	out := items[:0]
next:
	for _, v := range items {
		for _, o := range out {
			switch equal(v, o) {
			case some:
				continue next
			case unknown:
				doubts = recounted
			}
		}
		out = append(out, v)
	}
	return Value{kind: set, n: doubts, of: out}
}

// target is what is done with a value: an expression holds by it, or a variable becomes it, or it is compared.
type target struct {
	use  use
	slot int
	with operand
}

type use uint8

const (
	holds use = iota
	becomes
	compares
)

func (t *target) deliver(m *Machine, base int, v Value, next node) verdict {
	switch {
	case v.kind == undefined:
		return none
	case v.kind == unknownKind:
		return unknown
	case t.use == becomes:
		m.stack[base+t.slot] = v
	case t.use == compares:
		if r := equal(v, t.with.eval(m, base)); r != some {
			return r
		}
	case v.kind == opaque:
		return unknown
	case v.kind == truth && v.n == 0:
		return none
	}
	return next.run(m, base)
}

// give is a value that is known.
type give struct {
	tail
	from operand
	to   target
}

func (n *give) run(m *Machine, base int) verdict {
	return n.to.deliver(m, base, n.from.eval(m, base), n.next)
}

// walk is a reference: into the input, a variable or what other rules say, with all keys that it leaves open.
type walk struct {
	tail
	from  source
	path  *path
	doc   *function
	slot  int
	steps []pace
	to    target
}

type source uint8

const (
	fromVariable source = iota
	fromInput
	fromParams
	fromDoc
)

// pace is one step of a reference: by a key, or by all keys, of which a variable becomes each.
type pace struct {
	key  operand
	open bool
	slot int
}

func (n *walk) run(m *Machine, base int) verdict {
	var v Value
	switch n.from {
	case fromVariable:
		v = m.stack[base+n.slot]
	case fromInput:
		v = m.at(n.path)
	case fromParams:
		v = m.on.Params
	case fromDoc:
		v = m.doc(n.doc)
	}
	return n.on(m, base, v, 0)
}

func (n *walk) on(m *Machine, base int, v Value, i int) verdict {
	if m.steps++; m.steps > patience {
		return unknown
	}
	for ; i < len(n.steps) && !n.steps[i].open; i++ {
		if v.kind == undefined {
			return none
		}
		v = v.get(n.steps[i].key.eval(m, base))
	}
	if i == len(n.steps) {
		return n.to.deliver(m, base, v, n.next)
	}
	switch {
	case v.kind != list || v.n != 0:
		m.disordered = true
		m.doubtful = m.doubtful || (v.kind == set || v.kind == list) && v.n&recounted != 0
	default: // as each would, which is what most walks are, without a function
		items, _ := v.length()
		for k := range items {
			m.stack[base+n.steps[i].slot] = Number(int64(k))
			if r := n.on(m, base, v.at(k), i+1); r != none {
				return r
			}
		}
		return none
	}
	return v.each(func(key, item Value) verdict {
		m.stack[base+n.steps[i].slot] = key
		return n.on(m, base, item, i+1)
	})
}

// not holds where nothing makes its body hold.
type not struct {
	tail
	body node
	slot int // is true once it was found that the body holds
}

func (n *not) run(m *Machine, base int) verdict {
	m.stack[base+n.slot] = Value{}
	switch r := n.body.run(m, base); {
	case r == unknown:
		return unknown
	case r == some || m.stack[base+n.slot].kind != undefined:
		return none
	}
	return n.next.run(m, base)
}

// every holds where all items of a collection make its body hold.
type every struct {
	tail
	domain     operand
	key, value int // -1 for no variable
	body       node
	slot       int
}

func (n *every) run(m *Machine, base int) verdict {
	domain := n.domain.eval(m, base)
	if domain.kind != opaque && domain.kind != unknownKind && domain.kind != list && domain.kind != set && domain.kind != object {
		return none
	}
	all := some
	r := domain.each(func(key, value Value) verdict {
		if n.key >= 0 {
			m.stack[base+n.key] = key
		}
		if n.value >= 0 {
			m.stack[base+n.value] = value
		}
		m.stack[base+n.slot] = Value{}
		switch r := n.body.run(m, base); {
		case r == unknown:
			return unknown
		case r == none && m.stack[base+n.slot].kind == undefined:
			all = none
		}
		return none
	})
	if r == unknown {
		return unknown
	}
	if all == none {
		return none
	}
	return n.next.run(m, base)
}

// comprehension is a list or a set of all that makes a body hold.
type comprehension struct {
	tail
	set  bool
	body node
	to   target
}

func (n *comprehension) run(m *Machine, base int) verdict {
	start, doubtful, disordered := len(m.collected), m.doubtful, m.disordered
	m.doubtful, m.disordered = false, false
	r := n.body.run(m, base)
	items := append([]Value(nil), m.collected[start:]...)
	m.collected = m.collected[:start]
	again, mixed := m.doubtful, m.disordered
	m.doubtful, m.disordered = doubtful || again, disordered || mixed
	if r == unknown {
		return unknown
	}
	out := Value{kind: list, of: items}
	if again {
		out.n |= recounted
	}
	if mixed {
		out.n |= unordered
	}
	if n.set {
		out = setOf(items)
	}
	return n.to.deliver(m, base, out, n.next)
}
