package checks

import (
	"fmt"
	"strings"

	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A pod that runs, is labelled for ambient mode, and is not captured. istio-cni writes annotation
// ambient.istio.io/redirection on a pod once it has redirected its traffic (cni/pkg/util/podutil.go), and
// istiod goes by that annotation and not by labels (ambient/workloads.go setTunnelProtocol). Without it
// calls reach the pod in plaintext, and no policy holds. "pending" is a pod whose traffic is redirected
// to a ztunnel that does not know it yet.
var _ = policies.Register(policies.Check{
	ID:       "enrolment/not-redirected",
	Title:    "A running pod that is labelled and not captured",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.Pod},
	Controls: evidenceFor(encryption(), logging()),
	Doc: `Labels say what istio-cni is to do; annotation ambient.istio.io/redirection=enabled says what it has done. A running
pod that is labelled and lacks the annotation takes calls in plaintext, past every policy. Usually istio-cni does not run
on its node, or failed on the pod.`,
	Remedy: "Look at istio-cni and ztunnel on the pod's node, then restart the pod.",
	Run: func(p *policies.Pass) {
		key := annotation.AmbientRedirection.Name
		state := p.Object.Annotations[key]
		w, more := firstLike(p, func(w *mesh.Workload) bool { return p.Uncaptured(w) && w.Annotations[key] == state })
		if w == nil {
			return
		}
		if state == "pending" {
			p.Report(policies.Finding{Severity: policies.Medium, Field: "metadata.annotations[" + key + "]",
				Message: fmt.Sprintf("%s takes no calls yet: istio-cni has redirected its traffic, and ztunnel has not taken the pod over.", many(w, more))})
			return
		}
		why, _, _ := strings.Cut(w.Why, ", but")
		p.Report(policies.Finding{Verdict: policies.NotEnforced, Field: "metadata.annotations",
			Message: fmt.Sprintf("calls reach %s in plaintext and past every policy: %s, but istio-cni has not captured it.", many(w, more), why)})
	},
})
