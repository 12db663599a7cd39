package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An AuthorizationPolicy at a waypoint that runs agentgateway. agentgateway gets routes of the Gateway
// API from istiod and none of Istio's own policies, and istiod looks only for an address, so it
// reports the policy as accepted.
var _ = policies.Register(policies.Check{
	ID:       "effect/agentgateway",
	Title:    "A policy of Istio's at a waypoint that runs agentgateway",
	Severity: policies.High,
	Kinds:    bound,
	Cases:    []int{30},
	Controls: authorization(),
	Doc: `Waypoints and gateways of Istio's agentgateway classes do not apply policies of security.istio.io. istiod
reports them as accepted all the same.`,
	Remedy: "Run the waypoint as class istio-waypoint, or use a policy that agentgateway applies.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Has(policies.Agentgateway) {
				p.Report(policies.Finding{
					Verdict: e.Verdict, Severity: lost(p.Object, e), Field: e.Field, Related: byOf(e), Remedy: lastSentence(e.Message),
					Message: fmt.Sprintf("%s at %s: %s.", nobodyApplies(p.Object), e.Target, e.Causes[0].Text),
				})
			}
		}
	},
})

func byOf(e policies.Effect) []mesh.Ref {
	if e.At == nil {
		return nil
	}
	return []mesh.Ref{*e.At}
}
