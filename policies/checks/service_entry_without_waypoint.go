package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A ServiceEntry that only works behind a waypoint and has none: a wildcard host, one that is looked up
// at each call (DYNAMIC_DNS), or connections that are to be raced (istio.io/connect-strategy). istiod
// says so in condition istio.io/WaypointMissing of the ServiceEntry.
var _ = policies.Register(policies.Check{
	ID:       "effect/service-entry-without-waypoint",
	Title:    "A ServiceEntry that needs a waypoint",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.ServiceEntry},
	Cases:    []int{108, 113},
	Controls: egress(),
	Doc: `ztunnel knows addresses, not names. A ServiceEntry with a wildcard host or resolution DYNAMIC_DNS is not given to
ztunnels at all until it is bound to a waypoint, and only a waypoint can race connections. Until then calls go
straight to whatever address the application has looked up.`,
	Remedy: "Bind the ServiceEntry to a waypoint with label istio.io/use-waypoint.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.NoWaypointForWildcardService, policies.NoWaypointForRacingConnectStrategy, mesh.WaypointIsNotReady,
			mesh.AttachmentDenied, mesh.UnsupportedTrafficType, mesh.CrossNamespaceWaypointForbidden, policies.ForeignGateway) {
			f := told(e)
			if onItsWay(e) {
				f.Severity = policies.Low
			}
			p.Report(f)
		}
	},
})
