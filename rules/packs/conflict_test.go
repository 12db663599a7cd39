package packs

import (
	"strings"
	"testing"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

// TestConflict: a group belongs to one.
func TestConflict(t *testing.T) {
	pack, err := rule(denies).load(false)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := conflict(pack, map[string]string{"other": "RulePack other"}); wrong != nil {
		t.Error(wrong)
	}
	wrong := conflict(pack, map[string]string{"acme": "RulePack first"})
	if wrong == nil || wrong.Reason != v1alpha1.ReasonConflict || !strings.Contains(wrong.Error(), "acme/* belongs to RulePack first") {
		t.Error(wrong)
	}
}

// TestGiven: a revision has to take what Guardrails give it.
func TestGiven(t *testing.T) {
	without := rule(denies)
	with := rule(denies)
	with["acme/one.rego"] = strings.Replace(with["acme/one.rego"], "#   remediation", "#   params: {type: object, additionalProperties: false, properties: {begins: {type: string, default: none}}}\n#   remediation", 1)
	for name, c := range map[string]struct {
		files Files
		check string
		says  string // "" where it is taken
	}{
		"what it takes":      {with, "acme/one", ""},
		"nothing to it":      {without, "acme/two", ""},
		"to one without any": {without, "acme/one", `it gives acme/one the parameters {"begins":"x"}, and it takes none`},
	} {
		pack, err := c.files.load(false)
		if err != nil {
			t.Fatal(err)
		}
		by := policies.NewParameters(map[string][]policies.Params{c.check: {{Key: `{"begins":"x"}`, Values: map[string]any{"begins": "x"}}}})
		switch wrong := given(pack, by); {
		case c.says == "" && wrong != nil:
			t.Errorf("%s: %v", name, wrong)
		case c.says != "" && (wrong == nil || wrong.Reason != v1alpha1.ReasonParametersInUse || !strings.Contains(wrong.Error(), c.says)):
			t.Errorf("%s: %v", name, wrong)
		}
	}
	pack, err := with.load(false)
	if err != nil {
		t.Fatal(err)
	}
	other := policies.NewParameters(map[string][]policies.Params{"acme/one": {{Key: `{"ends":"x"}`, Values: map[string]any{"ends": "x"}}}})
	if wrong := given(pack, other); wrong == nil || !strings.Contains(wrong.Error(), "additional properties 'ends' not allowed") {
		t.Errorf("another parameter: %v", wrong)
	}
	if wrong := given(pack, nil); wrong != nil {
		t.Errorf("nothing given: %v", wrong)
	}
}
