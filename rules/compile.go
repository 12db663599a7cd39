package rules

import (
	"fmt"
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
	shared []*ast.Module
	watch  Watch
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
	all   ast.Body
	needs needs
}

// probe is one rule of a plan, and the query that asks it alone.
type probe struct {
	rule       *Rule
	alone      ast.Body
	deny, skip ast.Var // of the query; skip is "" where the rule has none
}

// needs are the parts of the input that cost something and that some rule of a plan looks at.
type needs struct{ effects, namespace, mesh, now, user, old bool }

// compile compiles what was read. It returns nil, and refuses, where that does not work.
func (l *loader) compile() *Pack {
	for _, r := range l.rules {
		l.lint(r)
		bindParams(r, r.module)
	}
	compiler := newCompiler().WithEnablePrintStatements(l.Print)
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
	slices.SortFunc(l.rules, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	p := &Pack{Revision: digest(l.files), Rules: l.rules, Tests: l.tests, compiler: compiler, budget: defaultBudget, shared: l.shared}
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

// bindParams makes input.params of a rule its own: rules are asked together, of one input.
func bindParams(r *Rule, module *ast.Module) {
	own := ast.StringTerm(r.ID)
	_, err := ast.TransformRefs(module, func(ref ast.Ref) (ast.Value, error) {
		if len(ref) < 2 || !ref[0].Equal(ast.InputRootDocument) || !ref[1].Equal(paramsTerm) {
			return ref, nil
		}
		return slices.Concat(ref[:2], ast.Ref{own}, ref[2:]), nil
	})
	if err != nil {
		panic("rules: a reference could not be replaced by a reference: " + err.Error())
	}
}

var paramsTerm = ast.StringTerm("params")

// plan makes a query for each slot in which any rule is asked.
func (p *Pack) plan() {
	p.plans = map[slot]*plan{}
	made := map[string]*plan{}
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
			}
			p.plans[s] = made[key]
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

func (p *Pack) planOf(rules []*Rule) *plan {
	out := &plan{}
	var together ast.Body
	for i, r := range rules {
		q := &probe{rule: r, deny: ast.Var(fmt.Sprintf("deny%d", i))}
		own := ast.NewBody(r.equals(q.deny, "deny"))
		if r.skips {
			q.skip = ast.Var(fmt.Sprintf("skip%d", i))
			own.Append(r.equals(q.skip, "skip"))
		}
		for _, e := range own {
			together.Append(e.Copy())
		}
		q.alone = p.query(own)
		out.asked = append(out.asked, q)
		out.needs.of(r)
	}
	out.all = p.query(together)
	return out
}

// equals is `v = data.….name`.
func (r *Rule) equals(v ast.Var, name string) *ast.Expr {
	return ast.Equality.Expr(ast.NewTerm(v), ast.NewTerm(slices.Concat(r.pkg, ast.Ref{ast.StringTerm(name)})))
}

func (p *Pack) query(body ast.Body) ast.Body {
	compiled, err := p.compiler.QueryCompiler().Compile(body)
	if err != nil {
		panic("rules: a query that asks for answers of compiled rules does not compile: " + err.Error())
	}
	return compiled
}

// of adds what a rule looks at.
func (n *needs) of(r *Rule) {
	ast.WalkRefs(r.module, func(ref ast.Ref) bool {
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
