package trial

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules"
)

// Test is what came of one rule test_* in Rego.
type Test struct {
	// File and Line are where it stands.
	File string
	Line int
	// Name is the package and the name, as in "acme.no_latest_test.test_digest".
	Name string
	// Problem is what is wrong; "" where the test passes.
	Problem string
	// Why is the expression at which it stops, with its values.
	Why     string
	Printed string
}

// patience is how long one test in Rego may take.
const patience = 10 * time.Second

// RunRego runs the tests in Rego, of which Only says by the ID of the rule that they belong to which are run, until ctx ends. They ask an empty
// mesh, and can answer in its place (`with mesh.namespace as …`). In a test input.params are what the test says they are. The
// error is that of the compiler.
func RunRego(ctx context.Context, pack *rules.Pack, o Options) ([]Test, error) {
	modules := pack.Modules()
	asked := map[string]bool{}
	for _, m := range pack.Tests {
		modules[m.Package.Location.File] = m
		asked[m.Package.Location.File] = o.Only == nil || o.Only(rules.Tested(m))
	}
	store := inmem.New()
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Abort(ctx, txn)
	runner := tester.NewRunner().SetStore(store).SetModules(modules).SetTimeout(patience).AddCustomBuiltins(builtins()).
		SetCompiler(ast.NewCompiler().WithCapabilities(rules.Capabilities()).WithEnablePrintStatements(true)).
		CapturePrintOutput(!o.Brief).EnableTracing(!o.Brief).RaiseBuiltinErrors(true).SetParallel(1) // they share a View
	results, err := runner.RunTests(rules.InView(ctx, policies.NewView(mesh.New(mesh.Options{}))), txn)
	if err != nil {
		return nil, err
	}
	var out []Test
	for r := range results {
		if asked[r.Location.File] {
			out = append(out, testOf(r))
		}
	}
	slices.SortFunc(out, func(a, b Test) int { return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
	return out, nil
}

func testOf(r *tester.Result) Test {
	out := Test{File: r.Location.File, Line: r.Location.Row, Name: strings.TrimPrefix(r.Package, "data.") + "." + r.Name, Printed: string(r.Output)}
	switch {
	case r.Error != nil:
		out.Problem = "it has no answer: " + rules.OneLine(r.Error.Error())
	case r.Skip:
		out.Problem = "it is not run: its name begins with todo_. Finish it, or remove it."
	case r.Fail:
		out.Problem = "it does not hold."
		out.Why = whyNot(r)
	}
	return out
}

// whyNot is the expression at which a test stops, or the cases of it that do not hold.
func whyNot(r *tester.Result) string {
	var b strings.Builder
	for path, sub := range r.SubResults.Iter {
		if sub.Fail && len(sub.SubResults) == 0 {
			fmt.Fprintf(&b, "  case %s does not hold\n", strings.Join(path, " "))
		}
	}
	t := indexTrace(r.Trace)
	for _, e := range r.Trace {
		if rule, ok := e.Node.(*ast.Rule); ok && e.Op == topdown.EnterOp && rule.Location.Row == r.Location.Row && rule.Location.File == r.Location.File {
			t.stop(&b, t.of[placeOf(rule)], 0)
			break
		}
	}
	return b.String()
}

// builtins are the questions to the mesh as the test runner wants them.
func builtins() []*tester.Builtin {
	var out []*tester.Builtin
	for _, q := range rules.Builtins() {
		decl := &rego.Function{Name: q.Decl.Name, Decl: q.Decl.Decl, Nondeterministic: true}
		out = append(out, &tester.Builtin{Decl: q.Decl, Func: rego.FunctionDyn(decl, func(b rego.BuiltinContext, terms []*ast.Term) (*ast.Term, error) {
			var answer *ast.Term
			err := q.Func(b, terms, func(t *ast.Term) error {
				answer = t
				return nil
			})
			return answer, err
		})})
	}
	return out
}
