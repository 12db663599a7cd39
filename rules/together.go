package rules

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Rules that are asked on the same occasions are asked together: their answers are copied into one set, so that OPA's rule
// index passes over all that cannot hold for an object at once, and what one evaluation costs is paid once. That is only
// possible with what the compiler has made of them, where every name is written out. So there are two compilers: one for a
// rule alone, and one for all.
//
//	deny contains v if { … }      of rule 3   ─►   together.p0 contains [6, v] if { … }
//	skip contains reason if { … }             ─►   together.p0 contains [7, reason] if { … }

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

var togetherRef = ast.MustParseRef("data.waywarden.together")

// together makes the one query of each plan of several rules.
func (p *Pack) together(plans []*plan) {
	all := &ast.Module{Package: &ast.Package{Path: togetherRef}}
	for i, plan := range plans {
		for n, q := range plan.asked {
			all.Rules = append(all.Rules, p.copied(q.rule, "deny", fmt.Sprintf("p%d", i), 2*n, all)...)
			all.Rules = append(all.Rules, p.copied(q.rule, "skip", fmt.Sprintf("p%d", i), 2*n+1, all)...)
		}
	}
	modules := map[string]*ast.Module{"together.rego": all}
	for file, m := range p.compiler.Modules {
		modules[file] = m
	}
	c := ast.NewCompiler().WithCapabilities(Capabilities()) // what is compiled is not strict any more
	if c.Compile(modules); c.Failed() {
		panic("rules: compiled rules do not compile together: " + c.Errors.Error())
	}
	for i, plan := range plans {
		plan.all = compileQuery(c, ast.NewBody(equals(allVar, slices.Concat(togetherRef, ast.Ref{ast.StringTerm(fmt.Sprintf("p%d", i))}))))
	}
}

// allVar is what the answer to the query of a plan is called.
const allVar = ast.Var("answers")

// copied are the rules of a name, each as a rule of a plan whose members say from where they come.
func (p *Pack) copied(r *Rule, name, into string, number int, module *ast.Module) []*ast.Rule {
	var out []*ast.Rule
	for _, one := range p.compiler.GetRulesExact(slices.Concat(r.pkg, ast.Ref{ast.StringTerm(name)})) {
		head := ast.NewHead(ast.Var(into), ast.ArrayTerm(ast.IntNumberTerm(number), one.Head.Key.Copy()))
		head.Location = one.Location
		out = append(out, &ast.Rule{Head: head, Body: one.Body.Copy(), Module: module, Location: one.Location})
	}
	return out
}

// answers gives each rule of a plan its part of the answer to all.
func (plan *plan) answers(all topdown.QueryResult) []answer {
	out := make([]answer, len(plan.asked))
	for i, q := range plan.asked {
		out[i].probe = q
	}
	for _, t := range members(all[allVar]) {
		pair := t.Value.(*ast.Array)
		number, _ := pair.Elem(0).Value.(ast.Number).Int()
		if a := &out[number/2]; number%2 == 0 {
			a.deny = append(a.deny, pair.Elem(1))
		} else {
			a.skip = append(a.skip, pair.Elem(1))
		}
	}
	return out
}
