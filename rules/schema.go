package rules

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// annotate gives the rule the types of its input, whatever its own METADATA says of schemas: they follow from what it is
// asked of.
func annotate(r *Rule) {
	params := any(map[string]any{"type": "object", "properties": map[string]any{}})
	if r.Params != nil {
		params = plain(r.Params)
	}
	any_ := map[string]any{}
	text := map[string]any{"type": "string"}
	input := map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{
		"phase": text, "operation": text, "dryRun": map[string]any{"type": "boolean"}, "user": any_, "now": text, "object": any_, "old": any_,
		"namespace": any_, "effects": any_, "mesh": any_,
		"params": map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{r.ID: params}},
	}}
	definition := any(input)
	for _, a := range r.module.Annotations {
		if a.Scope == "package" || a.Scope == "" {
			a.Schemas = []*ast.SchemaAnnotation{{Path: ast.InputRootRef, Definition: &definition}}
			return
		}
	}
}
