package rules

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies/mesh"
)

// readsOf are the kinds whose objects a compiled rule asks the mesh for, itself or in what it calls. What it is asked of is not among them.
func readsOf(compiler *ast.Compiler, r *Rule) []mesh.Kind {
	found := map[mesh.Kind]bool{}
	reached(compiler, compiler.Modules[r.File].Rules, func(rule *ast.Rule) bool {
		ast.WalkExprs(rule, func(e *ast.Expr) bool {
			for _, k := range r.asksFor(e) {
				found[k] = true
			}
			return false
		})
		return true
	})
	var out []mesh.Kind
	for _, k := range mesh.Kinds() {
		if found[k] {
			out = append(out, k)
		}
	}
	return out
}

// reached calls the function once for each of some compiled rules, and for each that these call or read, as long as it returns true for
// those that do.
func reached(compiler *ast.Compiler, rules []*ast.Rule, visit func(*ast.Rule) bool) {
	seen := map[*ast.Rule]bool{}
	var from func(*ast.Rule)
	from = func(rule *ast.Rule) {
		if seen[rule] {
			return
		}
		seen[rule] = true
		if !visit(rule) {
			return
		}
		ast.WalkRefs(rule, func(ref ast.Ref) bool {
			if !ref[0].Equal(ast.DefaultRootDocument) {
				return false
			}
			for _, other := range compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{}) { // of a whole package, where that is what is read
				from(other)
			}
			return false
		})
	}
	for _, rule := range rules {
		from(rule)
	}
}

// asksFor are the kinds that a call asks for. A kind that is not written out is the object's own: loader.kindsWritten refuses any other
// where objects are asked for.
func (r *Rule) asksFor(e *ast.Expr) []mesh.Kind {
	if !e.IsCall() {
		return nil
	}
	name := e.Operator().String()
	switch name {
	case "mesh.policies", "mesh.effects":
		if about, written := kindWritten(e); written {
			return about
		}
		return r.Kinds
	}
	on, asked := restsOn[name]
	if !asked {
		return nil
	}
	if !on.ofObject {
		return on.kinds
	}
	about, written := kindWritten(e)
	if !written && e.Operand(0).String() == "input.object.kind" && slices.Equal(r.Kinds, ofNamespace) || slices.Equal(about, ofNamespace) {
		return on.namespace
	}
	return slices.Concat(about, on.kinds)
}

var ofNamespace = []mesh.Kind{mesh.Namespace}

// kindWritten is the kind that a call names in its first argument, if that is written out.
func kindWritten(e *ast.Expr) (kinds []mesh.Kind, written bool) {
	text, written := e.Operand(0).Value.(ast.String)
	if k, known := KindNamed(string(text)); written && known {
		kinds = []mesh.Kind{k}
	}
	return kinds, written
}

// blind is why a rule cannot tell: a kind that it asks for may have objects that the input does not show. "" where there is none.
func (r *Rule) blind(s *mesh.Snapshot) string {
	i := slices.IndexFunc(r.reads, func(k mesh.Kind) bool { return !s.Reads(k) })
	if i < 0 {
		return ""
	}
	return "it cannot be told: " + notRead(r.reads[i]) + "."
}

func notRead(k mesh.Kind) string { return fmt.Sprintf("kind %s is not read", KindName(k)) }
