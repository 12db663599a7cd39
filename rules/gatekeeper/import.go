package gatekeeper

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules"
)

// Pack is what was made of templates and Constraints.
type Pack struct {
	// Files are those of the pack, by path: GROUP/NAME.rego for each Constraint, its scenarios where a Suite has cases of it, and
	// GROUP/guardrail.yaml with what was to be done about findings.
	Files map[string][]byte
	// Refusals are what is not carried over. Of a Constraint that is refused nothing is written.
	Refusals []Refusal
}

// actionOf is what a Constraint wanted to be done.
type actionOf struct{ id, action string }

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

// word is a name as a part of a package.
func word(name string) string {
	out := strings.Trim(notWord.ReplaceAllString(strings.ToLower(name), "_"), "_")
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		out = "c_" + out
	}
	return strings.TrimSuffix(out, "_test")
}

// Import makes a pack of files, with a name for its group of rules. The function reads a file that a Suite names, by its path
// beside the Suite's.
func Import(group string, sources []Source, open func(file string) ([]byte, error)) Pack {
	i := &importer{group: word(group), templates: map[string]*template{}, files: map[string][]byte{}}
	for _, s := range sources {
		i.read(s)
	}
	used := map[string]bool{}
	for _, c := range i.constraints {
		t := i.templates[c.Kind]
		if t == nil {
			i.refuse(c.file, c.Kind+" "+c.Metadata.Name, "its ConstraintTemplate is not among the files, or is refused. Give it too.")
			continue
		}
		used[c.Kind] = true
		i.rule(t, c, open)
	}
	for _, kind := range slices.Sorted(maps.Keys(i.templates)) {
		if t := i.templates[kind]; !used[kind] {
			i.refuse(t.file, "ConstraintTemplate "+t.name, "no Constraint of kind %s is among the files, so that nobody knows of what it is asked. Give it too.", kind)
		}
	}
	if len(i.actions) > 0 {
		i.files[i.group+"/guardrail.yaml"] = []byte(i.guardrail())
	}
	return Pack{i.files, i.refusals}
}

// rule makes a rule of a Constraint.
func (i *importer) rule(t *template, c *constraint, open func(string) ([]byte, error)) {
	what, refused := c.Kind+" "+c.Metadata.Name, false
	refuse := func(format string, args ...any) {
		refused = true
		i.refuse(c.file, what, format, args...)
	}
	inRego := func(place, format string, args ...any) {
		refused = true
		i.refuse(t.file, fmt.Sprintf("ConstraintTemplate %s, %s", t.name, place), format, args...)
	}
	name := i.group + "/" + word(c.Metadata.Name)
	if _, twice := i.files[name+".rego"]; twice {
		refuse("another Constraint becomes %s too. Rename one of them.", name)
		return
	}
	d := draft{template: t, constraint: c, kinds: c.Spec.Match.kinds(refuse), shared: map[string][]byte{}}
	pods := slices.Equal(d.kinds, []string{rules.KindName(mesh.Pod)})
	d.code = translate(t.rego, aim{pkg: name, libs: i.group + ".lib", v1: t.v1, pods: pods}, inRego)
	for _, source := range t.libs {
		file, lib := i.lib(source, aim{v1: t.v1, pods: d.code.pods}, inRego)
		d.shared[file], d.code.admission = []byte(lib.text), d.code.admission || lib.admission
	}
	if d.code.pods && c.Spec.Match.Name != "" {
		refuse("its match.name is that of a pod, and a rule about pods is asked of what makes them, which are called otherwise. Match labels or namespaces.")
	}
	var ok bool
	if d.action, ok = map[string]string{"": "Deny", "deny": "Deny", "warn": "Warn", "dryrun": "Audit"}[c.Spec.EnforcementAction]; !ok {
		refuse("its enforcementAction is %q. Say in a Guardrail what is to be done, and use deny, warn or dryrun here.", c.Spec.EnforcementAction)
	}
	if refused {
		return
	}
	for file, text := range d.shared {
		if before, there := i.files[file]; there && string(before) != string(text) {
			refuse("two templates have different libs that become %s. Rename one of them.", file)
			return
		}
	}
	text, wrong := d.written(name + ".rego")
	if len(wrong) > 0 {
		for _, why := range wrong {
			inRego("as a rule", "%s", why)
		}
		return
	}
	maps.Copy(i.files, d.shared)
	i.files[name+".rego"] = text
	id := strings.ReplaceAll(name, "_", "-")
	i.actions = append(i.actions, actionOf{id, d.action})
	if scenarios := i.scenarios(c, open); scenarios != "" {
		i.files[name+".txtar"] = []byte(scenarios)
	}
}

var libPackage = regexp.MustCompile(`(?m)^package\s+lib\.([a-zA-Z0-9_.]+)`)

func (i *importer) lib(source string, to aim, refuse func(place, format string, args ...any)) (file string, lib translated) {
	found := libPackage.FindStringSubmatch(source)
	if found == nil {
		refuse("line 1 of a lib", "it has no package below lib. Correct it.")
		return "", translated{}
	}
	to.pkg, to.libs, to.lib = i.group+"/lib/"+strings.ReplaceAll(found[1], ".", "/"), i.group+".lib", true
	return to.pkg + ".rego", translate(source, to, refuse)
}

// severities go by what was to be done.
var severities = map[string]string{"Deny": "high", "Warn": "medium", "Audit": "low"}

func (d *draft) metadata(admission bool) string {
	t, c := d.template, d.constraint
	kinds := d.kinds
	if d.code.pods {
		kinds = makers()
	}
	custom := map[string]any{"severity": severities[d.action], "remediation": "Correct the field that the finding is about.",
		"match": map[string]any{"kinds": kinds}}
	if admission {
		custom["match"].(map[string]any)["phases"] = []string{"admission"}
	}
	if params := params(t.schema, c.Spec.Parameters); params != nil {
		custom["params"] = params
	}
	description := t.description
	if description == "" {
		description = "Taken over from ConstraintTemplate " + t.name + "."
	}
	raw, err := yaml.Marshal(map[string]any{"title": "Constraint " + c.Metadata.Name + " (" + c.Kind + ")", "description": description, "custom": custom})
	if err != nil {
		panic("gatekeeper: what came from YAML cannot be written: " + err.Error())
	}
	var b strings.Builder
	b.WriteString("# METADATA\n")
	for line := range strings.Lines(string(raw)) {
		b.WriteString("# " + line)
	}
	return b.String()
}

// params is the schema of a template's parameters, closed, with those of a Constraint as defaults.
func params(schema, given map[string]any) map[string]any {
	properties := map[string]any{}
	if p, ok := schema["properties"].(map[string]any); ok {
		for name, one := range p {
			properties[name] = withoutExtensions(one)
		}
	}
	for name, v := range given {
		p, ok := properties[name].(map[string]any)
		if !ok {
			p = map[string]any{}
		}
		p["default"] = v
		properties[name] = p
	}
	if len(properties) == 0 {
		return nil
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}

// withoutExtensions is a schema without what only an API server understands.
func withoutExtensions(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, one := range v {
			if !strings.HasPrefix(k, "x-kubernetes-") && k != "nullable" {
				out[k] = withoutExtensions(one)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutExtensions(v[i])
		}
		return out
	}
	return v
}

// guardrail says what was to be done about the findings of each rule.
func (i *importer) guardrail() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What the Constraints wanted to be done. Read it, then apply it.\napiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: %s}\nspec:\n  checks:\n", strings.ReplaceAll(i.group, "_", "-"))
	slices.SortFunc(i.actions, func(a, b actionOf) int { return strings.Compare(a.id, b.id) })
	for _, a := range i.actions {
		fmt.Fprintf(&b, "  - {ids: [%s], action: %s}\n", a.id, a.action)
	}
	return b.String()
}

// scenarios are the cases that Suites have of a Constraint; "" where there are none.
func (i *importer) scenarios(c *constraint, open func(string) ([]byte, error)) string {
	var b strings.Builder
	for _, s := range i.suites {
		for _, test := range s.Tests {
			if path.Base(test.Constraint) != path.Base(c.file) {
				continue
			}
			for _, one := range test.Cases {
				if len(one.Inventory) > 0 {
					i.refuse(s.file, "case "+one.Name, "it has an inventory, of which rules know nothing.")
					continue
				}
				data, err := open(path.Join(path.Dir(s.file), one.Object))
				if err != nil {
					i.refuse(s.file, "case "+one.Name, "its object cannot be read: %v.", err)
					continue
				}
				prefix := "ok-"
				for _, a := range one.Assertions {
					if raw, _ := json.Marshal(a.Violations); string(raw) != `"no"` && string(raw) != "0" && string(raw) != "false" {
						prefix = "bad-"
					}
				}
				fmt.Fprintf(&b, "-- %s%s.yaml --\n%s\n", prefix, strings.ReplaceAll(word(one.Name), "_", "-"), strings.TrimSpace(string(data)))
			}
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "Cases of the Suite of " + c.Kind + " " + c.Metadata.Name + ".\n" + b.String()
}
