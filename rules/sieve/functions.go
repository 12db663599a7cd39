package sieve

// function is a rule that others use: a function, or a document that is a value or a set.
type function struct {
	partial bool // a set
	clauses []*clause
	left    bool // to OPA
	looks   bool // at the input, beside parameters: what it says holds for one object
	takes   bool // parameters
}

// clause is one definition.
type clause struct {
	params    []param
	body      *block
	otherwise *clause
}

// param is a parameter of a function: a variable, a written value, or neither.
type param struct {
	form  paramForm
	slot  int
	value Value
}

type paramForm uint8

const (
	ignored paramForm = iota
	named
	fixed
)

// doc is what a rule without parameters says.
func (m *Machine) doc(f *function) Value {
	if v, ok := m.docs[f]; ok {
		return v
	}
	var v Value
	if f.partial {
		v = m.members(f)
	} else {
		v = m.call(f, nil)
	}
	if m.docs == nil {
		m.docs = map[*function]Value{}
	}
	m.docs[f] = v
	return v
}

func (m *Machine) members(f *function) Value {
	if f.left {
		return Unknown
	}
	start := len(m.collected)
	doubtful := m.doubtful
	for _, c := range f.clauses {
		if m.run(c.body) == unknown {
			m.collected, m.doubtful = m.collected[:start], doubtful
			return Unknown
		}
	}
	items := append([]Value(nil), m.collected[start:]...)
	m.collected, m.doubtful = m.collected[:start], doubtful
	return setOf(items)
}

// call is what a function says; undefined where it says nothing.
func (m *Machine) call(f *function, args []Value) (out Value) {
	if f.left {
		return Unknown
	}
	for _, c := range f.clauses {
		v := m.first(c, args)
		switch {
		case v.kind == unknownKind:
			return v
		case v.kind == undefined:
		case out.kind == undefined:
			out = v
		case equal(out, v) != some: // that is an error, or perhaps one
			return Unknown
		}
	}
	return out
}

// first is what a clause says, or the first of those that stand behind it.
func (m *Machine) first(c *clause, args []Value) Value {
	for ; c != nil; c = c.otherwise {
		if v := m.one(c, args); v.kind != undefined {
			return v
		}
	}
	return Value{}
}

func (m *Machine) one(c *clause, args []Value) Value {
	base := m.push(c.body.slots)
	defer func() { m.top = base }()
	for i, p := range c.params {
		switch p.form {
		case named:
			m.stack[base+p.slot] = args[i]
		case fixed:
			switch equal(args[i], p.value) {
			case none:
				return Value{}
			case unknown:
				return Unknown
			}
		}
	}
	start := len(m.collected)
	r := c.body.first.run(m, base)
	items := m.collected[start:]
	m.collected = m.collected[:start]
	if r == unknown {
		return Unknown
	}
	if len(items) == 0 {
		return Value{}
	}
	for _, v := range items[1:] {
		if equal(items[0], v) != some {
			return Unknown
		}
	}
	return items[0]
}

// call is a function that is asked.
type call struct {
	tail
	function *function
	args     []operand
	to       target
}

func (n *call) run(m *Machine, base int) verdict {
	start := len(m.args)
	for i := range n.args {
		m.args = append(m.args, n.args[i].eval(m, base))
	}
	v := m.said(n.function, m.args[start:])
	m.args = m.args[:start]
	return n.to.deliver(m, base, v, n.next)
}

// question is a question to the mesh.
type question struct {
	tail
	name string
	args []operand
	to   target
}

func (n *question) run(m *Machine, base int) verdict {
	start := len(m.args)
	for i := range n.args {
		m.args = append(m.args, n.args[i].eval(m, base))
	}
	v, ok := m.on.Ask(n.name, m.args[start:])
	m.args = m.args[:start]
	if !ok {
		return unknown
	}
	return n.to.deliver(m, base, v, n.next)
}

// builtin is one of OPA's.
type builtin struct {
	tail
	of   func(a, b, c Value) Value
	args [3]operand
	to   target
}

func (n *builtin) run(m *Machine, base int) verdict {
	a, b, c := n.args[0].eval(m, base), n.args[1].eval(m, base), n.args[2].eval(m, base)
	if items, _ := b.length(); items > 0 { // each of which may be looked at
		if m.steps += items / 8; m.steps > patience {
			return unknown
		}
	}
	return n.to.deliver(m, base, n.of(a, b, c), n.next)
}
