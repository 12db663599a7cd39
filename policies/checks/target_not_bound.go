package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A policy that names a Service or ServiceEntry without a waypoint. Only a waypoint reads targetRefs
// to Services; without one the policy is stored, and nobody enforces it. istiod says so in the
// condition WaypointAccepted, in one word for every cause (ambient/policies.go
// WaypointPolicyStatusCollection), and of a policy with several targetRefs, one of them bound, it says
// that it is accepted. Of the other kinds it says nothing at all.
var _ = policies.Register(policies.Check{
	ID:       "effect/target-not-bound",
	Title:    "A policy for a Service that no waypoint serves",
	Severity: policies.High,
	Kinds:    bound,
	Cases:    []int{23, 31, 59, 60, 61, 62, 69, 73},
	Controls: authorization(),
	Doc: `A targetRef to a Service or ServiceEntry is enforced by the Service's waypoint and by nobody else. Where
the Service has no waypoint, or asks for one that does not exist, is not ready, or does not let it attach, calls go
straight to the pods and the policy does nothing.`,
	Remedy: "Bind the Service to a waypoint that is ready.",
	Run: func(p *policies.Pass) {
		effects := p.Effects(p.Object)
		for _, e := range effects {
			if e.Target.Kind != "Service" && e.Target.Kind != "ServiceEntry" || !unbound(e) {
				continue
			}
			f := policies.Finding{
				Verdict: e.Verdict, Severity: lost(p.Object, e), Field: e.Field, Remedy: remedyAt(p, e),
				Message: fmt.Sprintf("%s at %s: %s%s.", nobodyApplies(p.Object), e.Target, e.Causes[0].Text, elsewhere(effects, e)),
				Related: []mesh.Ref{{Kind: e.Target.Kind, Namespace: e.Target.Namespace, Name: e.Target.Name}},
				Fixes:   waypointFor(p, e.Target),
			}
			p.Report(f)
		}
	},
})

// unbound is whether the effect is that of a target without a usable waypoint.
func unbound(e policies.Effect) bool {
	switch e.Reason {
	case policies.AncestorNotBound, mesh.WaypointIsNotReady, mesh.AttachmentDenied, mesh.UnsupportedTrafficType, mesh.CrossNamespaceWaypointForbidden:
		return true
	}
	return false
}
