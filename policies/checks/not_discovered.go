package checks

import (
	"github.com/waywarden/waywarden/policies"
)

// A policy in a Namespace that the mesh's discoverySelectors leave out: istiod never sees it.
var _ = policies.Register(policies.Check{
	ID:       "effect/not-discovered",
	Title:    "A policy in a namespace that istiod does not see",
	Severity: policies.Critical,
	Kinds:    seenByIstiod,
	Cases:    []int{44},
	Controls: evidenceFor(authorization(), configuration()),
	Doc: `With discoverySelectors in the mesh configuration istiod sees only the namespaces that match one of them. A policy anywhere else has no
effect and no status.`,
	Remedy: "Label the Namespace so that a discoverySelector matches it.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Reason == policies.NotDiscovered {
				tellUnseen(p, e)
			}
		}
	},
})
