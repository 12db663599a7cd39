package checks

import (
	"fmt"
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Gateway for a revision that no istiod has. Only the istiod of its revision deploys it
// (gatewaycommon/deploymentcontroller.go tagWatcher.IsMine), so it never gets an address. A revision may
// be a tag, which is a MutatingWebhookConfiguration and not in the input: so this is told only of
// a Gateway that really has no address, or of a file beside an istiod.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/waypoint-revision",
	Title:    "A waypoint for a revision that does not run",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.Gateway},
	Cases:    []int{80},
	Controls: evidenceFor(resilience(), configuration()),
	Doc: `The label istio.io/rev on a Gateway says which istiod deploys it. Where none has that revision, nobody does, the
waypoint never becomes ready, and what asks for it is bound to nothing.`,
	Remedy: "Name the revision of an istiod that runs, or remove the label.",
	Run: func(p *policies.Pass) {
		gw := p.Object
		rev := gw.Labels[label.IoIstioRev.Name]
		if rev == "" || rev == "default" || !p.ClassOf(gw).Waypoint() || hasAddress(gw) {
			return
		}
		if known, serves := p.Revision(rev); !known || serves || tagged(p, rev) {
			return
		}
		p.Report(policies.Finding{
			Field: "metadata.labels[" + label.IoIstioRev.Name + "]",
			Message: fmt.Sprintf("nobody deploys waypoint %s: its label %s=%s names no revision in the input, which are %s.",
				gw.Key(), label.IoIstioRev.Name, rev, strings.Join(p.Settings().Revisions, ", ")),
			WaitsFor: another(mesh.Service, p.RootNamespace()), // the tag's
			Remedy:   "Name one of them, or check that " + rev + " is a tag of one.",
		})
	},
})

// tagged is whether the input shows the Service by which newer charts make a revision tag
// (pkg/revisions/tag_watcher.go isTagService). Tags count for Gateways, in contrast to policies.
func tagged(p *policies.Pass, rev string) bool {
	return slices.ContainsFunc(p.List(mesh.Service, p.RootNamespace()), func(o *mesh.Object) bool {
		return o.Labels[label.IoIstioTag.Name] == rev
	})
}

func hasAddress(gw *mesh.Object) bool {
	status := gw.Spec.(*mesh.GatewayBody).Status
	return status != nil && len(status.Addresses) > 0
}
