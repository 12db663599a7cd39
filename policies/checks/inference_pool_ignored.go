package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An InferencePool to which calls come through an Envoy waypoint. Only gateways and agentgateway
// waypoints ask its endpoint picker (pilot/pkg/networking/core/listener_builder.go, under !isWaypoint);
// an Envoy waypoint spreads the calls plainly.
var _ = policies.Register(policies.Check{
	ID:       "effect/inference-pool-ignored",
	Title:    "An InferencePool that is not asked",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.InferencePool},
	Cases:    []int{106},
	Controls: configuration(),
	Doc: `The endpoint picker of an InferencePool chooses where each call goes. Gateways ask it, and so do waypoints of class
istio-agentgateway-waypoint; waypoints of class istio-waypoint do not.`,
	Remedy: "Use a waypoint of class istio-agentgateway-waypoint.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.UnsupportedValue) {
			p.Report(told(e))
		}
	},
})
