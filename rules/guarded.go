package rules

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies"
)

// atAdmission are the fields of the input that there are at admission only.
var atAdmission = []string{"operation", "user", "old", "dryRun"}

// guarded refuses a rule that is asked in an audit or a scan too and reads there what does not exist: its condition would be
// undefined, and it would find nothing. A body that says input.phase == "admission" is only for admission.
func (l *loader) guarded(r *Rule) {
	l.imported(r.module)
	for _, one := range r.module.Rules {
		for rule := one; rule != nil; rule = rule.Else {
			if onlyAtAdmission(rule.Body) {
				continue
			}
			l.unguarded(r.File, rule)
		}
	}
}

// imported refuses to import what there is at admission only: what asks for it under another name is not seen. Of what rules share it is not
// known here who calls it.
func (l *loader) imported(m *ast.Module) {
	for _, i := range m.Imports {
		ref, ok := i.Path.Value.(ast.Ref)
		if !ok || !ref[0].Equal(ast.InputRootDocument) {
			continue
		}
		if name, text := fieldOf(ref); text && slices.Contains(atAdmission, name) {
			l.refusals.add(locate(m.Package.Location.File, i.Path.Location), "nobody can tell what the rule asks for at admission only: it imports input.%s. Write it out where it is asked for, as in input.%[1]s.", name)
		}
	}
}

func (l *loader) unguarded(file string, rule *ast.Rule) {
	look := func(x any) {
		ast.WalkRefs(x, func(ref ast.Ref) bool {
			name, ok := fieldOf(ref)
			if ok && ref[0].Equal(ast.InputRootDocument) && slices.Contains(atAdmission, name) {
				l.refusals.add(locate(file, ref[0].Location), "in an audit or a scan the rule would find nothing: input.%s is there at admission only. Say input.phase == \"admission\" in the same body, or match.phases: [admission].", name)
			}
			return false
		})
	}
	look(rule.Head)
	look(rule.Body)
}

// guardedShared refuses the same in what the rule calls of folders called lib, as far as it calls it where there may be no request.
func (l *loader) guardedShared(compiler *ast.Compiler, r *Rule) {
	if !r.withoutRequest() {
		return
	}
	written := map[string]*ast.Rule{} // as it was parsed, by place: the compiler has turned conditions round
	shared := map[*ast.Rule]bool{}
	for _, m := range append([]*ast.Module{r.module}, l.shared...) {
		for _, one := range m.Rules {
			for rule := one; rule != nil; rule = rule.Else {
				written[placeOf(rule)], shared[rule] = rule, m != r.module
			}
		}
	}
	reached(compiler, compiler.Modules[r.File].Rules, func(compiled *ast.Rule) bool {
		rule := written[placeOf(compiled)]
		asked := false
		for ; rule != nil; rule = rule.Else {
			if onlyAtAdmission(rule.Body) {
				continue
			}
			asked = true
			if shared[rule] {
				l.unguarded(rule.Location.File, rule)
			}
		}
		return asked
	})
}

func placeOf(r *ast.Rule) string {
	return fmt.Sprintf("%s:%d:%d", r.Location.File, r.Location.Row, r.Location.Col)
}

// withoutRequest is whether a rule is asked where nobody has requested anything.
func (r *Rule) withoutRequest() bool {
	return slices.Contains(r.Phases, policies.AtAudit) || slices.Contains(r.Phases, policies.AtScan)
}

func onlyAtAdmission(body ast.Body) bool {
	return slices.ContainsFunc(body, func(e *ast.Expr) bool {
		if e.Negated || !e.IsEquality() && !e.IsAssignment() && e.OperatorTerm() == nil {
			return false
		}
		operands := e.Operands()
		if len(operands) != 2 || !slices.Contains([]string{"eq", "equal"}, e.Operator().String()) {
			return false
		}
		a, b := operands[0].String(), operands[1].String()
		want := fmt.Sprintf("%q", policies.AtAdmission)
		return a == "input.phase" && b == want || b == "input.phase" && a == want
	})
}
