package checks

import (
	"fmt"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Label istio.io/dataplane-mode=ambient on a namespace that istio-cni leaves out: kube-system, unless
// it is installed with other excludeNamespaces (cni/pkg/nodeagent/informers.go, istio/istio#59295).
var _ = policies.Register(policies.Check{
	ID:       "enrolment/excluded-namespace",
	Title:    "A Namespace that istio-cni leaves out",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.Namespace},
	Cases:    []int{131},
	Controls: evidenceFor(encryption(), serviceIdentity()),
	Doc: `istio-cni never captures pods of the namespaces in its excludeNamespaces, by default kube-system. The label that
enrols a namespace does nothing there.`,
	Remedy: "Remove the label; to capture the pods all the same, take the namespace out of istio-cni's excludeNamespaces.",
	Run: func(p *policies.Pass) {
		if p.Object.Labels[label.IoIstioDataplaneMode.Name] != "ambient" || !p.Excluded(p.Object.Name) {
			return
		}
		for _, w := range p.Workloads(p.Object.Name) {
			if w.Mode == mesh.ModeAmbient {
				return // it is captured, so this istio-cni was installed otherwise
			}
		}
		p.Report(policies.Finding{Field: "metadata.labels[" + label.IoIstioDataplaneMode.Name + "]",
			Message: fmt.Sprintf("no pod of this Namespace is captured: istio-cni leaves %s out, whatever labels say.", p.Object.Name)})
	},
})
