package checks

import (
	"fmt"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Pods that opt out of ambient mode with istio.io/dataplane-mode=none while policies of their namespace,
// or policies that select them, are meant to hold for them. Nothing enforces those. What holds for the
// whole mesh does not count: who opts out opts out of that. To opt in again is printed and never
// applied, because policies would start to deny.
var _ = policies.Register(policies.Check{
	ID:       "enrolment/pods-left-out",
	Title:    "Pods that opt out of the mesh and have policies",
	Severity: policies.Medium,
	Kinds:    podKinds,
	Cases:    []int{132},
	Controls: evidenceFor(authorization(), encryption()),
	Doc: `Pods with label istio.io/dataplane-mode=none are not captured by ztunnel, so that AuthorizationPolicies and
PeerAuthentications do not hold for them, though istiod reports them as accepted.`,
	Remedy: "Remove the label once the policies fit the pods' callers, or leave the pods out of the policies.",
	Run: func(p *policies.Pass) {
		if !p.Known(p.Object.Namespace) {
			return
		}
		w, more := firstLike(p, func(w *mesh.Workload) bool {
			return w.Mode == mesh.ModeNone && w.Labels[label.IoIstioDataplaneMode.Name] == "none" && len(meantFor(p, w, false)) > 0
		})
		if w == nil || p.NamespaceLabels(w.Namespace)[label.IoIstioDataplaneMode.Name] != "ambient" {
			return
		}
		policy := meantFor(p, w, false)
		p.Report(policies.Finding{Verdict: policies.NotEnforced, Related: refsOf(policy),
			Field:   podField(p.Object.Kind, "metadata.labels["+label.IoIstioDataplaneMode.Name+"]"),
			Message: fmt.Sprintf("%s does not hold for %s: label %s=none keeps the pods out of the mesh.", policy[0], many(w, more), label.IoIstioDataplaneMode.Name)})
	},
})
