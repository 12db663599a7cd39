package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
)

// What is done with a request, in the words of logs, metrics and audit annotations.
const (
	Admitted    = "admit"
	Warned      = "warn"
	Denied      = "deny"
	Repaired    = "repair"
	BrokenGlass = "break-glass"
	// CanaryRefused is apart from Denied, so that a count of denials is about what people do.
	CanaryRefused = "canary"
)

// Exempt stands in logs and metrics for the action where an Exemption excepts a finding.
const Exempt = "Exempt"

// verdict is what came of judging one request.
type verdict struct {
	findings []policies.Finding
	decision decide.Decision
	notes    []string // warnings that are about no finding
}

// outcome is the verdict in one word.
func (v *verdict) outcome() string {
	switch {
	case v.decision.Denied:
		return Denied
	case v.decision.BrokenGlass:
		return BrokenGlass
	case v.decision.Totals.Warn > 0 || len(v.notes) > 0:
		return Warned
	}
	return Admitted
}

// undecided is why the request can be neither admitted nor denied: all that would deny it is that a check could not be asked.
func (v *verdict) undecided() error {
	if !v.decision.Denied {
		return nil
	}
	var why []string
	for i := range v.findings {
		if !v.decision.Rulings[i].Denies() {
			continue
		}
		if !v.findings[i].Failed {
			return nil
		}
		why = append(why, explain(&v.findings[i], &v.decision.Rulings[i]))
	}
	return errors.New(strings.Join(why, " "))
}

// response is the verdict as the API server takes it.
func (v *verdict) response(r *admission.Request) admission.Response {
	out := admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Allowed: !v.decision.Denied, AuditAnnotations: v.annotations()}}
	var w warnings
	if v.decision.BrokenGlass {
		w.add(fmt.Sprintf("admitted by break-glass (%s), although Guardrails deny it: this is recorded.", v.decision.Reason))
	}
	for _, n := range v.notes {
		w.add(n)
	}
	var causes []metav1.StatusCause
	for i := range v.findings {
		f, ruling := &v.findings[i], &v.decision.Rulings[i]
		switch {
		case ruling.Denies() && v.decision.Denied:
			causes = append(causes, metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: fieldOr(f.Field), Message: explain(f, ruling)})
		case ruling.Exempt != nil, ruling.Action == v1alpha1.Audit, ruling.Action == v1alpha1.Off:
		default:
			w.add(about(f, ruling.Note(*f))...)
		}
	}
	out.Warnings = w.list()
	if len(causes) > 0 {
		out.Result = denial(r, causes)
	}
	return out
}

// fieldOr is the field of a cause; the API server's own errors name metadata where an object as a whole is meant.
func fieldOr(field string) string {
	if field == "" {
		return "metadata"
	}
	return field
}

// explain is a finding in whole sentences, as the one who is denied reads it.
func explain(f *policies.Finding, r *decide.Ruling) string {
	return oneLine(fmt.Sprintf("%s %s %s [%s]", f.Message, f.Remedy, r.Note(*f), f.Check))
}

// denial is what the requester sees: kubectl prints the causes, one a line, other clients the message.
func denial(r *admission.Request, causes []metav1.StatusCause) *metav1.Status {
	messages := make([]string, len(causes))
	for i, c := range causes {
		messages[i] = c.Field + ": " + c.Message
	}
	return &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
		Message: strings.Join(messages, "\n"),
		Details: &metav1.StatusDetails{Name: r.Name, Group: r.Kind.Group, Kind: r.Kind.Kind, Causes: causes},
	}
}

// annotations are what the API server's audit log gets, under the webhook's name: what was decided, by which checks, and
// what was let through although it would not have been.
func (v *verdict) annotations() map[string]string {
	out := map[string]string{"decision": v.outcome()}
	var found, exempt []string
	for i := range v.findings {
		f, r := &v.findings[i], &v.decision.Rulings[i]
		switch {
		case r.Exempt != nil:
			exempt = append(exempt, fmt.Sprintf("%s by %s/%s", f.Check, r.Exempt.Namespace, r.Exempt.Name))
		case r.Action != v1alpha1.Off:
			found = append(found, f.Check+"="+string(r.Action))
		}
	}
	for key, list := range map[string][]string{"findings": found, "exempt": exempt} {
		if len(list) > 0 {
			slices.Sort(list)
			out[key] = strings.Join(slices.Compact(list), ",")
		}
	}
	if v.decision.BrokenGlass {
		out["break-glass"] = v.decision.Reason
	}
	return out
}

// admit answers a request about which there is nothing to say.
func admit() admission.Response {
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Allowed: true}}
}

// refuse answers a request that Waywarden refuses whatever Guardrails say, for one reason.
func refuse(r *admission.Request, field, message string) admission.Response {
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{
		AuditAnnotations: map[string]string{"decision": Denied},
		Result:           denial(r, []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueInvalid, Field: fieldOr(field), Message: message}}),
	}}
}
