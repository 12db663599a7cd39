package rules

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/santhosh-tekuri/jsonschema/v6"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// operationsIn are the operations of RFC 6902 that a rule offers. A set has no order, and a patch has: first what is tested, then
// what is added and replaced, the parent before the child, then what is removed, the last item of a list first.
func operationsIn(set []*ast.Term) (out []policies.Op, wrong string) {
	for _, t := range set {
		op, wrong := operationOf(t)
		if wrong != "" {
			return nil, wrong
		}
		out = append(out, op)
	}
	rank := func(op policies.Op) int { return map[string]int{"test": 0, "add": 1, "replace": 1, "remove": 2}[op.Op] }
	slices.SortStableFunc(out, func(a, b policies.Op) int {
		if c := cmp.Compare(rank(a), rank(b)); c != 0 {
			return c
		}
		if a.Op == "remove" {
			return comparePaths(b.Path, a.Path)
		}
		return comparePaths(a.Path, b.Path)
	})
	return out, ""
}

func operationOf(t *ast.Term) (op policies.Op, wrong string) {
	raw, err := ast.JSON(t.Value)
	m, ok := raw.(map[string]any)
	if err != nil || !ok {
		return op, fmt.Sprintf("%s is no operation of RFC 6902", short(t))
	}
	for key := range m {
		if key != "op" && key != "path" && key != "value" {
			return op, fmt.Sprintf("an operation has no key %q", key)
		}
	}
	op.Op, _ = m["op"].(string)
	op.Path, _ = m["path"].(string)
	if !slices.Contains([]string{"test", "add", "replace", "remove"}, op.Op) || !strings.HasPrefix(op.Path, "/") {
		return op, fmt.Sprintf("%s is no operation: op is add, replace, remove or test, and path begins with /", short(t))
	}
	if value, ok := m["value"]; ok {
		text, err := json.Marshal(value)
		if err == nil {
			err = utiljson.Unmarshal(text, &op.Value) // numbers as objects have them
		}
		if err != nil {
			return op, fmt.Sprintf("the value of %s cannot be read", short(t))
		}
	}
	return op, ""
}

// comparePaths orders JSON pointers, items of lists by their number.
func comparePaths(a, b string) int {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range min(len(x), len(y)) {
		n, errN := strconv.Atoi(x[i])
		m, errM := strconv.Atoi(y[i])
		c := strings.Compare(x[i], y[i])
		if errN == nil && errM == nil {
			c = cmp.Compare(n, m)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}

// proof is why a patch is offered: it applies, what comes of it is an object of its kind, the rule finds nothing there any
// more, and it would change nothing there either. What is wrong is said as a clause.
func (p *Pack) proof(s *session, a answer, o *mesh.Object) (fix policies.Fix, wrong string) {
	ops, wrong := operationsIn(a.patch)
	if wrong != "" || len(ops) == 0 {
		return fix, wrong
	}
	next, err := applied(o, ops)
	if err != nil {
		return fix, OneLine(err.Error())
	}
	if wrong := invalid(next); wrong != "" {
		return fix, wrong
	}
	view := policies.NewView(s.view.Snapshot.With(next))
	view.Occasion = s.view.Occasion
	again := sessionOf(view, p.remembered)
	input := p.inputWith(again, next, a)
	after := p.askAlone(again, a.probe, next, input)
	switch {
	case after.failure != "":
		return fix, "of the object that it makes " + after.failure
	case len(after.deny) > 0:
		return fix, "the rule still finds something in the object that it makes"
	}
	if p.changesAgain(again, a, input, next) {
		return fix, "asked again it changes the object again"
	}
	message := strings.TrimSuffix(a.probe.rule.Remediation, ".")
	if message == "" {
		message = "repair what rule " + a.probe.rule.ID + " finds"
	}
	return policies.Fix{Message: message, Patch: ops}, ""
}

// changesAgain is whether the rule would patch what its own patch has made.
func (p *Pack) changesAgain(s *session, a answer, input *ast.Term, o *mesh.Object) bool {
	r, errs, err := p.run(s, a.probe.patch, o, input)
	if failure(errs, err) != "" {
		return true
	}
	ops, wrong := operationsIn(members(r[patchVar]))
	if wrong != "" || len(ops) == 0 {
		return wrong != ""
	}
	twice, err := applied(o, ops)
	return err != nil || !reflect.DeepEqual(twice.Content(), o.Content())
}

// applied is the object with operations applied.
func applied(o *mesh.Object, ops []policies.Op) (*mesh.Object, error) {
	raw, err := json.Marshal(ops)
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(o.Content())
	if err != nil {
		return nil, err
	}
	if doc, err = patch.Apply(doc); err != nil {
		return nil, fmt.Errorf("it does not apply: %w", err)
	}
	var content map[string]any
	if err := utiljson.Unmarshal(doc, &content); err != nil {
		return nil, err
	}
	next, err := mesh.Decode(content)
	if err != nil {
		return nil, fmt.Errorf("it makes no object of its kind: %w", err)
	}
	if next.Kind != o.Kind || next.Namespace != o.Namespace && content["metadata"].(map[string]any)["namespace"] != nil || next.Name != o.Name {
		return nil, fmt.Errorf("it makes another object: %s", next)
	}
	next.Live, next.Namespace, next.Name = o.Live, o.Namespace, o.Name // nobody else has seen next yet
	return next, nil
}

// invalid says what is wrong with an object by the schema of its kind; "" where nothing is.
func invalid(o *mesh.Object) string {
	wrong := complaints(strictSchemas()[o.Kind].Validate(plain(o.Content())))
	if len(wrong) == 0 {
		return ""
	}
	return "it makes an object that is not valid: " + strings.ReplaceAll(strings.Join(wrong, "; "), "params", "object")
}

// strictSchemas are those of the kinds, in which an object has no fields but those that are listed.
var strictSchemas = sync.OnceValue(func() map[mesh.Kind]*jsonschema.Schema {
	out := map[mesh.Kind]*jsonschema.Schema{}
	for _, k := range mesh.Kinds() {
		c := jsonschema.NewCompiler()
		c.UseLoader(noLoader{})
		if err := c.AddResource("urn:kind", closed(schemaOf(k))); err != nil {
			panic("rules: the schema of a kind cannot be read: " + err.Error())
		}
		s, err := c.Compile("urn:kind")
		if err != nil {
			panic("rules: the schema of a kind is none: " + err.Error())
		}
		out[k] = s
	}
	return out
})

// closed is a schema with additionalProperties: false wherever properties are listed.
func closed(schema any) any {
	switch s := schema.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, v := range s {
			out[k] = closed(v)
		}
		if _, lists := out["properties"].(map[string]any); lists && out["type"] == "object" && out["additionalProperties"] == nil {
			out["additionalProperties"] = false
		}
		return out
	case []any:
		for i := range s {
			s[i] = closed(s[i])
		}
	}
	return schema
}
