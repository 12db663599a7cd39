// Package handbook describes rules for people and programs: from their METADATA and scenarios alone, so that what is written
// about a rule is what it is tested with.
package handbook

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/controls"
)

// Rule is what there is to know of a rule. Arrays are never nil.
type Rule struct {
	ID          string              `json:"id"`
	Title       string              `json:"title"`
	Severity    policies.Severity   `json:"severity"`
	Kinds       []string            `json:"kinds"`
	Phases      []policies.Phase    `json:"phases"`
	Operations  []string            `json:"operations"`
	Description string              `json:"description"`
	Remediation string              `json:"remediation"`
	Related     []string            `json:"related"`
	Controls    map[string][]string `json:"controls"`
	Params      []Param             `json:"params"`
	Examples    []Example           `json:"examples"`
}

// Param is a parameter that a Guardrail can set.
type Param struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description"`
	// Default is JSON; "" where there is none.
	Default string `json:"default"`
}

// Example is one scenario.
type Example struct {
	Name string `json:"name"`
	// Bad is whether the rule finds something in it.
	Bad bool `json:"bad"`
	// Source is the object, as YAML, and Says what the rule says of it; "" for nothing.
	Source string `json:"source"`
	Says   string `json:"says"`
}

// Describe describes a rule.
func Describe(r *rules.Rule) Rule {
	out := Rule{ID: r.ID, Title: r.Title, Severity: r.Severity, Kinds: []string{}, Phases: r.Phases, Operations: r.Operations, Description: r.Description,
		Remediation: r.Remediation, Related: notNil(r.Related), Controls: r.Controls, Params: params(r), Examples: []Example{}}
	if out.Controls == nil {
		out.Controls = map[string][]string{}
	}
	for _, k := range r.Kinds {
		out.Kinds = append(out.Kinds, rules.KindName(k))
	}
	for _, c := range r.Scenarios().Cases {
		out.Examples = append(out.Examples, Example{Name: c.Name, Bad: c.Bad(), Source: c.Source, Says: said(c.Want)})
	}
	return out
}

func notNil(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

// said is what an expectation holds of the rule itself: the effects before are those of any policy.
func said(want string) string {
	var b strings.Builder
	keep := false
	for line := range strings.Lines(want) {
		if !strings.HasPrefix(line, " ") {
			keep = !strings.HasPrefix(line, "effect ") && line != "nothing\n"
		}
		if keep {
			b.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
	}
	return b.String()
}

func params(r *rules.Rule) []Param {
	out := []Param{}
	properties, _ := r.Params["properties"].(map[string]any)
	for name, one := range properties {
		schema, _ := one.(map[string]any)
		p := Param{Name: name, Type: typeOf(schema)}
		p.Description, _ = schema["description"].(string)
		if v, ok := schema["default"]; ok {
			p.Default = compact(v)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// typeOf is a type in a few words, as in "array of string", or "one of 1.2, 1.3".
func typeOf(schema map[string]any) string {
	if all, ok := schema["enum"].([]any); ok {
		var names []string
		for _, v := range all {
			names = append(names, compact(v))
		}
		return "one of " + strings.Join(names, ", ")
	}
	t, _ := schema["type"].(string)
	if items, ok := schema["items"].(map[string]any); ok && t == "array" {
		return "array of " + typeOf(items)
	}
	if t == "" {
		return "any"
	}
	return t
}

func compact(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("handbook: a parameter that came from YAML cannot be written: " + err.Error())
	}
	return string(raw)
}

// Framework is which controls have a rule.
type Framework struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Complete is whether Controls are all that the framework has; of others only those are known that rules can name.
	Complete bool      `json:"complete"`
	Controls []Control `json:"controls"`
}

// Control is a control and the rules whose findings are evidence for it.
type Control struct {
	ID    string   `json:"id"`
	Title string   `json:"title,omitempty"`
	Rules []string `json:"rules"`
	// Baselines are those of the framework that hold the control.
	Baselines []string `json:"baselines,omitempty"`
}

// Map says of each control of a framework which rules give evidence for it.
func Map(f *controls.Framework, pack *rules.Pack) Framework {
	named := map[string][]string{}
	for _, r := range pack.Rules {
		for _, id := range r.Controls[f.ID] {
			named[id] = append(named[id], r.ID)
		}
	}
	out := Framework{ID: f.ID, Title: f.Title, Complete: f.Complete, Controls: []Control{}}
	for _, c := range f.Controls {
		out.Controls = append(out.Controls, Control{ID: c.ID, Title: c.Title, Rules: notNil(named[c.ID]), Baselines: c.Baselines})
	}
	return out
}

// With are the controls that have a rule, and without those that have none and that some baseline asks for; where the framework
// has no baselines, all that have none.
func (f Framework) With() (with, without []Control) {
	baselines := slices.ContainsFunc(f.Controls, func(c Control) bool { return len(c.Baselines) > 0 })
	for _, c := range f.Controls {
		switch {
		case len(c.Rules) > 0:
			with = append(with, c)
		case len(c.Baselines) > 0 || !baselines:
			without = append(without, c)
		}
	}
	return with, without
}
