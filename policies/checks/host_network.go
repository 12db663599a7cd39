package checks

import (
	"fmt"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A pod on the host's network in an enrolled namespace. There is no network namespace of its own in
// which istio-cni could redirect its traffic, so it is never captured
// (cni/pkg/util/enablement_selector.go Matches, istio/istio#61168).
var _ = policies.Register(policies.Check{
	ID:       "enrolment/host-network",
	Title:    "A pod on the host's network among enrolled ones",
	Severity: policies.Medium,
	Kinds:    podKinds,
	Cases:    []int{130},
	Controls: evidenceFor(encryption(), serviceIdentity()),
	Doc: `Pods with hostNetwork: true are never captured, whatever labels say. Policies for them are not enforced, their own
calls carry no identity, and calls to them are not encrypted.`,
	Remedy: "Give the pod a network of its own, or keep it in a namespace of which nobody expects that it is in the mesh.",
	Run: func(p *policies.Pass) {
		w, more := firstLike(p, func(w *mesh.Workload) bool {
			asked := w.Labels[label.IoIstioDataplaneMode.Name]
			if asked == "" {
				asked = p.NamespaceLabels(w.Namespace)[label.IoIstioDataplaneMode.Name]
			}
			return w.HostNetwork && w.Mode == mesh.ModeNone && asked == "ambient" && !p.Excluded(w.Namespace)
		})
		if w == nil {
			return
		}
		f := policies.Finding{Field: podField(p.Object.Kind, "spec.hostNetwork"), Related: refsOf(meantFor(p, w, false)),
			Message: fmt.Sprintf("its label does not take %s into the mesh: ztunnel does not capture what uses the host's network.", many(w, more))}
		if len(f.Related) == 0 {
			f.Severity = policies.Info
		} else {
			f.Verdict = policies.NotEnforced
		}
		p.Report(f)
	},
})
