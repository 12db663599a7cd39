package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/sieve"
)

// Pack is one revision of a set of rules, compiled. It is immutable and safe for concurrent use; to change a rule is to load
// another Pack and to swap.
type Pack struct {
	// Revision is a digest of all that was loaded.
	Revision string
	// Rules are sorted by ID.
	Rules []*Rule
	// Tests are the modules of the files that end in _test.rego.
	Tests []*ast.Module

	compiler *ast.Compiler
	plans    map[slot]*plan
	params   ast.Value // input.params: the defaults, by ID
	// budget bounds one evaluation of one rule, beside the time that an Occasion has.
	budget time.Duration
	store  storage.Store
	txn    storage.Transaction
	shared []*ast.Module // of folders called lib, as written
	watch  Watch
	sieved bool // whether OPA is only asked what a sieve lets through

	remembered *remembered
	machines   *sync.Pool // of *sieve.Machine
}

// slot is when rules are asked: of a kind, in a phase, and at admission about an operation.
type slot struct {
	kind      mesh.Kind
	phase     policies.Phase
	operation string
}

// plan is which rules are asked in a slot, those that see the whole object last.
type plan struct{ asked []*probe }

// probe is how one rule is asked.
type probe struct {
	rule       *Rule
	alone      query
	deny, skip ast.Var // of the query; skip is "" where the rule has none
	patch      query   // asks for what repairs it; empty where the rule has none
	needs      needs
	replaces   bool         // parts of its input, by `with`
	sieve      *sieve.Sieve // nil where OPA is always asked
	defaults   sieve.Value  // of its parameters
}

// needs are the parts of the input that cost something and that a rule looks at. Those that see the whole object are asked by themselves.
type needs struct{ effects, namespace, mesh, now, user, old, whole bool }

// compile compiles what was read. It returns nil, and refuses, where that does not work.
func (l *loader) compile() *Pack {
	for _, r := range l.rules {
		l.lint(r)
		bindParams(r, r.module)
	}
	for _, m := range l.shared {
		l.onlyFields(m)
		l.imported(m)
		l.kindsWritten(m)
	}
	compiler := newCompiler()
	modules := map[string]*ast.Module{}
	for _, m := range l.shared {
		modules[m.Package.Location.File] = m
	}
	for _, r := range l.rules {
		modules[r.File] = r.module
	}
	compiler.Compile(modules)
	if !l.Trusted {
		l.types()
	}
	if compiler.Failed() && len(l.refusals) == 0 {
		l.refusals.wrong("", compiler.Errors)
	}
	if len(l.refusals) > 0 {
		return nil
	}
	for _, r := range l.rules {
		r.reads = readsOf(compiler, r)
	}
	slices.SortFunc(l.rules, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	p := &Pack{Revision: digest(l.files), Rules: l.rules, Tests: l.tests, compiler: compiler, budget: defaultBudget, shared: l.shared, sieved: true, remembered: &remembered{},
		machines: &sync.Pool{New: func() any { return &sieve.Machine{} }}}
	p.store = inmem.New()
	p.txn = storage.NewTransactionOrDie(noContext, p.store)
	var params [][2]*ast.Term
	for _, r := range p.Rules {
		params = append(params, [2]*ast.Term{text(r.ID), ast.NewTerm(ast.MustInterfaceToValue(plain(r.withDefaults(nil))))})
	}
	p.params = ast.NewObject(params...)
	p.plan()
	return p
}

func newCompiler() *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(Capabilities()).WithStrict(true).SetErrorLimit(0)
}

// bindParams makes input.params of a rule its own: rules are asked together, of one input. ast.TransformRefs would not do: it
// passes over what stands in `some x in …`.
func bindParams(r *Rule, module *ast.Module) {
	own := ast.StringTerm(r.ID)
	ast.WalkTerms(module, func(t *ast.Term) bool {
		ref, ok := t.Value.(ast.Ref)
		if ok && len(ref) > 1 && ref[0].Equal(ast.InputRootDocument) && ref[1].Equal(paramsTerm) && (len(ref) == 2 || !ref[2].Equal(own)) {
			t.Value = slices.Concat(ref[:2], ast.Ref{own}, ref[2:])
		}
		return false
	})
}

var paramsTerm = ast.StringTerm("params")

// plan finds out for each slot which rules are asked.
func (p *Pack) plan() {
	probes := p.probes()
	p.plans = map[slot]*plan{}
	for _, kind := range mesh.Kinds() {
		for _, s := range slotsOf(kind) {
			out := &plan{}
			for _, q := range probes {
				if q.rule.isAsked(s) {
					out.asked = append(out.asked, q)
				}
			}
			if len(out.asked) > 0 {
				p.plans[s] = out
			}
		}
	}
}

func slotsOf(kind mesh.Kind) []slot {
	out := []slot{{kind, policies.AtAudit, ""}, {kind, policies.AtScan, ""}}
	for _, o := range operations {
		out = append(out, slot{kind, policies.AtAdmission, o})
	}
	return out
}

func (r *Rule) isAsked(s slot) bool {
	return slices.Contains(r.Kinds, s.kind) && slices.Contains(r.Phases, s.phase) && (s.operation == "" || slices.Contains(r.Operations, s.operation))
}

// probes compiles the queries. A variable of an answer has a name of its own, so that several can be asked in one.
func (p *Pack) probes() []*probe {
	var shared needs
	replaces := false
	for _, m := range p.shared { // any rule may call what is there
		shared.of(m)
		replaces = replaces || hasWith(m)
	}
	sieves := sieve.NewCompiler(p.compiler, arity)
	var out []*probe
	for i, r := range p.Rules {
		q := &probe{rule: r, deny: ast.Var(fmt.Sprintf("deny%d", i)), needs: shared, replaces: replaces || hasWith(r.module)}
		own := ast.NewBody(equals(q.deny, r.ref("deny")))
		if r.skips {
			q.skip = ast.Var(fmt.Sprintf("skip%d", i))
			own.Append(equals(q.skip, r.ref("skip")))
		}
		q.alone = compileQuery(p.compiler, r.ID, own)
		if r.patches {
			q.patch = compileQuery(p.compiler, r.ID, ast.NewBody(equals(patchVar, r.ref("patch"))))
		}
		q.needs.of(r.module)
		q.needs.whole = r.seesWhole()
		if p.sieved {
			q.sieve, q.defaults = sieves.Sieve(r.ref("deny"), r.ref("skip")), sieve.Of(plain(r.withDefaults(nil)))
		}
		out = append(out, q)
	}
	slices.SortStableFunc(out, func(a, b *probe) int { return order(a.needs.whole, b.needs.whole) })
	return out
}

// order has what is not come before what is.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func hasWith(m *ast.Module) (has bool) {
	ast.WalkWiths(m, func(*ast.With) bool {
		has = true
		return true
	})
	return has
}

// ref is data.….name.
func (r *Rule) ref(name string) ast.Ref { return slices.Concat(r.pkg, ast.Ref{ast.StringTerm(name)}) }

// patchVar is what the answer to a query for patches is called.
const patchVar = ast.Var("patch")

// of adds what a module looks at.
func (n *needs) of(m *ast.Module) {
	ast.WalkRefs(m, func(ref ast.Ref) bool {
		if len(ref) > 1 && ref[0].Equal(ast.InputRootDocument) {
			switch name, _ := ref[1].Value.(ast.String); name {
			case "effects":
				n.effects = true
			case "namespace":
				n.namespace = true
			case "mesh":
				n.mesh = true
			case "now":
				n.now = true
			case "user":
				n.user = true
			case "old":
				n.old = true
			}
		}
		return false
	})
}

// and is what either of two looks at.
func (n needs) and(o needs) needs {
	return needs{n.effects || o.effects, n.namespace || o.namespace, n.mesh || o.mesh, n.now || o.now, n.user || o.user, n.old || o.old, n.whole || o.whole}
}
