package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
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

	remembered *remembered
}

// slot is when rules are asked: of a kind, in a phase, and at admission about an operation.
type slot struct {
	kind      mesh.Kind
	phase     policies.Phase
	operation string
}

// plan is which rules are asked in a slot, and the one query that asks all of them.
type plan struct {
	asked []*probe
	index map[*Rule]int // in asked
	all   query         // of a plan of several rules
	needs needs
}

// probe is one rule of a plan, and the query that asks it alone.
type probe struct {
	rule       *Rule
	alone      query
	deny, skip ast.Var // of the query; skip is "" where the rule has none
	patch      query   // asks for what repairs it; empty where the rule has none
}

// needs are the parts of the input that cost something and that some rule of a plan looks at.
type needs struct{ effects, namespace, mesh, now, user, old bool }

// compile compiles what was read. It returns nil, and refuses, where that does not work.
func (l *loader) compile() *Pack {
	for _, r := range l.rules {
		l.lint(r)
		bindParams(r, r.module)
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
	p := &Pack{Revision: digest(l.files), Rules: l.rules, Tests: l.tests, compiler: compiler, budget: defaultBudget, shared: l.shared, remembered: &remembered{}}
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

// plan makes a query for each slot in which any rule is asked.
func (p *Pack) plan() {
	p.plans = map[slot]*plan{}
	made := map[string]*plan{}
	var several []*plan
	for _, kind := range mesh.Kinds() {
		for _, s := range slotsOf(kind) {
			var asked []*Rule
			key := ""
			for _, r := range p.Rules {
				if r.isAsked(s) {
					asked = append(asked, r)
					key += r.ID + " "
				}
			}
			if len(asked) == 0 {
				continue
			}
			if made[key] == nil {
				made[key] = p.planOf(asked)
				if len(asked) > 1 {
					several = append(several, made[key])
				}
			}
			p.plans[s] = made[key]
		}
	}
	if len(several) > 0 {
		p.together(several)
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

func (p *Pack) planOf(rules []*Rule) *plan {
	out := &plan{index: map[*Rule]int{}}
	for _, m := range p.shared { // any of them may call what is there
		out.needs.of(m)
	}
	for _, r := range rules {
		q := &probe{rule: r, deny: "deny"}
		own := ast.NewBody(equals(q.deny, r.ref("deny")))
		if r.skips {
			q.skip = "skip"
			own.Append(equals(q.skip, r.ref("skip")))
		}
		q.alone = compileQuery(p.compiler, own)
		if r.patches {
			q.patch = compileQuery(p.compiler, ast.NewBody(equals(patchVar, r.ref("patch"))))
		}
		out.index[r] = len(out.asked)
		out.asked = append(out.asked, q)
		out.needs.of(r.module)
	}
	return out
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
