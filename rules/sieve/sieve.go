// Package sieve answers for OPA where the answer is plain. Most rules find nothing in most objects, and OPA takes some microseconds
// and dozens of allocations to say so: the object becomes terms first, and every step of a rule is looked up anew. A sieve walks
// through what the rule asks on the object as it was decoded, in the order in which OPA would, and knows three answers:
//
//	none      nothing of it holds, and nothing fails
//	some      it holds
//	unknown   something that is not known here: the rule is left to OPA
//
// A sieve says what OPA would say, or nothing at all; what it says has to be certain. What it does not know (most built-ins, `with`,
// patterns, numbers that are not whole) is no mistake, and only costs the time that OPA takes. A built-in that fails is unknown too,
// because OPA must say how.
package sieve

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

type verdict uint8

const (
	none verdict = iota
	some
	unknown
)

func is(b bool) verdict {
	if b {
		return some
	}
	return none
}

// Sieve is what was made of the partial sets of some names. It is immutable and safe for concurrent use.
type Sieve struct{ sets [][]*block }

// Compiler makes sieves of what OPA's compiler has made. It is for one goroutine.
type Compiler struct {
	rules     *ast.Compiler
	questions func(name string) (arity int, ok bool)
	functions map[string]*function
	paths     map[string]*path
}

// NewCompiler makes sieves of compiled rules. questions says which built-ins [Occasion.Ask] answers, and how many
// arguments they have.
func NewCompiler(rules *ast.Compiler, questions func(name string) (arity int, ok bool)) *Compiler {
	return &Compiler{rules: rules, questions: questions, functions: map[string]*function{}, paths: map[string]*path{}}
}

// Sieve is one for partial sets, as data.acme.no_latest.deny.
func (c *Compiler) Sieve(refs ...ast.Ref) *Sieve {
	out := &Sieve{}
	for _, ref := range refs {
		var bodies []*block
		for _, r := range c.rules.GetRulesExact(ref) {
			s := c.scope()
			bodies = append(bodies, s.finish(s.collected(r.Body, r.Head.Key)))
		}
		out.sets = append(out.sets, bodies)
	}
	return out
}

// Occasion is what a rule is asked about.
type Occasion struct {
	// Input is a part of the input, as in "object"; [Unknown] for one that is not known here.
	Input func(part string) Value
	// Params are those of the rule that is asked.
	Params Value
	// Ask answers a question to the mesh. The arguments are only lent; ok is false where the question is a mistake.
	Ask func(question string, args []Value) (answer Value, ok bool)
	// Remembered keeps what functions said of the same mesh; nil for nothing.
	Remembered Remembered
}

// patience is how many steps a sieve walks before it leaves the rest to OPA, which looks at the clock.
const patience = 20_000

// Machine runs sieves. It is for one goroutine, and may be used again.
type Machine struct {
	on        Occasion
	key       Key // of the parameters
	steps     int
	stack     []Value
	top       int
	collected []Value
	args      []Value
	paths     []trodden
	docs      map[*function]Value
	doubtful  bool // something was met that may hold an item twice
	// disordered is whether something was gone through in another order than OPA's.
	disordered bool
}

// Start begins with another occasion: nothing is remembered of the last one.
func (m *Machine) Start(on Occasion) {
	clear(m.stack)
	clear(m.collected[:cap(m.collected)])
	clear(m.args[:cap(m.args)])
	clear(m.paths)
	m.on, m.top, m.collected, m.args = on, 0, m.collected[:0], m.args[:0]
	m.With(on.Params, Key{})
}

// With goes on with other parameters.
func (m *Machine) With(params Value, key Key) {
	m.on.Params, m.key = params, key
	clear(m.docs)
}

// Members are those of one of the sets of a sieve, sorted as OPA sorts them; known is false where OPA must be asked.
func (m *Machine) Members(s *Sieve, set int) (members []*ast.Term, known bool) {
	m.steps = 0
	m.collected = m.collected[:0]
	for _, b := range s.sets[set] {
		if m.run(b) == unknown {
			return nil, false
		}
	}
	if len(m.collected) == 0 {
		return nil, true
	}
	all := ast.NewSet()
	for _, v := range m.collected {
		t := v.Term()
		if t == nil {
			return nil, false
		}
		all.Add(t)
	}
	return all.Slice(), true
}

// inputs are the parts of the input that are known here.
var inputs = []string{"object", "effects", "namespace", "phase", "operation", "dryRun"}

// path is a place in the input that a rule names, as in input.object.spec.rules. Many rules name the same, so that a machine goes there
// once.
type path struct {
	parent *path // nil for a part of the input
	name   string
	number int
}

// path is that of a name below another one.
func (c *Compiler) path(parent *path, name string) *path {
	key := name
	if parent != nil {
		key = fmt.Sprintf("%d %s", parent.number, name)
	}
	p, ok := c.paths[key]
	if !ok {
		p = &path{parent, name, len(c.paths)}
		c.paths[key] = p
	}
	return p
}

// trodden is where a path leads to.
type trodden struct {
	value Value
	known bool
}

func (m *Machine) at(p *path) Value {
	for len(m.paths) <= p.number {
		m.paths = append(m.paths, trodden{})
	}
	if t := &m.paths[p.number]; t.known {
		return t.value
	}
	var v Value
	if p.parent == nil {
		v = m.on.Input(p.name)
	} else {
		v = m.at(p.parent).get(Text(p.name))
	}
	m.paths[p.number] = trodden{v, true}
	return v
}

// block is a body whose variables have places.
type block struct {
	first node
	slots int
}

// run looks for whatever makes a body hold.
func (m *Machine) run(b *block) verdict {
	base := m.push(b.slots)
	out := b.first.run(m, base)
	m.top = base
	return out
}

// push makes room for variables.
func (m *Machine) push(slots int) (base int) {
	base = m.top
	m.top += slots
	for len(m.stack) < m.top {
		m.stack = append(m.stack, Value{})
	}
	return base
}
