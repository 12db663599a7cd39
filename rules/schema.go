package rules

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies/mesh"
)

// annotate gives a module the types of its input, for OPA's type checker, whatever its METADATA says of schemas: they follow
// from what the rule is asked of.
func annotate(r *Rule, module *ast.Module) {
	definition := any(inputSchema(r))
	for _, a := range module.Annotations {
		if a.Scope == "package" || a.Scope == "" {
			a.Schemas = []*ast.SchemaAnnotation{{Path: ast.InputRootRef, Definition: &definition}}
			return
		}
	}
}

// inputSchema is the JSON schema of the input of a rule.
func inputSchema(r *Rule) map[string]any {
	anything, text := map[string]any{}, map[string]any{"type": "string"}
	params := any(closedObject(map[string]any{}))
	if r.Params != nil {
		params = plain(r.Params)
	}
	var objects []any
	for _, k := range r.Kinds {
		objects = append(objects, schemaOf(k))
	}
	if slices.Contains(r.Operations, "DELETE") {
		objects = append(objects, map[string]any{"type": "null"})
	}
	object := any(map[string]any{"anyOf": objects})
	switch len(objects) {
	case 0:
		object = anything
	case 1:
		object = objects[0]
	}
	return closedObject(map[string]any{
		"phase": text, "operation": text, "dryRun": map[string]any{"type": "boolean"}, "now": text, "object": object, "old": object,
		"user":      closedObject(map[string]any{"username": text, "uid": text, "groups": listSchema(text), "extra": anything}),
		"namespace": closedObject(map[string]any{"name": text, "labels": anything, "annotations": anything}),
		"effects": listSchema(closedObject(map[string]any{
			"object": anything, "target": anything, "by": anything, "enforcedBy": text, "verdict": text, "reason": text, "message": text,
			"workloads": map[string]any{"type": "number"}, "failsOpen": map[string]any{"type": "boolean"}, "waits": map[string]any{"type": "boolean"}})),
		"mesh":   closedObject(map[string]any{"rootNamespace": text, "trustDomain": text, "trustDomainAliases": listSchema(text), "clusterDomain": text, "istioVersion": text}),
		"params": closedObject(map[string]any{r.ID: params}),
	})
}

func closedObject(properties map[string]any) map[string]any {
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}

func listSchema(items any) map[string]any { return map[string]any{"type": "array", "items": items} }

// schemaOf is the JSON schema of a kind.
func schemaOf(k mesh.Kind) map[string]any {
	raw, err := Schemas.ReadFile("schemas/" + strings.ToLower(KindName(k)) + ".json")
	if err != nil {
		panic("rules: a kind has no schema: " + err.Error())
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		panic("rules: the schema of a kind cannot be read: " + err.Error())
	}
	return out
}
