package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A PeerAuthentication for pods where nobody carries it out: not enrolled and without a sidecar,
// a waypoint's or a gateway's own pods, or none at all. Pods that opt out, use the host's network or
// let plaintext past ztunnel are found by checks of their own (enrolment/*).
var _ = policies.Register(policies.Check{
	ID:       "effect/peer-not-captured",
	Title:    "A PeerAuthentication for pods that nothing guards",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.PeerAuthentication},
	Cases:    []int{53},
	Controls: encryption(),
	Doc: `ztunnel carries a PeerAuthentication out for enrolled pods, a sidecar for its own. Pods with neither accept plaintext
whatever it says. Waypoints and gateways do not look at PeerAuthentications.`,
	Remedy: "Enrol the pods, or leave them out of the policy.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			for _, c := range e.Causes {
				f := policies.Finding{Verdict: e.Verdict, Field: c.Field, Message: sentences(e.Message, 1)}
				switch c.Reason {
				case policies.NotEnrolled:
					// Pods that are labelled and not captured are found where they are; and one that
					// lets plaintext in has its way.
					if len(e.WaitsFor) == 0 || len(p.Effects(p.Object)) > 1 || !demandsMTLS(p.Object) {
						continue
					}
				case policies.WaypointPods, policies.GatewayPods:
					f.Severity, f.Remedy = policies.Medium, "Select the pods behind it, or remove the policy."
				case policies.NoWorkloads:
					f.Severity, f.Remedy = policies.Low, "Correct the selector, or remove the policy."
				default:
					continue
				}
				p.Report(f)
			}
		}
	},
})
