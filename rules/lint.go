package rules

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// lint refuses what compiles and is a mistake all the same. It looks at a module as it was parsed.
func (l *loader) lint(r *Rule) {
	l.onlyFields(r.module)
	l.onlyShared(r)
	l.kindsWritten(r.module)
	if r.withoutRequest() {
		l.guarded(r)
	}
}

// onlyFields refuses input as a whole: what a rule looks at could not be told, and what has another name is not seen by what looks for input.
func (l *loader) onlyFields(m *ast.Module) {
	ast.WalkTerms(m, func(t *ast.Term) bool {
		ref, ok := t.Value.(ast.Ref)
		if !ok || !ref[0].Equal(ast.InputRootDocument) {
			return false
		}
		if _, text := fieldOf(ref); !text {
			l.refusals.add(locate(m.Package.Location.File, t.Location), "nobody can tell what the rule looks at: it takes input as a whole. Write the field, as in input.object.")
		}
		return false
	})
}

// namesKind are the questions whose first argument says of which kind objects are asked for.
var namesKind = []string{"mesh.policies", "mesh.effects"}

// kindsWritten refuses to ask for objects of a kind that is worked out: which kinds the rule needs could not be told, so that nobody would
// read them, and that there is none would pass for an answer. The object's own kind is read.
func (l *loader) kindsWritten(m *ast.Module) {
	look := func(operator *ast.Term, args []*ast.Term) {
		name := operator.Value.String()
		if !slices.Contains(namesKind, name) || len(args) == 0 {
			return
		}
		if _, written := args[0].Value.(ast.String); written || args[0].String() == "input.object.kind" {
			return
		}
		l.refusals.add(locate(m.Package.Location.File, args[0].Location),
			"nobody can tell which kinds the rule reads: %s is asked for a kind that is worked out. Write one call for each kind, as in %[1]s(\"Service\", …), or say input.object.kind.", name)
	}
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if terms, ok := e.Terms.([]*ast.Term); ok {
			look(terms[0], terms[1:])
		}
		return false
	})
	ast.WalkTerms(m, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok {
			look(call[0], call[1:])
		}
		return false
	})
}

// fieldOf is the field of the input that a reference begins with.
func fieldOf(ref ast.Ref) (string, bool) {
	if len(ref) < 2 {
		return "", false
	}
	s, ok := ref[1].Value.(ast.String)
	return string(s), ok
}

// onlyShared refuses data: rules keep none, so that it would always be undefined. What rules share is in folders called lib.
func (l *loader) onlyShared(r *Rule) {
	look := func(ref ast.Ref) bool {
		if ref[0].Equal(ast.DefaultRootDocument) {
			l.shareable(r, ref)
		}
		return false
	}
	for _, i := range r.module.Imports {
		ast.WalkRefs(i, look)
	}
	for _, one := range r.module.Rules {
		ast.WalkRefs(one, look)
	}
}

func (l *loader) shareable(r *Rule, ref ast.Ref) {
	for _, m := range l.shared {
		if ref.HasPrefix(m.Package.Path) {
			return
		}
	}
	if ref.HasPrefix(r.pkg) {
		return
	}
	l.refusals.add(locate(r.File, ref[0].Location), "the rule would find nothing there: %s is neither in this rule nor in a folder called lib. Rules keep no data: ask mesh.*, or make it a parameter.", ref)
}

// types refuses what cannot be right by the schemas of the kinds: first by our own look at how values flow, then by OPA's type
// checker, of which only that is told which is told nowhere else in the line. Each rule is compiled by itself, with what all
// share: the compiler stops at the first stage at which any rule is wrong, and would not say what is wrong with the others.
func (l *loader) types() {
	var shared []string
	for _, m := range l.shared {
		shared = append(shared, m.Package.Location.File)
	}
	for _, r := range l.rules {
		compiler, wrong := l.alone(r, false)
		l.refusals = append(l.refusals, wrong...)
		if len(wrong) > 0 {
			continue
		}
		l.guardedShared(compiler, r)
		said := map[string]bool{}
		mistakes(compiler, r, l.Options, shared, func(at *ast.Location, message string) {
			p := locate(r.File, at)
			said[fmt.Sprintf("%s:%d", p.file, p.line)] = true
			l.refusals.add(p, "%s", message)
		})
		_, wrong = l.alone(r, true)
		for _, refusal := range wrong {
			if !said[fmt.Sprintf("%s:%d", refusal.File, refusal.Line)] {
				l.refusals = append(l.refusals, refusal)
			}
		}
	}
}

// alone compiles a rule by itself, with what all share, and where typed is set with the types of its input.
func (l *loader) alone(r *Rule, typed bool) (*ast.Compiler, Refusals) {
	module, err := parse(r.File, r.Source)
	if err != nil {
		return nil, nil // was read before, and is refused already
	}
	bindParams(r, module)
	modules := map[string]*ast.Module{r.File: module}
	for _, m := range l.shared {
		modules[m.Package.Location.File] = m.Copy()
	}
	c := newCompiler()
	if typed {
		annotate(r, module)
		c = c.WithUseTypeCheckAnnotations(true)
	}
	var out Refusals
	if c.Compile(modules); c.Failed() {
		out.wrong(r.File, c.Errors)
	}
	return c, out
}
