package webhook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestOwnDeleted: what goes with an object of ours is told and recorded, and nobody is kept from deleting it.
func TestOwnDeleted(t *testing.T) {
	checks := []*policies.Check{{ID: "acme/one", Severity: policies.High, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}}, {ID: "acme/two", Severity: policies.High, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}}}
	rail := func(name, env string, action v1alpha1.Action) *v1alpha1.Guardrail {
		g := guardrail(action, "")
		if g.Name = name; env != "" {
			g.Spec.NamespaceSelector.MatchLabels = map[string]string{"env": env}
		}
		return g
	}
	rails := []*v1alpha1.Guardrail{rail("everywhere", "", v1alpha1.Warn), rail("prod", "prod", v1alpha1.Deny), rail("test", "test", v1alpha1.Deny), rail("test-too", "test", v1alpha1.Deny)}
	stored := func(kind, name, rest string) map[string]any {
		return content(t, fmt.Sprintf("{apiVersion: waywarden.dev/v1alpha1, kind: %s, metadata: {name: %s}%s}", kind, name, rest))
	}
	spec := `, spec: {checks: [{ids: ["*"], action: Deny}]}`
	expired := content(t, strings.Replace(exemption, "2026-11-20", "2026-10-01", 1))
	for name, c := range map[string]struct {
		old      map[string]any
		by       string
		warnings []string
		lost     string
	}{
		"a Guardrail that denies alone": {old: stored("Guardrail", "prod", spec), lost: "bank, shop", warnings: []string{
			"Guardrail prod no longer denies what 2 checks find in Namespaces bank, shop, and no other one does.",
			"Denied no more: acme/one, acme/two. Have another Guardrail deny it, or apply this one as it was."}},
		"one beside another":       {old: stored("Guardrail", "test", spec)},
		"one that only warns":      {old: stored("Guardrail", "everywhere", spec)},
		"one that is not in force": {old: stored("Guardrail", "other", spec)},
		"one of another shape":     {old: stored("Guardrail", "prod", ", spec: [1]"), warnings: []string{"it is not known what goes with this Guardrail: it cannot be read."}},
		"one that has waypoints made": {old: stored("Guardrail", "other", `, spec: {checks: [{ids: ["*"], action: Warn}], waypoints: {mode: Provision}}`), warnings: []string{
			"Guardrail other no longer has waypoints made: where no other one does, none is made, and those that were stay as they are."}},
		"an Exemption": {old: content(t, exemption), warnings: []string{
			"Exemption shop/a excepts nothing any more: Guardrails hold again what it named, and deny its next change where they say so."}},
		"one that has ended":       {old: expired},
		"one whose namespace goes": {old: content(t, exemption), by: "system:serviceaccount:kube-system:namespace-controller"},
		"a profile": {old: stored("WaypointProfile", "small", ", spec: {}"), lost: "bank, shop", warnings: []string{
			"no waypoint is made in Namespaces bank, shop any more, and those that were stay as they are: WaypointProfile small goes, and a Guardrail names it. Modes, guards and exceptions count all the same. Name another one there."}},
		"the default": {old: stored("WaypointProfile", "default", ", spec: {}"), lost: "lab", warnings: []string{
			"waypoints of Namespace lab are made without settings of their own from now on: WaypointProfile default goes."}},
		"one that is not used": {old: stored("WaypointProfile", "large", ", spec: {}")},
		"a RulePack": {old: stored("RulePack", "acme", `, spec: {}, status: {rules: [{id: acme/two, title: Two, severity: high}, {id: acme/one, title: One, severity: high}]}`), lost: "acme/one, acme/two", warnings: []string{
			"the rules of RulePack acme are asked no more, whatever Guardrails demand of them: acme/one, acme/two."}},
		"one of which nothing is in force": {old: stored("RulePack", "acme", ", spec: {}")},
	} {
		t.Run(name, func(t *testing.T) {
			var records []Record
			o := options(with(t, "{apiVersion: v1, kind: Namespace, metadata: {name: bank, labels: {env: prod}}}", "{apiVersion: v1, kind: Namespace, metadata: {name: lab, labels: {env: test}}}"), rulebookOf(t, checks, rails))
			o.Observe = func(r Record) { records = append(records, r) }
			o.Waypoints = func(*mesh.Snapshot) plan.Settings {
				small := plan.Setting{Mode: plan.Provision, Profile: plan.Profile{Name: "small"}}
				return plan.Settings{Namespaces: map[string]plan.Setting{"shop": small, "bank": small, "lab": {Mode: plan.Provision, Profile: plan.Profile{Name: "default"}},
					"istio-system": {Mode: plan.Require, Profile: plan.Profile{Name: "large"}}}}
			}
			r := request(t, admissionv1.Delete, nil, c.old)
			if c.by != "" {
				r.UserInfo.Username = c.by
			}
			got := answer(t, New(o).Validating(), r)
			if diff := cmp.Diff(c.warnings, got.Warnings); diff != "" || !got.Allowed {
				t.Errorf("allowed %v, warnings (-want +got):\n%s", got.Allowed, diff)
			}
			fits(t, got.Warnings)
			outcome := Admitted
			if len(c.warnings) > 0 {
				outcome = Warned
			}
			if got.AuditAnnotations["lost"] != c.lost || c.by == "" && got.AuditAnnotations["decision"] != outcome {
				t.Errorf("audited as %v", got.AuditAnnotations)
			}
			if len(records) != 1 || records[0].Outcome != outcome || records[0].Operation() != "DELETE" || !records[0].Allowed {
				t.Errorf("recorded as %+v", records)
			}
		})
	}
}

// TestGuardrailLoosened: what a Guardrail no longer denies once it is changed is told and recorded.
func TestGuardrailLoosened(t *testing.T) {
	g := guardrail(v1alpha1.Deny, "")
	checks := []*policies.Check{{ID: "acme/one", Severity: policies.High, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}}, {ID: "acme/two", Severity: policies.High, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}}}
	stored := func(spec string) map[string]any {
		return content(t, fmt.Sprintf("{apiVersion: waywarden.dev/v1alpha1, kind: Guardrail, metadata: {name: %s}, spec: %s}", g.Name, spec))
	}
	was := `{checks: [{ids: ["*"], action: Deny}], waypoints: {mode: Provision}}`
	for name, c := range map[string]struct {
		is       string
		warnings []string
		lost     string
	}{
		"as it was": {is: was},
		"stricter":  {is: `{checks: [{ids: ["*"], action: Deny}, {ids: [acme/one], action: Deny}], waypoints: {mode: Provision}}`},
		"one check fewer": {is: `{checks: [{ids: ["*"], action: Deny}, {ids: [acme/one], action: Warn}], waypoints: {mode: Provision}}`, lost: "istio-system, shop", warnings: []string{
			"Guardrail " + g.Name + " no longer denies what 1 check finds in Namespaces istio-system, shop, and no other one does.",
			"Denied no more: acme/one. Have another Guardrail deny it, or apply this one as it was."}},
		"waypoints no more": {is: `{checks: [{ids: ["*"], action: Deny}], waypoints: {mode: Observe}}`, warnings: []string{
			"Guardrail " + g.Name + " no longer has waypoints made: where no other one does, none is made, and those that were stay as they are."}},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(with(t), rulebookOf(t, checks, []*v1alpha1.Guardrail{g}))
			o.Waypoints = func(*mesh.Snapshot) plan.Settings { return plan.Settings{} }
			got := answer(t, New(o).Validating(), request(t, admissionv1.Update, stored(c.is), stored(was)))
			if diff := cmp.Diff(c.warnings, got.Warnings); diff != "" || !got.Allowed {
				t.Errorf("allowed %v, warnings (-want +got):\n%s", got.Allowed, diff)
			}
			fits(t, got.Warnings)
			if got.AuditAnnotations["lost"] != c.lost {
				t.Errorf("audited as %v", got.AuditAnnotations)
			}
		})
	}
}

// TestOwnDeletedFromMany: a warning names a few namespaces and says how many there are, the audit log names them all.
func TestOwnDeletedFromMany(t *testing.T) {
	var manifests []string
	for n := range 30 {
		manifests = append(manifests, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: n%02d}}", n))
	}
	g := guardrail(v1alpha1.Deny, "")
	o := options(snapshot(t, strings.Join(manifests, "\n---\n")), rulebook(t, []*v1alpha1.Guardrail{g}))
	got := answer(t, New(o).Validating(), request(t, admissionv1.Delete, nil, content(t, "{apiVersion: waywarden.dev/v1alpha1, kind: Guardrail, metadata: {name: all}, spec: {}}")))
	if !got.Allowed || !strings.Contains(strings.Join(got.Warnings, "\n"), "in Namespaces n00, n01, n02, n03 and 26 more, and no other one does.") || !strings.HasSuffix(got.AuditAnnotations["lost"], "n28, n29") {
		t.Errorf("allowed %v: %q %v", got.Allowed, got.Warnings, got.AuditAnnotations)
	}
	fits(t, got.Warnings)
}
