package checks

import (
	"fmt"

	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Pods to which plaintext goes past ztunnel. Annotation ambient.istio.io/bypass-inbound-capture leaves
// out the rules that send inbound plaintext to ztunnel; HBONE, on port 15008, still reaches it
// (cni/pkg/iptables/iptables.go, istio/istio#58577). So calls from the mesh are judged by the policies,
// and calls from outside are judged by none.
var _ = policies.Register(policies.Check{
	ID:       "enrolment/bypass-inbound",
	Title:    "Plaintext goes past the policies",
	Severity: policies.High,
	Kinds:    podKinds,
	Cases:    []int{133},
	Controls: evidenceFor(encryption(), authorization()),
	Doc: `With annotation ambient.istio.io/bypass-inbound-capture: "true" only calls that come by mTLS pass the pod's ztunnel.
Callers outside the mesh reach the pod directly: no AuthorizationPolicy is asked, and STRICT does not refuse them.`,
	Remedy: "Remove the annotation, and let callers from outside in by policy.",
	Run: func(p *policies.Pass) {
		w, more := firstLike(p, func(w *mesh.Workload) bool {
			return w.Mode == mesh.ModeAmbient && mesh.Bypassed(w) && len(meantFor(p, w, true)) > 0
		})
		if w == nil {
			return
		}
		policy := meantFor(p, w, true)
		p.Report(policies.Finding{Verdict: policies.PartiallyEnforced, Related: refsOf(policy),
			Field:   podField(p.Object.Kind, "metadata.annotations["+annotation.AmbientBypassInboundCapture.Name+"]"),
			Message: fmt.Sprintf("%s does not hold for callers in plaintext: they reach %s without passing ztunnel.", policy[0], many(w, more))})
	},
})
