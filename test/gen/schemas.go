package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/policies/mesh"
)

// crds are where the CustomResourceDefinitions of the kinds are: in the modules that this program is built with, so that
// types are those of the Istio and the Gateway API that it knows.
var crds = []struct{ module, pattern string }{
	{"istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml"},
	{"sigs.k8s.io/gateway-api", "config/crd/experimental/*.yaml"},
}

// schemaParts are the files of rules/schemas, one for each kind.
func schemaParts() []part {
	var out []part
	for _, k := range mesh.Kinds() {
		name := strings.ToLower(k.String())
		if k.Group() != "" {
			name += "." + k.Group()
		}
		out = append(out, part{"rules/schemas/" + name + ".json", "", func() (string, error) { return schemaOf(k) }})
	}
	return out
}

// schemaOf is the JSON schema of a kind, as one line.
func schemaOf(k mesh.Kind) (string, error) {
	schema, err := coreSchema(k)
	if err != nil {
		return "", err
	}
	if schema == nil {
		if schema, err = customSchema(k); err != nil {
			return "", err
		}
	}
	raw, err := json.Marshal(schema)
	return string(raw) + "\n", err
}

type definition struct {
	Spec struct {
		Group string
		Names struct{ Kind string }
		// Versions hold the schemas.
		Versions []struct {
			Name   string
			Schema struct{ OpenAPIV3Schema map[string]any }
		}
	}
}

var definitions = sync.OnceValues(func() ([]definition, error) {
	var out []definition
	for _, from := range crds {
		dir, err := moduleDir(from.module)
		if err != nil {
			return nil, err
		}
		files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(from.pattern)))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("no CRDs in %s: %w", from.module, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			for _, doc := range bytes.Split(data, []byte("\n---\n")) {
				var d definition
				if err := yaml.Unmarshal(doc, &d); err != nil {
					return nil, fmt.Errorf("%s: %w", file, err)
				}
				out = append(out, d)
			}
		}
	}
	return out, nil
})

func moduleDir(module string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// customSchema is that of a kind with a CRD: of the version that this program prefers. A kind whose CRD is in none of the
// modules has an open spec.
func customSchema(k mesh.Kind) (map[string]any, error) {
	all, err := definitions()
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if d.Spec.Group != k.Group() || d.Spec.Names.Kind != k.String() {
			continue
		}
		for _, version := range k.Versions() {
			for _, v := range d.Spec.Versions {
				if v.Name == version {
					out := simplified(v.Schema.OpenAPIV3Schema).(map[string]any)
					return withMetadata(out), nil
				}
			}
		}
	}
	return withMetadata(map[string]any{"type": "object", "properties": map[string]any{"spec": map[string]any{}, "status": map[string]any{}}}), nil
}

// withMetadata completes what CRDs leave out: they list spec and status only.
func withMetadata(schema map[string]any) map[string]any {
	p := schema["properties"].(map[string]any)
	text := map[string]any{"type": "string"}
	p["apiVersion"], p["kind"], p["metadata"] = text, text, objectMeta()
	return schema
}

// simplified keeps of an OpenAPI schema what types are made of: types, properties, items, enums. What can be anything is {}.
func simplified(schema any) any {
	in, _ := schema.(map[string]any)
	if in["x-kubernetes-preserve-unknown-fields"] == true || in["x-kubernetes-int-or-string"] == true {
		return map[string]any{}
	}
	out := map[string]any{}
	for _, key := range []string{"type", "enum"} {
		if v, ok := in[key]; ok {
			out[key] = v
		}
	}
	if items, ok := in["items"]; ok {
		out["items"] = simplified(items)
	}
	if p, ok := in["properties"].(map[string]any); ok {
		properties := map[string]any{}
		for name, one := range p {
			properties[name] = simplified(one)
		}
		out["properties"] = properties
	}
	if more, ok := in["additionalProperties"].(map[string]any); ok {
		out["additionalProperties"] = simplified(more)
	}
	if values, ok := out["enum"].([]any); ok { // "" among them is a value that nobody writes
		out["enum"] = slices.DeleteFunc(slices.Clone(values), func(v any) bool { return v == "" })
	}
	return out
}
