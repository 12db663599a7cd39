package rules

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies"
)

// query is a compiled query, and the compiler that knows what it asks for.
type query struct {
	of       string // the ID of the rule that is asked; [policies.Together] where there are several
	body     ast.Body
	compiler *ast.Compiler
}

func compileQuery(c *ast.Compiler, of string, body ast.Body) query {
	compiled, err := c.QueryCompiler().Compile(body)
	if err != nil {
		panic("rules: a query that asks for answers of compiled rules does not compile: " + err.Error())
	}
	return query{of, compiled, c}
}

// equals is `v = ref`.
func equals(v ast.Var, ref ast.Ref) *ast.Expr {
	return ast.Equality.Expr(ast.NewTerm(v), ast.NewTerm(ref))
}

// inOne is one query for what several probes ask, so that what an evaluation costs, and what their rules share, is paid once.
func inOne(probes []*probe) query {
	if len(probes) == 1 {
		return probes[0].alone
	}
	out := query{of: policies.Together, compiler: probes[0].alone.compiler}
	for _, q := range probes {
		out.body = append(out.body, q.alone.body...)
	}
	return out
}
