package webhook

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// reporting is a check that finds what it is given, in place of all others.
func reporting(findings ...policies.Finding) []*policies.Check {
	return []*policies.Check{{ID: "test/reports", Severity: policies.High, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}, Remedy: "Do better.", Run: func(p *policies.Pass) {
		for _, f := range findings {
			f.Check = "test/reports"
			p.Report(f)
		}
	}}}
}

// TestDenial: what is wrong is one cause each, with its field, as kubectl prints them for any object that is not valid.
func TestDenial(t *testing.T) {
	o := denying(t, reporting(
		policies.Finding{Field: "spec.b", Message: "this does nothing:\nthe second.", Severity: policies.High},
		policies.Finding{Field: "spec.a", Message: "this does nothing: the first.", Severity: policies.Critical, Remedy: "Correct größe."},
		policies.Finding{Message: "this does nothing: as a whole.", Severity: policies.High},
		policies.Finding{Field: "spec.c", Message: "this does little.", Severity: policies.Low})...)
	got := answer(t, New(o).Validating(), creates(t, noOp))
	causes := []metav1.StatusCause{
		{Type: "FieldValueInvalid", Field: "spec.a", Message: "this does nothing: the first. Correct größe. Guardrail all denies it. [test/reports]"},
		{Type: "FieldValueInvalid", Field: "metadata", Message: "this does nothing: as a whole. Do better. Guardrail all denies it. [test/reports]"},
		{Type: "FieldValueInvalid", Field: "spec.b", Message: "this does nothing: the second. Do better. Guardrail all denies it. [test/reports]"},
	}
	var lines []string
	for _, c := range causes {
		lines = append(lines, c.Field+": "+c.Message)
	}
	want := &metav1.Status{Status: "Failure", Code: 422, Reason: "Invalid", Message: strings.Join(lines, "\n"),
		Details: &metav1.StatusDetails{Name: "no-op", Group: "security.istio.io", Kind: "AuthorizationPolicy", Causes: causes}}
	if diff := cmp.Diff(want, got.Result); diff != "" || got.Allowed {
		t.Errorf("allowed %v (-want +got):\n%s", got.Allowed, diff)
	}
	if diff := cmp.Diff([]string{"this does little.", "Do better. [test/reports]"}, got.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"decision": "deny", "findings": "test/reports=Deny,test/reports=Warn"}, got.AuditAnnotations); diff != "" {
		t.Errorf("audit annotations (-want +got):\n%s", diff)
	}
}

// TestActions: what Guardrails and Exemptions make of one finding.
func TestActions(t *testing.T) {
	exemption := func(until time.Time) *v1alpha1.Exemption {
		return &v1alpha1.Exemption{ObjectMeta: metav1.ObjectMeta{Name: "for-now", Namespace: "shop"}, Spec: v1alpha1.ExemptionSpec{
			Checks: []v1alpha1.CheckGlob{"test/*"}, Reason: "the waypoint comes next week", GrantedBy: "ann", ExpiresAt: metav1.NewTime(until), Subjects: []v1alpha1.Subject{{Kind: "AuthorizationPolicy", Name: "*"}}}}
	}
	for name, c := range map[string]struct {
		action     v1alpha1.Action
		exemptions []*v1alpha1.Exemption
		waits      bool
		allowed    bool
		decision   string
		warns      string // "" for no warning at all
		audit      string
	}{
		"denied":     {action: v1alpha1.Deny, decision: Denied, audit: "findings=test/reports=Deny"},
		"warned":     {action: v1alpha1.Warn, allowed: true, decision: Warned, warns: "this does nothing. Do better.", audit: "findings=test/reports=Warn"},
		"audit only": {action: v1alpha1.Audit, allowed: true, decision: Admitted, audit: "findings=test/reports=Audit"},
		"off":        {action: v1alpha1.Off, allowed: true, decision: Admitted},
		"exempt":     {action: v1alpha1.Deny, exemptions: []*v1alpha1.Exemption{exemption(now.Add(time.Hour))}, allowed: true, decision: Admitted, audit: "exempt=test/reports by shop/for-now"},
		"lapsed":     {action: v1alpha1.Deny, exemptions: []*v1alpha1.Exemption{exemption(now.Add(-time.Hour))}, decision: Denied, audit: "findings=test/reports=Deny"},
		"too long":   {action: v1alpha1.Deny, exemptions: []*v1alpha1.Exemption{exemption(now.Add(9000 * time.Hour))}, decision: Denied, audit: "findings=test/reports=Deny"},
		"waits":      {action: v1alpha1.Deny, waits: true, allowed: true, decision: Warned, warns: "Service shop/later", audit: "findings=test/reports=Warn"},
	} {
		t.Run(name, func(t *testing.T) {
			f := policies.Finding{Field: "spec", Message: "this does nothing."}
			if c.waits {
				f.WaitsFor = []policies.Wait{{Object: &mesh.Ref{Kind: "Service", Namespace: "shop", Name: "later"}}}
			}
			o := options(snapshot(t, shop), rulebookOf(t, reporting(f), []*v1alpha1.Guardrail{guardrail(c.action, "")}, c.exemptions...))
			got := answer(t, New(o).Validating(), creates(t, noOp))
			warned := strings.Join(got.Warnings, " ")
			if got.Allowed != c.allowed || got.AuditAnnotations["decision"] != c.decision || (c.warns == "") != (warned == "") || !strings.Contains(warned, c.warns) {
				t.Errorf("allowed %v, %v, warnings %q", got.Allowed, got.AuditAnnotations, got.Warnings)
			}
			if len(c.exemptions) > 0 && !c.allowed && !strings.Contains(got.Result.Message, "for-now") {
				t.Errorf("the denial does not name the Exemption: %s", got.Result.Message)
			}
			delete(got.AuditAnnotations, "decision")
			var audit []string
			for k, v := range got.AuditAnnotations {
				audit = append(audit, k+"="+v)
			}
			if strings.Join(audit, " ") != c.audit {
				t.Errorf("audit annotations %q, want %q", audit, c.audit)
			}
		})
	}
}

// TestWarningsFit: whatever there is to say, the API server passes it on whole, the worst first, and what does not fit is
// counted.
func TestWarningsFit(t *testing.T) {
	var findings []policies.Finding
	for i := range 60 {
		findings = append(findings, policies.Finding{Field: "spec", Severity: policies.Severities[i%5], Message: string(policies.Severities[i%5]) + " größe " + strings.Repeat("wörter\t", i*2) + "\u0085end.", Remedy: strings.Repeat("Make it so. ", i)})
	}
	o := options(snapshot(t, shop), rulebookOf(t, reporting(findings...), nil))
	got := answer(t, New(o).Validating(), creates(t, noOp))
	fits(t, got.Warnings)
	if !got.Allowed || len(got.Warnings) < 10 || !strings.HasSuffix(got.Warnings[len(got.Warnings)-1], "more findings do not fit here: waywarden scan shows all.") {
		t.Errorf("%q", got.Warnings)
	}
	var ranks []int
	for i, text := range got.Warnings[:len(got.Warnings)-1] {
		severity, _, _ := strings.Cut(text, " ")
		if rank := policies.Severity(severity).Rank(); i%2 == 0 {
			ranks = append(ranks, rank)
		} else if !strings.HasSuffix(text, " [test/reports]") {
			t.Errorf("the check is cut off: %q", text)
		}
	}
	if !slices.IsSorted(ranks) || !strings.Contains(got.Warnings[0], "größe") {
		t.Errorf("not by severity: %v, %q", ranks, got.Warnings[0])
	}
}

// TestAbout: a note that does not fit beside the remedy is a warning of its own.
func TestAbout(t *testing.T) {
	f := &policies.Finding{Check: "a/b", Message: "It does nothing.", Remedy: "Bind it."}
	long := strings.TrimSpace(strings.Repeat("Long words. ", 21))
	for note, want := range map[string][]string{
		"":          {"It does nothing.", "Bind it. [a/b]"},
		"By order.": {"It does nothing.", "Bind it. By order. [a/b]"},
		long:        {"It does nothing.", "Bind it.", whole(long, 250) + " [a/b]"},
	} {
		if diff := cmp.Diff(want, about(f, note)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
