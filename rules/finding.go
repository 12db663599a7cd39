package rules

import (
	"cmp"
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
		ID: r.ID, Title: r.Title, Severity: r.Severity, Kinds: r.Kinds, Reads: r.reads, Doc: r.doc(), Remedy: r.Remediation, Controls: r.Controls,
		Demands: true, Revision: p.Revision, Example: r.example,
	}
	if r.Params != nil {
		c.Takes = func(given map[string]any) []string { return wrongParams(r.Params, r.withDefaults(given)) }
	}
	c.Run = func(pass *policies.Pass) {
		if why := r.blind(pass.Snapshot); why != "" {
			pass.Skip(why)
			return
		}
		for _, reason := range p.answer(r, pass.View, pass.Object, pass) {
			pass.Skip(reason)
		}
	}
	if slices.Contains(r.Operations, "DELETE") {
		c.Change = func(pass *policies.ChangePass) {
			if pass.New != nil {
				return // it is asked of the object as it would be
			}
			if why := r.blind(pass.After.Snapshot); why != "" {
				pass.Skip(why)
				return
			}
			p.answer(r, pass.After, pass.Old, pass)
		}
	}
	return c
}

// reporter is a pass, about an object or about a change.
type reporter interface {
	Report(policies.Finding)
	Fail(message string)
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

// answer reports what the rule says of an object, and returns why it does not apply.
func (p *Pack) answer(r *Rule, view *policies.View, o *mesh.Object, to reporter) (skipped []string) {
	s := sessionOf(view, p.remembered)
	all := p.ask(s, o).all // none of a rule that is not asked on this occasion
	if !slices.ContainsFunc(all, func(a answer) bool { return a.probe.rule == r }) {
		return nil // as of most rules about most objects
	}
	c := collected{rule: r, content: func() map[string]any { return s.contentFor(o, r.seesWhole()) }}
	for _, a := range all {
		if a.probe.rule != r {
			continue
		}
		if wrong := c.add(a); wrong != "" {
			to.Fail(wrong)
			return nil
		}
		if a.patch == nil {
			continue
		}
		fix, wrong := p.proof(s, a, o)
		if wrong != "" {
			to.Fail(fmt.Sprintf("%s: its patch is not offered: %s. Correct the rule.", r.File, wrong))
		} else if len(fix.Patch) > 0 {
			c.repair(a.params.Key, fix)
		}
	}
	for _, f := range c.findings {
		to.Report(f)
	}
	if len(c.findings) == 0 {
		return c.reasons
	}
	return nil
}

// repair offers a fix for what was found with some parameters.
func (c *collected) repair(params string, fix policies.Fix) {
	for i := range c.findings {
		if f := &c.findings[i]; len(f.Fixes) == 0 && (f.Params == nil || slices.Contains(f.Params, params)) {
			f.Fixes = []policies.Fix{fix}
		}
	}
}

// collected is what a rule says of an object, over all sets of parameters.
type collected struct {
	rule     *Rule
	content  func() map[string]any // of the object
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
	findings, wrong := c.rule.findings(a.deny, c.content)
	if wrong != "" {
		return c.rule.malformed("deny", wrong)
	}
	if c.rule.Params == nil {
		c.findings = findings
		return ""
	}
	if c.findings == nil {
		c.findings = findings[:0] // what is entered is never ahead of what is read
	}
	for _, f := range findings {
		c.with(f, a.params.Key)
	}
	return ""
}

// onlyDefaults are the Params of what is found with the defaults and nothing else, which is most. Whoever appends gets a list of its own.
var onlyDefaults = []string{""}

// with enters a finding, once: what is found with several sets of parameters says with which.
func (c *collected) with(f policies.Finding, params string) {
	for i := range c.findings {
		if was := &c.findings[i]; was.Object == f.Object && was.Field == f.Field && was.Message == f.Message && was.Severity == f.Severity && was.Remedy == f.Remedy {
			was.Params = append(was.Params, params)
			return
		}
	}
	f.Params = onlyDefaults
	if params != "" {
		f.Params = []string{params}
	}
	c.findings = append(c.findings, f)
}

func (r *Rule) malformed(name, wrong string) string {
	return fmt.Sprintf("%s: its %s says what cannot be understood: %s. Correct the rule.", r.File, name, wrong)
}

func skips(set []*ast.Term) (reasons []string, wrong string) {
	for _, t := range set {
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

func (r *Rule) findings(all []*ast.Term, content func() map[string]any) (out []policies.Finding, wrong string) {
	for _, t := range all[:min(len(all), most)] {
		f, wrong := r.finding(t, content)
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

// finding reads {msg, path, details, severity, subject, remedy, verdict, waitsFor}.
func (r *Rule) finding(t *ast.Term, content func() map[string]any) (f policies.Finding, wrong string) {
	v, ok := t.Value.(ast.Object)
	if !ok {
		return f, fmt.Sprintf("%s is no object with msg", short(t))
	}
	err := v.Iter(func(k, v *ast.Term) error {
		key, _ := k.Value.(ast.String)
		return r.field(&f, string(key), v, content)
	})
	switch {
	case err != nil:
		return f, err.Error()
	case f.Message == "":
		return f, fmt.Sprintf("%s has no msg", short(t))
	}
	return f, ""
}

func (r *Rule) field(f *policies.Finding, key string, v *ast.Term, content func() map[string]any) error {
	if key == "details" {
		details, err := ast.JSON(v.Value)
		if m, ok := details.(map[string]any); ok && err == nil {
			f.Details = m
			return nil
		}
		return fmt.Errorf("details is %s and no object", short(v))
	}
	switch key {
	case "subject":
		return subject(f, v)
	case "waitsFor":
		return waitsFor(f, v)
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
		f.Field = fieldPath(text, content)
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

// waitsFor says that another object of a kind, in a namespace, would end the finding.
func waitsFor(f *policies.Finding, v *ast.Term) error {
	other, err := reference("waitsFor", v)
	if err != nil {
		return err
	}
	f.WaitsFor = append(f.WaitsFor, policies.Wait{Object: &other})
	return nil
}

// subject makes the finding one about another object than the one asked about.
func subject(f *policies.Finding, v *ast.Term) (err error) {
	if f.Object, err = reference("subject", v); err != nil {
		return err
	}
	if f.Object.Name == "" {
		return fmt.Errorf("subject %s names no object: it needs kind, name and, but for a Namespace, namespace", short(v))
	}
	return nil
}

// reference reads {kind, namespace, name, apiVersion}, of which only the kind must be there.
func reference(key string, v *ast.Term) (ref mesh.Ref, err error) {
	in, err := ast.JSON(v.Value)
	m, ok := in.(map[string]any)
	if err != nil || !ok {
		return ref, fmt.Errorf("%s is %s and no object", key, short(v))
	}
	get := func(key string) string { s, _ := m[key].(string); return s }
	kind, known := KindNamed(get("kind"))
	if !known {
		return ref, fmt.Errorf("%s %s names no object: there is no kind %q", key, short(v), get("kind"))
	}
	return mesh.Ref{APIVersion: cmp.Or(get("apiVersion"), kind.APIVersion()), Kind: kind.String(), Namespace: get("namespace"), Name: get("name")}, nil
}

// fieldPath is a path as findings write it, as in "spec.rules[0].from", of one written so or as a JSON pointer, which does not say of itself
// what is a list: only then the object is looked at.
func fieldPath(p string, content func() map[string]any) string {
	if !strings.HasPrefix(p, "/") {
		return p
	}
	var b strings.Builder
	var at any = content()
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
