package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Service behind a waypoint with both trafficDistribution and a DestinationRule with
// localityLbSetting. ztunnel reads the one and the waypoint the other: calls go to a near waypoint, and
// from there wherever the DestinationRule says.
var _ = policies.Register(policies.Check{
	ID:       "effect/locality-twice",
	Title:    "Two settings for locality",
	Severity: policies.Info,
	Kinds:    []mesh.Kind{mesh.DestinationRule},
	Cases:    []int{107},
	Controls: configuration(),
	Doc: `trafficDistribution of a Service is for ztunnel, localityLbSetting of a DestinationRule for waypoints. With a waypoint
before the Service the DestinationRule decides which pod is called, and the waypoint's own Service decides
which waypoint.`,
	Remedy: "Keep one of the two.",
	Run: func(p *policies.Pass) {
		d := p.Object.Spec.(*mesh.DestinationRuleSpec)
		if d.TrafficPolicy == nil || d.TrafficPolicy.LoadBalancer == nil || d.TrafficPolicy.LoadBalancer.LocalityLBSetting == nil {
			return
		}
		for _, e := range p.Effects(p.Object) {
			svc := targetOf(p, e.Target)
			if svc == nil || e.EnforcedBy != policies.Waypoint {
				continue
			}
			if spec, ok := svc.Spec.(*mesh.ServiceSpec); ok && spec.TrafficDistribution != "" {
				p.Report(policies.Finding{Verdict: e.Verdict, Field: "spec.trafficPolicy.loadBalancer.localityLbSetting", Related: []mesh.Ref{svc.Ref()},
					Message: fmt.Sprintf("trafficDistribution %s of %s does not decide which pod is called: its waypoint follows this DestinationRule.", spec.TrafficDistribution, svc)})
			}
		}
	},
})
