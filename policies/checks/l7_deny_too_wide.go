package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A DENY without targetRefs in which an operation or a source has both what ztunnel compares and what it
// does not: it strips the latter and denies the former whatever the request is, the whole port or the
// whole client (authorization.go handleRule; docs/semantics.md).
var _ = policies.Register(policies.Check{
	ID:       "effect/l7-deny-too-wide",
	Title:    "A DENY that denies more than it says",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{6},
	Controls: authorization(),
	Doc: `ztunnel strips HTTP attributes from the rules of a DENY and matches with what is left of an operation or a source. So "deny
GET on port 8080" denies every connection to port 8080, and "deny this client's requests without a token" denies the client.`,
	Remedy: "Bind the policy to its Services with targetRefs, so that their waypoint compares all of it.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		for _, e := range p.Effects(p.Object) {
			if policies.Action(spec) == policies.Deny && atPods(e) && e.Verdict == policies.OverDenies && e.Reason == policies.UnsupportedValue {
				tell(p, e)
			}
		}
	},
})
