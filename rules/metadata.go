package rules

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/controls"
)

// Metadata is what a rule says of itself, in the comment above its package. Nothing of the rule need be evaluated to list,
// match, document or map it.
type Metadata struct {
	Title       string
	Description string
	// Related are links to what explains it.
	Related     []string
	Severity    policies.Severity
	Kinds       []mesh.Kind
	Phases      []policies.Phase // never empty
	Operations  []string         // CREATE, UPDATE and DELETE; never empty
	Controls    map[string][]string
	Remediation string
	// Params is the JSON schema of the parameters, as YAML decodes it; nil where there are none.
	Params map[string]any
}

// The operations that a rule can be about. Without match.operations it is about the first two.
var operations = []string{"CREATE", "UPDATE", "DELETE"}

// metadataReader reads the METADATA of one rule and collects what is wrong with it.
type metadataReader struct {
	file     string
	refusals *Refusals
	// line is that of "# METADATA", to which lines of the YAML below are relative.
	line int
	// matches is whether kinds were named, rightly or not.
	matches bool
	out     Metadata
}

// readMetadata reads the block that starts at a line of a file.
func readMetadata(file string, source []byte, line int, refusals *Refusals) Metadata {
	r := &metadataReader{file: file, refusals: refusals, line: line}
	text := commentBelow(source, line)
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		r.refusals.add(position{file, line, 1}, "the rule cannot be read: its METADATA is no YAML mapping. Write it as `# title: …` lines below `# METADATA`.")
		return r.out
	}
	r.top(doc.Content[0])
	r.complete()
	return r.out
}

// commentBelow is the comment that follows a line, without the number signs. A line of it is a line of the file.
func commentBelow(source []byte, line int) string {
	var b strings.Builder
	for _, l := range strings.Split(string(source), "\n")[line:] {
		text, ok := strings.CutPrefix(strings.TrimRight(l, " \t\r"), "#")
		if !ok {
			break
		}
		b.WriteString(strings.TrimPrefix(text, " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// at is where a node of the YAML stands in the file: "# " is before every line.
func (r *metadataReader) at(n *yaml.Node) position {
	return position{r.file, r.line + n.Line, n.Column + 2}
}

func (r *metadataReader) refuse(n *yaml.Node, format string, args ...any) {
	r.refusals.add(r.at(n), format, args...)
}

// fields calls the function for each key of a mapping, and refuses keys that have none.
func (r *metadataReader) fields(n *yaml.Node, under string, known map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.refuse(n, "the rule cannot be read: %s is no mapping. Write key: value below it.", under)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		read, ok := known[n.Content[i].Value]
		if !ok {
			r.refuse(n.Content[i], "METADATA key %q says nothing: %s has no such key. Use one of %s.", n.Content[i].Value, under, list(known))
			continue
		}
		read(n.Content[i+1])
	}
}

func list[V any](known map[string]V) string {
	keys := make([]string, 0, len(known))
	for k := range known {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

func (r *metadataReader) top(n *yaml.Node) {
	ignored := func(*yaml.Node) {}
	r.fields(n, "METADATA", map[string]func(*yaml.Node){
		"scope": func(n *yaml.Node) {
			if n.Value != "package" {
				r.refuse(n, "the METADATA describes no rule: its scope is %q. Leave scope out, or say package.", n.Value)
			}
		},
		"title":             r.text(&r.out.Title),
		"description":       r.text(&r.out.Description),
		"related_resources": r.related,
		"schemas":           r.schemas,
		"authors":           ignored,
		"organizations":     ignored,
		"custom": func(n *yaml.Node) {
			r.fields(n, "custom", map[string]func(*yaml.Node){
				"severity": r.severity, "match": r.match, "params": r.params, "controls": r.controls, "remediation": r.text(&r.out.Remediation),
			})
		},
	})
}

func (r *metadataReader) text(into *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode {
			r.refuse(n, "the rule cannot be described: this is no text. Write one sentence or more.")
			return
		}
		*into = strings.TrimSpace(n.Value)
	}
}

func (r *metadataReader) related(n *yaml.Node) {
	for _, one := range n.Content {
		var ref struct {
			Ref         string `yaml:"ref"`
			Description string `yaml:"description"`
		}
		if one.Kind == yaml.ScalarNode {
			ref.Ref = one.Value
		} else if err := one.Decode(&ref); err != nil || ref.Ref == "" {
			r.refuse(one, "the link cannot be shown: it has no ref. Write {ref: https://…}.")
			continue
		}
		r.out.Related = append(r.out.Related, ref.Ref)
	}
}

// schemas are for editors with OPA or Regal: which schema holds follows from match.kinds.
func (r *metadataReader) schemas(n *yaml.Node) {
	var all []map[string]string
	if err := n.Decode(&all); err != nil {
		r.refuse(n, "the schemas cannot be read: %v. Write [{input: schema.waywarden.input}].", err)
		return
	}
	for _, one := range all {
		for path, schema := range one {
			if strings.Contains(schema, "://") || !strings.HasPrefix(schema, "schema.") {
				r.refuse(n, "the type of %s is not known: %q is no schema that is shipped, and none is fetched. Use schema.waywarden.input, or leave schemas out: the types follow from match.kinds.", path, schema)
			}
		}
	}
}

func (r *metadataReader) severity(n *yaml.Node) {
	r.out.Severity = policies.Severity(n.Value)
	if r.out.Severity.Rank() == len(policies.Severities) {
		r.refuse(n, "nobody can tell how bad it is: %q is no severity. Say critical, high, medium, low or info.", n.Value)
	}
}

func (r *metadataReader) match(n *yaml.Node) {
	r.fields(n, "match", map[string]func(*yaml.Node){
		"kinds": r.eachOf("kinds", func(n *yaml.Node) {
			r.matches = true
			kind, ok := KindNamed(n.Value)
			if !ok {
				r.refuse(n, "it would be asked of nothing: there is no kind %q. Write the kind with its group, as in AuthorizationPolicy.security.istio.io, or Namespace%s.", n.Value, similar(n.Value))
				return
			}
			r.out.Kinds = append(r.out.Kinds, kind)
		}),
		"phases": r.eachOf("phases", func(n *yaml.Node) {
			if !slices.Contains(policies.Phases, policies.Phase(n.Value)) {
				r.refuse(n, "it would never be asked: there is no phase %q. Say admission, audit or scan.", n.Value)
			}
			r.out.Phases = append(r.out.Phases, policies.Phase(n.Value))
		}),
		"operations": r.eachOf("operations", func(n *yaml.Node) {
			if !slices.Contains(operations, n.Value) {
				r.refuse(n, "it would never be asked: there is no operation %q. Say CREATE, UPDATE or DELETE.", n.Value)
			}
			r.out.Operations = append(r.out.Operations, n.Value)
		}),
	})
}

func (r *metadataReader) eachOf(name string, read func(*yaml.Node)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
			r.refuse(n, "the rule matches nothing: %s is no list, or an empty one. Name at least one, or leave it out for all.", name)
			return
		}
		for _, one := range n.Content {
			read(one)
		}
	}
}

func (r *metadataReader) controls(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.refuse(n, "the rule gives evidence for nothing: controls is no mapping. Write {nist-800-53-r5: [AC-3]}.")
		return
	}
	r.out.Controls = map[string][]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, ids := n.Content[i], n.Content[i+1]
		framework := controls.Find(key.Value)
		if framework == nil {
			r.refuse(key, "no report would show it: framework %q is not in the catalogue. Use one of %s.", key.Value, frameworks())
			continue
		}
		for _, id := range ids.Content {
			if _, ok := framework.Control(id.Value); !ok {
				r.refuse(id, "no report would show it: %s has no control %q in the catalogue. Look it up, and write it as the framework prints it.", framework.ID, id.Value)
			}
			r.out.Controls[framework.ID] = append(r.out.Controls[framework.ID], id.Value)
		}
	}
}

func frameworks() string {
	var ids []string
	for _, f := range controls.Frameworks() {
		ids = append(ids, f.ID)
	}
	return strings.Join(ids, ", ")
}

func (r *metadataReader) params(n *yaml.Node) {
	var schema map[string]any
	if err := n.Decode(&schema); err != nil {
		r.refuse(n, "the parameters cannot be read: %v. Write a JSON schema of an object.", err)
		return
	}
	wrong, usable := checkParams(schema)
	for _, why := range wrong {
		r.refuse(n, "%s", why)
	}
	if usable {
		r.out.Params = schema
	}
}

// complete refuses what is missing, and fills in what may be left out.
func (r *metadataReader) complete() {
	top := position{r.file, r.line, 1}
	m := &r.out
	missing := func(what, remedy string) {
		r.refusals.add(top, "the rule is not described: it has no %s. %s", what, remedy)
	}
	if m.Title == "" {
		missing("title", "Say in `# title:` what is wrong where it finds something.")
	}
	if m.Severity == "" {
		missing("severity", "Say in custom.severity how bad it is: critical, high, medium, low or info.")
	}
	if !r.matches {
		missing("kinds", "Say in custom.match.kinds of what it is asked, as in AuthorizationPolicy.security.istio.io.")
	}
	if m.Remediation == "" && (m.Severity == policies.Critical || m.Severity == policies.High) {
		missing("remediation", fmt.Sprintf("It is %s, so say in custom.remediation what to do about it.", m.Severity))
	}
	if m.Phases == nil {
		m.Phases = policies.Phases
	}
	if m.Operations == nil {
		m.Operations = operations[:2]
	}
}

// KindNamed is the kind that a name means, as in "AuthorizationPolicy.security.istio.io" or "Namespace". The group may be
// left out, and then a Gateway is one of the Gateway API.
func KindNamed(name string) (mesh.Kind, bool) {
	short, group, qualified := strings.Cut(name, ".")
	for _, k := range mesh.Kinds() {
		if k.String() == short && (!qualified || slices.Contains(k.Groups(), group)) {
			return k, true
		}
	}
	return 0, false
}

// KindName is the name by which rules match a kind.
func KindName(k mesh.Kind) string {
	if k.Group() == "" {
		return k.String()
	}
	return k.String() + "." + k.Group()
}

// similar is a kind whose name differs only in case or in its group.
func similar(name string) string {
	short, _, _ := strings.Cut(name, ".")
	for _, k := range mesh.Kinds() {
		if strings.EqualFold(k.String(), short) || strings.EqualFold(k.Resource(), short) {
			return ": perhaps " + KindName(k)
		}
	}
	return ""
}
