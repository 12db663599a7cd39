package decide

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestLoss: what a Guardrail denies is lost with it where no other one denies the same.
func TestLoss(t *testing.T) {
	kinds, takes := []mesh.Kind{mesh.AuthorizationPolicy}, func(map[string]any) []string { return nil }
	checks := []*policies.Check{
		{ID: "acme/ports", Severity: policies.High, Kinds: kinds, Takes: takes}, {ID: "acme/low", Severity: policies.Low, Kinds: kinds},
		{ID: "acme/high", Severity: policies.High, Kinds: kinds},
	}
	deny, warn := rule(v1alpha1.Deny, "*"), rule(v1alpha1.Warn, "*")
	ports := func(params string) v1alpha1.CheckEntry { return with(rule(v1alpha1.Deny, "acme/ports"), params) }
	all, prod := []string{"lab", "other", "shop", "web"}, []string{"shop", "web"}
	for name, c := range map[string]struct {
		rails []*v1alpha1.Guardrail
		mesh  *mesh.Snapshot
		want  Loss
	}{
		"alone":                        {rails: []*v1alpha1.Guardrail{rail("a", "", deny)}, want: Loss{all, []string{"acme/high", "acme/low", "acme/ports"}}},
		"in some namespaces":           {rails: []*v1alpha1.Guardrail{rail("a", "prod", deny)}, want: Loss{prod, []string{"acme/high", "acme/low", "acme/ports"}}},
		"what is severe":               {rails: []*v1alpha1.Guardrail{rail("a", "prod", from(deny, "high"))}, want: Loss{prod, []string{"acme/high", "acme/ports"}}},
		"it only warns":                {rails: []*v1alpha1.Guardrail{rail("a", "", warn)}},
		"another denies it all":        {rails: []*v1alpha1.Guardrail{rail("a", "prod", deny), rail("b", "", deny)}},
		"another warns":                {rails: []*v1alpha1.Guardrail{rail("a", "prod", rule(v1alpha1.Deny, "acme/low")), rail("b", "", warn)}, want: Loss{prod, []string{"acme/low"}}},
		"another denies some":          {rails: []*v1alpha1.Guardrail{rail("a", "prod", deny), rail("b", "", from(deny, "high"))}, want: Loss{prod, []string{"acme/low"}}},
		"others deny elsewhere":        {rails: []*v1alpha1.Guardrail{rail("a", "", rule(v1alpha1.Deny, "acme/low")), rail("b", "prod", deny), rail("c", "dev", deny)}, want: Loss{[]string{"other"}, []string{"acme/low"}}},
		"another, with its parameters": {rails: []*v1alpha1.Guardrail{rail("a", "dev", ports(`{"n":1}`)), rail("b", "", ports(`{"n":1}`))}},
		"another, with other ones":     {rails: []*v1alpha1.Guardrail{rail("a", "dev", ports(`{"n":1}`)), rail("b", "", ports(`{"n":2}`))}, want: Loss{[]string{"lab"}, []string{"acme/ports"}}},
		"another, with the defaults":   {rails: []*v1alpha1.Guardrail{rail("a", "dev", ports(`{"n":1}`)), rail("b", "", deny)}, want: Loss{[]string{"lab"}, []string{"acme/ports"}}},
		"a mesh that is not known":     {rails: []*v1alpha1.Guardrail{rail("a", "", deny)}, mesh: mesh.New(mesh.Options{})},
		"not in force":                 {rails: []*v1alpha1.Guardrail{rail("b", "", deny)}},
	} {
		t.Run(name, func(t *testing.T) {
			r, problems := New(Options{Checks: checks}, c.rails, nil)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if c.mesh == nil {
				c.mesh = town(t)
			}
			if diff := cmp.Diff(c.want, r.Loss("a", Request{Mesh: c.mesh})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLoosened: what a Guardrail no longer denies once it is changed.
func TestLoosened(t *testing.T) {
	kinds := []mesh.Kind{mesh.AuthorizationPolicy}
	takes := func(map[string]any) []string { return nil }
	checks := []*policies.Check{{ID: "acme/ports", Severity: policies.High, Kinds: kinds, Takes: takes}, {ID: "acme/low", Severity: policies.Low, Kinds: kinds}}
	deny := rule(v1alpha1.Deny, "*")
	ports := func(params string) v1alpha1.CheckEntry { return with(rule(v1alpha1.Deny, "acme/ports"), params) }
	all, prod := []string{"lab", "other", "shop", "web"}, []string{"shop", "web"}
	for name, c := range map[string]struct {
		was, is *v1alpha1.Guardrail
		beside  []*v1alpha1.Guardrail
		want    Loss
	}{
		"as it was":               {was: rail("a", "", deny), is: rail("a", "", deny)},
		"stricter":                {was: rail("a", "", from(deny, "high")), is: rail("a", "", deny)},
		"new":                     {was: rail("b", "", rule(v1alpha1.Warn, "*")), is: rail("a", "", deny)},
		"warns":                   {was: rail("a", "", deny), is: rail("a", "", rule(v1alpha1.Warn, "*")), want: Loss{all, []string{"acme/low", "acme/ports"}}},
		"one check fewer":         {was: rail("a", "prod", deny), is: rail("a", "prod", deny, rule(v1alpha1.Off, "acme/low")), want: Loss{prod, []string{"acme/low"}}},
		"namespaces fewer":        {was: rail("a", "", rule(v1alpha1.Deny, "acme/low")), is: rail("a", "prod", deny), want: Loss{[]string{"lab", "other"}, []string{"acme/low"}}},
		"another denies it still": {was: rail("a", "prod", deny), is: rail("a", "dev", deny), beside: []*v1alpha1.Guardrail{rail("b", "", deny)}},
		"other parameters":        {was: rail("a", "prod", ports(`{"n":1}`)), is: rail("a", "prod", ports(`{"n":2}`)), want: Loss{prod, []string{"acme/ports"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, problems := New(Options{Checks: checks}, append(c.beside, c.was), nil)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(c.want, r.Loosened(c.is, Request{Mesh: town(t)})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
