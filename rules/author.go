package rules

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"

	"github.com/waywarden/waywarden/policies"
)

// What the tools of authors need besides: to watch a rule think, and to run what OPA's own tools run.

// Watch is who watches rules think. It costs time, so it is nothing for admission.
type Watch struct {
	// Tracer sees every step: a coverage of v1/cover, a buffer of v1/topdown. Nil for none.
	Tracer topdown.QueryTracer
	// Print hears what print(…) says, in a Pack that was loaded with Options.Print. Nil for nobody.
	Print print.Hook
}

// Watched is the Pack with somebody watching. Its checks are for one goroutine.
func (p *Pack) Watched(w Watch) *Pack {
	c := *p
	c.watch = w
	return &c
}

// Modules are the rules and what they share, as they were parsed, by file.
func (p *Pack) Modules() map[string]*ast.Module {
	out := map[string]*ast.Module{}
	for _, r := range p.Rules {
		if m, err := Parse(r.File, r.Source); err == nil {
			out[r.File] = m
		}
	}
	for _, m := range p.shared {
		out[m.Package.Location.File] = m
	}
	return out
}

// Parse reads a module as rules are read. The error is that of the parser, in OPA's words.
func Parse(file string, source []byte) (*ast.Module, error) { return parse(file, source) }

// Builtins are the questions to the mesh, for whoever compiles and evaluates rules by other means. They answer in a context of
// [InView] only.
func Builtins() map[string]*topdown.Builtin { return questions }

// InView is a context in which the questions are answered by a View. It is for one goroutine, as the View is.
func InView(ctx context.Context, view *policies.View) context.Context {
	return asking{ctx, sessionOf(view)}
}
