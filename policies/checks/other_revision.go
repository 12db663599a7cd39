package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A label istio.io/rev that names a revision which no istiod has: istiod looks only at objects without the label
// or with its own revision, and knows no revision tags here (pkg/config/model.go LabelsInRevision;
// ambient/ambientindex.go inRevision). Told only where the input shows the istiods.
var _ = policies.Register(policies.Check{
	ID:       "effect/other-revision",
	Title:    "A policy that no istiod looks at",
	Severity: policies.Critical,
	Kinds:    seenByIstiod,
	Cases:    []int{42},
	Controls: evidenceFor(authorization(), configuration()),
	Doc: `istiod ignores a policy whose label istio.io/rev names another revision than its own: no status, no effect. Revision tags do not
count. Where the input shows which revisions there are and the label names none of them, nobody enforces the policy.`,
	Remedy: "Remove the label, or name the revision of the istiod that is to enforce the policy.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Reason == policies.OtherRevision {
				tellUnseen(p, e)
			}
		}
	},
})

// seenByIstiod are the kinds of Istio's own that istiod filters by revision and namespace before it looks at them.
var seenByIstiod = []mesh.Kind{
	mesh.AuthorizationPolicy, mesh.PeerAuthentication, mesh.RequestAuthentication, mesh.VirtualService, mesh.DestinationRule,
	mesh.ServiceEntry, mesh.Sidecar, mesh.EnvoyFilter, mesh.WasmPlugin, mesh.TrafficExtension, mesh.Telemetry, mesh.ProxyConfig,
}

// tellUnseen reports an effect of an object that istiod does not look at: worst where it is about security.
func tellUnseen(p *policies.Pass, e policies.Effect) {
	message, remedy := parted(e)
	f := policies.Finding{Verdict: e.Verdict, Field: e.Field, Message: message, Remedy: remedy}
	switch p.Object.Kind {
	case mesh.AuthorizationPolicy, mesh.PeerAuthentication, mesh.RequestAuthentication:
	case mesh.Telemetry, mesh.ProxyConfig, mesh.Sidecar:
		f.Severity = policies.Low
	default:
		f.Severity = policies.Medium
	}
	p.Report(f)
}
