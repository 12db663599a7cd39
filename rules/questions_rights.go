package rules

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/waywarden/waywarden/policies/mesh"
)

var granted = builtin(declare("mesh.granted",
	"what of some verbs on some resources a RoleBinding or ClusterRoleBinding gives its subjects: [{verb, resource, names}]; undefined where its role is not in the input",
	[]types.Type{types.Named("kind", types.S), types.Named("namespace", types.S), types.Named("name", types.S), types.Named("verbs", types.NewArray(nil, types.S)),
		types.Named("resources", types.NewArray(nil, types.S))}, objects),
	func(s *session, operands []*ast.Term) *ast.Term {
		var a [3]string
		for i := range a {
			a[i] = textOf(operands[i])
		}
		return s.granted(arguments(a[:]), textsOf(operands[3]), textsOf(operands[4]))
	})

// granted is what a binding gives, one entry for each verb and resource that some rule of its role allows. names are the only
// objects; where two rules allow the same, and one of them for all objects, there is no limit.
func (s *session) granted(a arguments, verbs, resources []string) *ast.Term {
	binding := s.view.Get(s.kind(a[0]), a[1], a[2])
	if binding == nil {
		return nil
	}
	rules, known := s.view.Rights(binding)
	if !known {
		return nil
	}
	var out []*ast.Term
	for _, resource := range resources {
		on := mesh.ParseResource(resource)
		for _, verb := range verbs {
			if names, ok := allowed(rules, verb, on); ok {
				out = append(out, object(field{"verb", text(verb)}, field{"resource", text(resource)}, field{"names", array(names, text[string])}))
			}
		}
	}
	return ast.NewTerm(ast.NewArray(out...))
}

func allowed(rules []mesh.PolicyRule, verb string, on mesh.Resource) (names []string, ok bool) {
	limited := true
	for i := range rules {
		only, allows := rules[i].Allows(verb, on)
		if !allows {
			continue
		}
		ok, limited, names = true, limited && len(only) > 0, append(names, only...)
	}
	if !limited {
		return nil, ok
	}
	slices.Sort(names)
	return slices.Compact(names), ok
}

var certificates = builtin(declare("mesh.certificates",
	"the certificates in a text of PEM blocks, or in such a text in base64; undefined where there is none, or one cannot be read",
	[]types.Type{types.Named("text", types.S)}, objects),
	func(_ *session, operands []*ast.Term) *ast.Term {
		all, ok := mesh.Certificates(textOf(operands[0]))
		if !ok {
			return nil
		}
		return ast.NewTerm(ast.MustInterfaceToValue(mesh.Plain(all)))
	})

func textOf(t *ast.Term) string {
	s, ok := t.Value.(ast.String)
	if !ok {
		panic(wrongArgument(t.String() + " is no text"))
	}
	return string(s)
}

func textsOf(t *ast.Term) []string {
	list, ok := t.Value.(*ast.Array)
	if !ok {
		panic(wrongArgument(t.String() + " is no array of texts"))
	}
	out := make([]string, 0, list.Len())
	list.Foreach(func(e *ast.Term) { out = append(out, textOf(e)) })
	return out
}

var namespacesSelected = builtin(declare("mesh.namespaces_selected", "the names of the namespaces that a label selector selects, of those whose object is in the input, sorted",
	[]types.Type{types.Named("selector", anObject)}, types.NewArray(nil, types.S)),
	func(s *session, operands []*ast.Term) *ast.Term {
		content, err := ast.JSON(operands[0].Value)
		selector, ok := mesh.ParseSelector(content)
		if err != nil || !ok {
			panic(wrongArgument(operands[0].String() + " is no label selector"))
		}
		var names []string
		for o := range s.view.All(mesh.Namespace) {
			if selector.Matches(o.Labels) {
				names = append(names, o.Name)
			}
		}
		return array(names, text[string])
	})
