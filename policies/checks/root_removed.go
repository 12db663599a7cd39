package checks

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Istio's root namespace is deleted. What it holds goes with it: the policies that hold in every namespace, the mesh's
// configuration, and mostly istiod itself, after which proxies go on with what they were last told until they start anew.
var _ = policies.Register(policies.Check{
	ID:       "change/root-removed",
	Title:    "Istio's root namespace goes, and every policy of the mesh with it",
	Severity: policies.Critical,
	Controls: evidenceFor(authorization(), encryption(), changeControl()),
	Kinds:    []mesh.Kind{mesh.Namespace},
	Doc: `Policies of the root namespace hold in the whole mesh: a default deny, a STRICT for everybody. When the namespace is deleted they are
gone, each without being asked about, because a namespace that terminates has to empty. Nothing stands for them in other namespaces.`,
	Remedy: "Delete what is meant to go, one by one, and keep the namespace.",
	Change: func(p *policies.ChangePass) {
		if p.New != nil || p.Old.Name != p.Before.RootNamespace() || p.Old.Terminating {
			return
		}
		lost := meshWide(p.Before)
		if len(lost) == 0 {
			return
		}
		p.Report(policies.Finding{
			Related: refsOf(lost), Namespaces: slices.Collect(p.Before.Namespaces()),
			Message: fmt.Sprintf("%s %s no more, in no namespace: this is Istio's root namespace, and is deleted with all that is in it.", enumerate(lost), holds(len(lost))),
		})
	},
})

func holds(n int) string {
	if n == 1 {
		return "holds"
	}
	return "hold"
}

// meshWide are the policies of the root namespace about who may call whom, and how.
func meshWide(v *policies.View) []*mesh.Object {
	var out []*mesh.Object
	for _, kind := range []mesh.Kind{mesh.AuthorizationPolicy, mesh.PeerAuthentication, mesh.RequestAuthentication} {
		for _, o := range v.List(kind, v.RootNamespace()) {
			if !v.OtherRevision(o) {
				out = append(out, o)
			}
		}
	}
	return out
}
