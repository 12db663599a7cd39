package rules

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Watch is who looks on while a rule is asked. The zero value is nobody.
type Watch struct {
	// Tracer makes that of one object; nil for none. Whatever is traced is evaluated as it is written: without the index by
	// which rules that cannot hold are passed over, and to the end.
	Tracer func(*mesh.Object) topdown.QueryTracer
	// Print gets what the rule prints; nil to print nothing.
	Print print.Hook
}

// Single is a Pack of one rule, compiled by itself with what it shares, for who tests it. The module is the rule's own (see
// [Pack.Parse]), or one that was changed; Single does not write to it. It prints and is traced as the Watch says, which no rule
// is in production. The types of the module are not looked at again.
func (p *Pack) Single(r *Rule, module *ast.Module, w Watch) (*Pack, error) {
	one := *r
	one.module = module.Copy()
	bindParams(&one, one.module)
	modules := map[string]*ast.Module{r.File: one.module}
	for _, m := range p.shared {
		modules[m.Package.Location.File] = m
	}
	compiler := ast.NewCompiler().WithCapabilities(Capabilities()).WithEnablePrintStatements(w.Print != nil)
	if compiler.Compile(modules); compiler.Failed() {
		return nil, compiler.Errors
	}
	out := &Pack{Revision: p.Revision, Rules: []*Rule{&one}, shared: p.shared, compiler: compiler, params: p.params, budget: p.budget,
		store: p.store, txn: p.txn, watch: w}
	out.plan()
	return out, nil
}

// Parse is the module of a rule as it is written. It panics where that cannot be read: it was, when the rule was loaded.
func (r *Rule) Parse() *ast.Module {
	m, err := ParseModule(r.File, string(r.Source))
	if err != nil {
		panic("rules: a rule that was read cannot be read: " + err.Error())
	}
	return m
}

// ParseModule reads Rego as rules are read.
func ParseModule(file, source string) (*ast.Module, error) {
	return ast.ParseModuleWithOpts(file, source, ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: Capabilities()})
}

// Shared are the modules of folders called lib, as they are written. Nobody writes to them.
func (p *Pack) Shared() []*ast.Module { return slices.Clone(p.shared) }

// Asking is a context in which the questions to the mesh are answered from a View: for tests in Rego.
func Asking(ctx context.Context, view *policies.View) context.Context {
	return asking{ctx, sessionOf(view)}
}

// Questions are the built-ins that ask the mesh, sorted by name.
func Questions() []*topdown.Builtin {
	var out []*topdown.Builtin
	for _, name := range slices.Sorted(maps.Keys(questions)) {
		out = append(out, questions[name])
	}
	return out
}

// Defaults are the parameters that a rule has where none are given.
func (r *Rule) Defaults() map[string]any { return r.withDefaults(nil) }

// traced is a query that is looked on.
func (w Watch) traced(q *topdown.Query, o *mesh.Object) *topdown.Query {
	if w.Tracer != nil {
		q = q.WithQueryTracer(w.Tracer(o)).WithIndexing(false).WithEarlyExit(false)
	}
	if w.Print != nil {
		q = q.WithPrintHook(w.Print)
	}
	return q
}

// Find is the rule with an ID; nil where there is none.
func (p *Pack) Find(id string) *Rule {
	i := slices.IndexFunc(p.Rules, func(r *Rule) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return p.Rules[i]
}


// Tested is the ID of the rule that a module of tests belongs to.
func Tested(m *ast.Module) string {
	return identity(strings.TrimSuffix(packagePath(m), "_test"))
}
