package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A DestinationRule that switches TLS off (tls.mode DISABLE) for a Service behind a waypoint. The way
// from the waypoint to an enrolled pod is HBONE whatever the rule says (cluster_waypoint.go
// buildWaypointTLSContext). ISTIO_MUTUAL is ignored just so, but it is what happens.
var _ = policies.Register(policies.Check{
	ID:       "effect/tls-mode-ignored",
	Title:    "A DestinationRule that cannot switch TLS off",
	Severity: policies.Low,
	Kinds:    []mesh.Kind{mesh.DestinationRule},
	Cases:    []int{94},
	Controls: configuration(),
	Doc: `In ambient mode calls between enrolled pods are always in HBONE, which is mTLS. A DestinationRule with
tls.mode DISABLE changes nothing about that; a plaintext caller is let in or kept out by PeerAuthentication.`,
	Remedy: "Remove the field.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			svc := targetOf(p, e.Target)
			if svc == nil || svc.Kind != mesh.Service || e.EnforcedBy != policies.Waypoint {
				continue
			}
			for _, c := range e.Causes {
				if c.Reason != policies.TLSModeIgnored {
					continue
				}
				f := policies.Finding{Verdict: e.Verdict, Field: c.Field, Message: "calls to " + svc.String() + " stay encrypted: " + c.Text + "."}
				// Sidecars and gateways do read the field.
				if c.Field == "spec.trafficPolicy.tls.mode" && len(p.Clients().Sidecar) == 0 && !enforcedBy(p, e.Target, policies.Gateway) {
					f.Fixes = []policies.Fix{{Message: "remove the field, which changes nothing", Patch: []policies.Op{{Op: "remove", Path: "/spec/trafficPolicy/tls"}}}}
				}
				p.Report(f)
			}
		}
	},
})
