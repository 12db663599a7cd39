package webhook

import (
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/policies/mesh"
)

// CanaryLabel marks, in Waywarden's own namespace, the policy that is always refused. Whoever creates it with a dry run
// and is refused knows that the webhook is in force.
const CanaryLabel = "waywarden.dev/canary"

// CanaryMessage is how the canary is refused.
const CanaryMessage = "this is waywarden's canary, which is refused whatever Guardrails say: its refusal shows that admission is in force."

func (a *Admission) canary(c *change) bool {
	return c.Operation == admissionv1.Create && c.new.Kind == mesh.AuthorizationPolicy && c.new.Namespace == a.Namespace && a.Namespace != "" &&
		c.new.Labels[CanaryLabel] != ""
}
