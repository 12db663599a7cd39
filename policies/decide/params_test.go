package decide

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

const wildcard = "zero-trust/authz/no-wildcard-identity"

func with(e v1alpha1.CheckEntry, params string) v1alpha1.CheckEntry {
	e.Params = &runtime.RawExtension{Raw: []byte(params)}
	return e
}

// TestParams: what a check finds with the parameters of a Guardrail counts where that Guardrail selects, and what it finds with
// its defaults where no Guardrail names it.
func TestParams(t *testing.T) {
	const one, two = `{"n":1}`, `{"n":2}`
	for name, c := range map[string]struct {
		rails     []*v1alpha1.Guardrail
		params    []string // with which it was found
		namespace string
		want      v1alpha1.Action
		by        string
	}{
		"no parameters":             {[]*v1alpha1.Guardrail{rail("a", "", rule(v1alpha1.Deny, wildcard))}, nil, "shop", v1alpha1.Deny, "a"},
		"its own":                   {[]*v1alpha1.Guardrail{rail("a", "", with(rule(v1alpha1.Deny, wildcard), one))}, []string{one}, "shop", v1alpha1.Deny, "a"},
		"written otherwise":         {[]*v1alpha1.Guardrail{rail("a", "", with(rule(v1alpha1.Deny, wildcard), ` {"n": 1} `))}, []string{one}, "shop", v1alpha1.Deny, "a"},
		"only with the defaults":    {[]*v1alpha1.Guardrail{rail("a", "", with(rule(v1alpha1.Deny, wildcard), one))}, []string{""}, "shop", v1alpha1.Off, "a"},
		"only with another's":       {[]*v1alpha1.Guardrail{rail("a", "", rule(v1alpha1.Deny, wildcard))}, []string{one}, "shop", v1alpha1.Off, "a"},
		"of two, the looser finds":  {[]*v1alpha1.Guardrail{rail("a", "", with(rule(v1alpha1.Deny, wildcard), one)), rail("b", "", with(rule(v1alpha1.Warn, wildcard), two))}, []string{two}, "shop", v1alpha1.Warn, "b"},
		"of two, both find":         {[]*v1alpha1.Guardrail{rail("a", "", with(rule(v1alpha1.Deny, wildcard), one)), rail("b", "", with(rule(v1alpha1.Warn, wildcard), two))}, []string{one, two}, "shop", v1alpha1.Deny, "a"},
		"elsewhere, defaults find":  {[]*v1alpha1.Guardrail{rail("a", "prod", with(rule(v1alpha1.Deny, wildcard), one))}, []string{"", one}, "lab", v1alpha1.Warn, ""},
		"elsewhere, they do not":    {[]*v1alpha1.Guardrail{rail("a", "prod", with(rule(v1alpha1.Deny, wildcard), one))}, []string{one}, "lab", v1alpha1.Off, ""},
		"a later entry keeps them":  {[]*v1alpha1.Guardrail{rail("a", "", with(rule(v1alpha1.Deny, wildcard), one), rule(v1alpha1.Warn, "zero-trust/*"))}, []string{one}, "shop", v1alpha1.Warn, "a"},
		"a later entry gives other": {[]*v1alpha1.Guardrail{rail("a", "", with(rule(v1alpha1.Deny, wildcard), one), with(rule(v1alpha1.Warn, wildcard), two))}, []string{one}, "shop", v1alpha1.Off, "a"},
	} {
		f := found(wildcard, policies.High, c.namespace)
		f.Params = c.params
		r, _ := ruleOn(t, Options{}, c.rails, nil, Request{}, f)
		if r.Action != c.want || r.Guardrail != c.by {
			t.Errorf("%s: %s by %q, want %s by %q", name, r.Action, r.Guardrail, c.want, c.by)
		}
	}
}

// TestParameters: each set is given once, whichever Guardrails give it.
func TestParameters(t *testing.T) {
	r, problems := New(Options{}, []*v1alpha1.Guardrail{
		rail("a", "", with(rule(v1alpha1.Deny, wildcard), `{"n": 1, "m": 2}`)), rail("b", "", with(rule(v1alpha1.Deny, wildcard), `{"m": 2, "n": 1}`)),
		rail("c", "", with(rule(v1alpha1.Deny, wildcard), `{"n": 3}`), rule(v1alpha1.Deny, "*")),
	}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var keys []string
	for _, p := range r.Parameters().Of(wildcard) {
		keys = append(keys, p.Key)
	}
	if diff := cmp.Diff([]string{`{"m":2,"n":1}`, `{"n":3}`}, keys); diff != "" {
		t.Error(diff)
	}
	if len(r.Parameters().Of(noOp)) > 0 {
		t.Error("parameters for a check that is given none")
	}
}

func TestWrongParams(t *testing.T) {
	checks := []*policies.Check{
		{ID: wildcard, Takes: func(in map[string]any) []string {
			if _, ok := in["n"]; ok {
				return nil
			}
			return []string{"params: missing n"}
		}},
		{ID: noOp},
	}
	for entry, want := range map[string]string{
		wildcard + ` {"n": 1}`:    "",
		wildcard + ` {"x": 1}`:    "spec.checks[0].params must be what check zero-trust/authz/no-wildcard-identity takes and is not: params: missing n",
		noOp + ` {"x": 1}`:        "it takes no parameters",
		`acme/not-there {"x": 1}`: "",
	} {
		id, params, _ := strings.Cut(entry, " ")
		r, problems := New(Options{Checks: checks}, []*v1alpha1.Guardrail{rail("a", "", with(rule(v1alpha1.Deny, v1alpha1.CheckGlob(id)), params))}, nil)
		switch {
		case want == "" && len(problems) > 0, want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Message, want)):
			t.Errorf("%s: %v, want %q", entry, problems, want)
		case want != "" && len(r.guardrails) > 0:
			t.Errorf("%s: is applied all the same", entry)
		}
	}
}
