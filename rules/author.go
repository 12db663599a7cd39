package rules

import (
	"context"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// What the tools of authors need besides: to watch a rule think, to change one, and to run what OPA's own tools run.

// Watch is who watches a rule think. The zero value is nobody.
type Watch struct {
	// Tracer makes the one that sees every step at an object: a coverage of v1/cover, a buffer of v1/topdown. Nil for none.
	// Whatever is traced is evaluated as it is written: without the index by which rules that cannot hold are passed over,
	// and to the end.
	Tracer func(*mesh.Object) topdown.QueryTracer
	// Print hears what print(…) says; nil leaves it out.
	Print print.Hook
}

// Single is a Pack of one rule, compiled by itself with what it shares. The module is the rule's own (see [Rule.Parse]), or one
// that was changed; Single does not write to it, and looks at its types no more. The error is that of the compiler. It is watched,
// which no rule is at admission.
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
	out := *p
	out.Rules, out.compiler, out.watch = []*Rule{&one}, compiler, w
	out.sieved = w.Tracer == nil && w.Print == nil // there is nothing to see of what OPA is not asked
	out.plan()
	return &out, nil
}

// watched is a query with whoever watches.
func (w Watch) watched(q *topdown.Query, o *mesh.Object) *topdown.Query {
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

// Modules are the rules and what they share, as they are written, by file.
func (p *Pack) Modules() map[string]*ast.Module {
	out := map[string]*ast.Module{}
	for _, r := range p.Rules {
		out[r.File] = r.Parse()
	}
	for _, m := range p.shared {
		out[m.Package.Location.File] = m
	}
	return out
}

// Parse is the module of a rule as it is written.
func (r *Rule) Parse() *ast.Module {
	m, err := parse(r.File, r.Source)
	if err != nil {
		panic("rules: a rule that was read cannot be read: " + err.Error())
	}
	return m
}

// Parse reads a module as rules are read. The error is that of the parser, in OPA's words.
func Parse(file string, source []byte) (*ast.Module, error) { return parse(file, source) }

// Tested is the ID of the rule that a module of tests in Rego belongs to.
func Tested(m *ast.Module) string {
	return identity(strings.TrimSuffix(packagePath(m), "_test"))
}

// Builtins are the questions to the mesh, for whoever compiles and evaluates rules by other means. They answer in a context of
// [InView] only.
func Builtins() map[string]*topdown.Builtin { return questions }

// InView is a context in which the questions are answered by a View. It is for one goroutine, as the View is.
func InView(ctx context.Context, view *policies.View) context.Context {
	return asking{ctx, sessionOf(view, &remembered{})}
}

// PackagePath is the package of the rule with an ID, as a path: "zero-trust/authz/deny-enforced" is
// zerotrust/authz/deny_enforced.
func PackagePath(id string) string {
	if rest, ok := strings.CutPrefix(id, reserved+"/"); ok {
		id = library + "/" + rest
	}
	return strings.ReplaceAll(id, "-", "_")
}
