package rules

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// query is a compiled query, and the compiler that knows what it asks for.
type query struct {
	body     ast.Body
	compiler *ast.Compiler
}

func compileQuery(c *ast.Compiler, body ast.Body) query {
	compiled, err := c.QueryCompiler().Compile(body)
	if err != nil {
		panic("rules: a query that asks for answers of compiled rules does not compile: " + err.Error())
	}
	return query{compiled, c}
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
	out := query{compiler: probes[0].alone.compiler}
	for _, q := range probes {
		out.body = append(out.body, q.alone.body...)
	}
	return out
}
