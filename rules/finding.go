package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// most is how many findings of one rule about one object are told; of the others, how many there are.
const most = 100

// Checks are the rules as checks, sorted by ID.
func (p *Pack) Checks() []*policies.Check {
	out := make([]*policies.Check, len(p.Rules))
	for i, r := range p.Rules {
		out[i] = p.check(r)
	}
	return out
}

func (p *Pack) check(r *Rule) *policies.Check {
	c := &policies.Check{
		ID: r.ID, Title: r.Title, Severity: r.Severity, Kinds: r.Kinds, Doc: r.doc(), Remedy: r.Remediation, Controls: r.Controls,
		Revision: p.Revision, Example: r.example(),
	}
	if r.Params != nil {
		c.Takes = func(given map[string]any) []string { return wrongParams(r.Params, r.withDefaults(given)) }
	}
	c.Run = func(pass *policies.Pass) {
		p.answer(r, pass)
	}
	return c
}

// doc is the description, and where to read on.
func (r *Rule) doc() string {
	out := r.Description
	if out == "" {
		out = r.Title + "."
	}
	if len(r.Related) > 0 {
		out += "\n\nSee " + strings.Join(r.Related, ", ") + "."
	}
	return out
}

// example is the first case in which something is to be found.
func (r *Rule) example() string {
	for _, c := range r.Scenarios.Cases {
		if c.Bad() {
			return c.Source
		}
	}
	return ""
}

// answer reports what the rule says of the object of a pass.
func (p *Pack) answer(r *Rule, pass *policies.Pass) {
	c := collected{rule: r, object: pass.Object}
	answers := p.ask(sessionOf(pass.View), pass.Object).of[r] // none on an occasion on which it is not asked
	for _, a := range answers {
		if wrong := c.add(a); wrong != "" {
			pass.Fail(wrong)
			return
		}
	}
	if len(c.findings) == 0 && len(c.reasons) > 0 {
		pass.Skip(strings.Join(c.reasons, "; "))
	}
	for _, f := range c.findings {
		pass.Report(f)
	}
}

// collected is what a rule says of an object, over all sets of parameters.
type collected struct {
	rule     *Rule
	object   *mesh.Object
	findings []policies.Finding
	reasons  []string // why it does not apply
}

// add enters one answer, and says what is wrong with it.
func (c *collected) add(a answer) string {
	if a.failure != "" {
		return a.failure
	}
	reasons, wrong := skips(a.skip)
	if wrong != "" {
		return c.rule.malformed("skip", wrong)
	}
	if len(reasons) > 0 {
		c.reasons = reasons
		return ""
	}
	findings, wrong := c.rule.findings(a.deny, c.object)
	if wrong != "" {
		return c.rule.malformed("deny", wrong)
	}
	if c.rule.Params == nil {
		c.findings = findings
		return ""
	}
	for _, f := range findings {
		c.with(f, a.params)
	}
	return ""
}

// with enters a finding, once: what is found with several sets of parameters says with which.
func (c *collected) with(f policies.Finding, params string) {
	for i := range c.findings {
		if was := &c.findings[i]; was.Object == f.Object && was.Field == f.Field && was.Message == f.Message && was.Severity == f.Severity && was.Remedy == f.Remedy {
			was.Params = append(was.Params, params)
			return
		}
	}
	f.Params = []string{params}
	c.findings = append(c.findings, f)
}

func (r *Rule) malformed(name, wrong string) string {
	return fmt.Sprintf("%s: its %s says what cannot be understood: %s. Correct the rule.", r.File, name, wrong)
}

func skips(set *ast.Term) (reasons []string, wrong string) {
	for _, t := range members(set) {
		s, ok := t.Value.(ast.String)
		if !ok {
			return nil, fmt.Sprintf("%s is no text", short(t))
		}
		reasons = append(reasons, string(s))
	}
	return reasons, ""
}

// members are those of a set, sorted.
func members(set *ast.Term) []*ast.Term {
	if set == nil {
		return nil
	}
	s, ok := set.Value.(ast.Set)
	if !ok || s.Len() == 0 {
		return nil
	}
	return s.Slice()
}

func (r *Rule) findings(set *ast.Term, o *mesh.Object) (out []policies.Finding, wrong string) {
	all := members(set)
	for _, t := range all[:min(len(all), most)] {
		f, wrong := r.finding(t, o)
		if wrong != "" {
			return nil, wrong
		}
		out = append(out, f)
	}
	if rest := len(all) - most; rest > 0 {
		out = append(out, policies.Finding{Message: fmt.Sprintf("%d more findings like these are not told.", rest)})
	}
	return out, ""
}

// finding reads {msg, path, details, severity, subject, remedy, verdict}.
func (r *Rule) finding(t *ast.Term, o *mesh.Object) (f policies.Finding, wrong string) {
	v, ok := t.Value.(ast.Object)
	if !ok {
		return f, fmt.Sprintf("%s is no object with msg", short(t))
	}
	err := v.Iter(func(k, v *ast.Term) error {
		key, _ := k.Value.(ast.String)
		return r.field(&f, string(key), v, o)
	})
	switch {
	case err != nil:
		return f, err.Error()
	case f.Message == "":
		return f, fmt.Sprintf("%s has no msg", short(t))
	}
	return f, ""
}

func (r *Rule) field(f *policies.Finding, key string, v *ast.Term, o *mesh.Object) error {
	if key == "details" {
		details, err := ast.JSON(v.Value)
		if m, ok := details.(map[string]any); ok && err == nil {
			f.Details = m
			return nil
		}
		return fmt.Errorf("details is %s and no object", short(v))
	}
	if key == "subject" {
		return subject(f, v)
	}
	s, ok := v.Value.(ast.String)
	if !ok {
		return fmt.Errorf("%s is %s and no text", key, short(v))
	}
	text := string(s)
	switch key {
	case "msg":
		f.Message = text
	case "remedy":
		f.Remedy = text
	case "path":
		f.Field = fieldPath(text, o.Content)
	case "verdict":
		f.Verdict = policies.Verdict(text)
		if !slices.Contains(verdicts(), text) {
			return fmt.Errorf("there is no verdict %q", text)
		}
	case "severity":
		f.Severity = policies.Severity(text)
		if f.Severity.Rank() == len(policies.Severities) {
			return fmt.Errorf("there is no severity %q", text)
		}
		if f.Severity.Rank() < r.Severity.Rank() {
			return fmt.Errorf("severity %s is worse than the %s that METADATA names", text, r.Severity)
		}
	default:
		return fmt.Errorf("there is no key %q in what deny contains", key)
	}
	return nil
}

// verdicts are all of them.
func verdicts() []string {
	var out []string
	for _, v := range []policies.Verdict{policies.Enforced, policies.PartiallyEnforced, policies.NotEnforced, policies.DeniesAll, policies.OverDenies,
		policies.Pending, policies.Bypassable, policies.Unknown} {
		out = append(out, string(v))
	}
	return out
}

// subject makes the finding one about another object than the one asked about.
func subject(f *policies.Finding, v *ast.Term) error {
	in, err := ast.JSON(v.Value)
	m, ok := in.(map[string]any)
	if err != nil || !ok {
		return fmt.Errorf("subject is %s and no object", short(v))
	}
	get := func(key string) string { s, _ := m[key].(string); return s }
	f.Object = mesh.Ref{APIVersion: get("apiVersion"), Kind: get("kind"), Namespace: get("namespace"), Name: get("name")}
	kind, known := KindNamed(f.Object.Kind)
	if !known || f.Object.Name == "" {
		return fmt.Errorf("subject %s names no object: it needs kind, name and, but for a Namespace, namespace", short(v))
	}
	if f.Object.APIVersion == "" {
		f.Object.APIVersion = kind.APIVersion()
	}
	f.Object.Kind = kind.String()
	return nil
}

// fieldPath is a path as findings write it, as in "spec.rules[0].from", of one written so or as a JSON pointer.
func fieldPath(p string, content map[string]any) string {
	if !strings.HasPrefix(p, "/") {
		return p
	}
	var b strings.Builder
	var at any = content
	for _, e := range strings.Split(p[1:], "/") {
		e = strings.NewReplacer("~1", "/", "~0", "~").Replace(e)
		switch x := at.(type) {
		case []any:
			fmt.Fprintf(&b, "[%s]", e)
			at = nil
			if i, err := strconv.Atoi(e); err == nil && i >= 0 && i < len(x) {
				at = x[i]
			}
			continue
		case map[string]any:
			at = x[e]
		}
		if strings.ContainsAny(e, "./") {
			fmt.Fprintf(&b, "[%s]", e)
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(e)
	}
	return b.String()
}

// short is a term for a message.
func short(t *ast.Term) string {
	text := []rune(t.String())
	if len(text) > 80 {
		return string(text[:80]) + "…"
	}
	return string(text)
}
