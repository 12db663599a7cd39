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
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy, mesh.PeerAuthentication, mesh.RequestAuthentication},
	Cases:    []int{42},
	Doc: `istiod ignores a policy whose label istio.io/rev names another revision than its own: no status, no effect. Revision tags do not
count. Where the input shows which revisions there are and the label names none of them, nobody enforces the policy.`,
	Remedy: "Remove the label, or name the revision of the istiod that is to enforce the policy.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Reason == policies.OtherRevision {
				tell(p, e)
			}
		}
	},
})
