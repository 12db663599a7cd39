package checks

import (
	"fmt"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An object that was let past its Guardrails, or can be: the annotation by which somebody broke the glass still stands on it. The
// next change of it, or its deletion, is let through in the same way, by whoever has that right.
var _ = policies.Register(policies.Check{
	ID:       "exemption/break-glass",
	Title:    "An object that asks to be let past its Guardrails",
	Severity: policies.Medium,
	Controls: changeControl(),
	Kinds:    append(policyKinds(), mesh.Namespace, mesh.Service, mesh.WorkloadEntry, mesh.Gateway, mesh.GatewayClass),
	Doc: `Annotation waywarden.dev/break-glass admits an object whatever Guardrails say, for a requester who has the verb break-glass on
guardrails.waywarden.dev. That is meant for an emergency. As long as the annotation stands, the object may be what no Guardrail would let pass,
and changes of it are not held to them either.`,
	Remedy: "Remove the annotation when the emergency is over, and grant an Exemption with an end for what has to stay.",
	Run: func(p *policies.Pass) {
		reason, asks := p.Object.Annotations[policies.BreakGlassAnnotation]
		if !asks {
			return
		}
		why := "no reason is given"
		if reason = strings.Join(strings.Fields(reason), " "); reason != "" {
			why = fmt.Sprintf("the reason is %q", clipped(reason, 100))
		}
		p.Report(policies.Finding{
			Field:   "metadata.annotations[" + policies.BreakGlassAnnotation + "]",
			Message: fmt.Sprintf("whoever may break the glass is held to no Guardrail here: the annotation asks for that, and %s.", why),
		})
	},
})

// policyKinds are all kinds that are judged by their effects.
func policyKinds() []mesh.Kind {
	var out []mesh.Kind
	for _, k := range mesh.Kinds() {
		if k.IsPolicy() {
			out = append(out, k)
		}
	}
	return out
}

// clipped is a text of at most so many characters.
func clipped(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
