package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A ServiceEntry with resolution DYNAMIC_DNS that waypoints leave out, whole or in part: one that is
// MESH_INTERNAL (pilot/pkg/networking/core/waypoint.go findWaypointResources; Istio's webhook only
// notices where the ServiceEntry itself asks for a waypoint), or a port that is not HTTP, TLS being
// behind a flag (cluster_waypoint.go buildWaypointInboundVIP).
var _ = policies.Register(policies.Check{
	ID:       "effect/dynamic-dns",
	Title:    "A host that no waypoint looks up",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.ServiceEntry},
	Cases:    []int{109, 110},
	Controls: egress(),
	Doc: `With resolution DYNAMIC_DNS a waypoint looks the host up at each call. It does so only for hosts outside the mesh,
and only on HTTP ports, unless istiod has ENABLE_WILDCARD_HOST_SERVICE_ENTRIES_FOR_TLS. Calls to anything else
fail.`,
	Remedy: "Set spec.location: MESH_EXTERNAL, and call HTTP ports.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.LocationInternal, policies.FeatureDisabled) {
			f := told(e)
			if e.Reason == policies.LocationInternal {
				f.Fixes = []policies.Fix{{
					Message: "say that the hosts are outside the mesh",
					Patch:   []policies.Op{{Op: "replace", Path: "/spec/location", Value: "MESH_EXTERNAL"}},
				}}
			}
			p.Report(f)
		}
	},
})
