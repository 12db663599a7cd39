package manifest

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Helm template is not YAML until it is rendered. Most do not parse; some do and would be read as something they are
// not: `name: {{ .Values.name }}` is a mapping in a mapping, `name: "{{ .Values.name }}"` a strange name.

var opening = []byte("{{")

// templateProblem says that a file is a template, at the line where it first shows.
func templateProblem(file string, line int) Problem {
	return Problem{File: file, Line: line, Message: fmt.Sprintf(
		"not evaluated: this is a Helm template ({{ on line %d), which is no manifest until it is rendered. "+
			"Run helm template CHART | waywarden scan -.", line)}
}

// templateLine is the line, in raw, of the first {{ outside a comment; 0 when there is none.
func templateLine(raw []byte) int {
	for number, line := range bytes.Split(raw, []byte{'\n'}) {
		if bytes.Contains(line, opening) && !bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte{'#'}) {
			return number + 1
		}
	}
	return 0
}

// helmAction is what only Helm understands. Other languages that use {{ (Argo, Prometheus, Kyverno) do not say these.
var helmAction = regexp.MustCompile(`\{\{-?\s*(include\s|template\s|(quote|toYaml|default\s.*)?\s*\.(Values|Release|Chart|Capabilities)\b)`)

// isTemplate reports whether a text that is YAML is a template all the same.
func isTemplate(raw []byte, root *yaml.Node, content any) bool {
	if !bytes.Contains(raw, opening) {
		return false
	}
	if hasTemplateNode(root) {
		return true
	}
	m, ok := content.(map[string]any)
	if !ok {
		return false
	}
	if hasTemplateIdentity(m) {
		return true
	}
	// What a ConfigMap or a Secret carries may well be a template, and the object a manifest: Istio's own injection
	// templates are kept so.
	switch m["kind"] {
	case "ConfigMap", "Secret":
		return false
	}
	return hasHelmAction(m)
}

// hasTemplateNode finds {{ … }} where it was read as a mapping that is the key of a mapping.
func hasTemplateNode(n *yaml.Node) bool {
	if n == nil {
		return false
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && n.Style&yaml.FlowStyle != 0 && child.Kind == yaml.MappingNode {
			return true
		}
		if hasTemplateNode(child) {
			return true
		}
	}
	return false
}

// hasTemplateIdentity looks where Kubernetes allows no braces whatever the kind.
func hasTemplateIdentity(m map[string]any) bool {
	meta, _ := m["metadata"].(map[string]any)
	for _, v := range []any{m["apiVersion"], m["kind"], meta["name"], meta["namespace"]} {
		if s, ok := v.(string); ok && strings.Contains(s, "{{") {
			return true
		}
	}
	labels, _ := meta["labels"].(map[string]any)
	for name, v := range labels {
		if s, _ := v.(string); strings.Contains(s, "{{") || strings.Contains(name, "{{") {
			return true
		}
	}
	return false
}

// hasHelmAction looks for Helm's words in strings of one line. Longer ones are payload.
func hasHelmAction(v any) bool {
	switch v := v.(type) {
	case string:
		return !strings.Contains(v, "\n") && helmAction.MatchString(v)
	case map[string]any:
		for _, member := range v {
			if hasHelmAction(member) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if hasHelmAction(item) {
				return true
			}
		}
	}
	return false
}
