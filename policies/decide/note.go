package decide

import (
	"fmt"
	"strings"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

// Note says in a sentence or two why the finding is treated as it is: what a webhook adds to the finding's message and
// a report prints below it. "" where there is nothing to say, because no Guardrail names the check.
func (r *Ruling) Note(f policies.Finding) string {
	var sentences []string
	if r.Lapsed != nil {
		if r.Lapse == v1alpha1.StateExpired {
			sentences = append(sentences, fmt.Sprintf("Its Exemption %s/%s ended on %s.", r.Lapsed.Namespace, r.Lapsed.Name, day(r.Lapsed.ExpiresAt)))
		} else {
			sentences = append(sentences, fmt.Sprintf("Its Exemption %s/%s is not in force, because it ends too late, on %s.", r.Lapsed.Namespace, r.Lapsed.Name, day(r.Lapsed.ExpiresAt)))
		}
	}
	switch {
	case r.Exempt != nil:
		sentences = append(sentences, r.Exempt.note())
	case r.Waits:
		sentences = append(sentences, fmt.Sprintf("Guardrail %s would deny it; it only waits for %s.", r.Guardrail, waitsFor(f.WaitsFor)))
	case r.Guardrail == "":
	case r.Action == v1alpha1.Deny:
		sentences = append(sentences, fmt.Sprintf("Guardrail %s denies it.", r.Guardrail))
	case r.Action == v1alpha1.Warn:
		sentences = append(sentences, fmt.Sprintf("Guardrail %s warns about it.", r.Guardrail))
	case r.Action == v1alpha1.Audit:
		sentences = append(sentences, fmt.Sprintf("Guardrail %s only audits it.", r.Guardrail))
	}
	if r.Untold != "" && r.Exempt == nil {
		sentences = append(sentences, fmt.Sprintf("Guardrail %s may demand more: the labels by which it selects are not known of Namespace %s.", r.Untold, r.UntoldIn))
	}
	return strings.Join(sentences, " ")
}

// note is by what, until when and why a finding is exempt.
func (e *Exemption) note() string {
	text := fmt.Sprintf("Exempt until %s by Exemption %s/%s", day(e.ExpiresAt), e.Namespace, e.Name)
	if e.GrantedBy != "" {
		text += ", granted by " + e.GrantedBy
	}
	text += ": " + strings.TrimSuffix(strings.TrimSpace(e.Reason), ".")
	if e.Ticket != "" {
		text += " (" + e.Ticket + ")"
	}
	return text + "."
}

func waitsFor(waits []policies.Wait) string {
	const most = 2
	var words []string
	for i, w := range waits {
		if i == most {
			words = append(words, fmt.Sprintf("%d more", len(waits)-most))
			break
		}
		words = append(words, w.String())
	}
	return strings.Join(words, " and ")
}
