package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A waypoint called none: no label can ask for it, because that value opts out.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/waypoint-name",
	Title:    "A waypoint that no label can ask for",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.Gateway},
	Cases:    []int{72},
	Controls: configuration(),
	Doc:      "The value none of label istio.io/use-waypoint opts out of waypoints, so a waypoint of that name can never be asked for.",
	Remedy:   "Make the waypoint under another name.",
	Run: func(p *policies.Pass) {
		if p.Object.Name == "none" && p.ClassOf(p.Object).Waypoint() {
			p.Report(policies.Finding{Field: "metadata.name",
				Message: fmt.Sprintf("nothing can be bound to waypoint %s: the value none of label istio.io/use-waypoint opts out.", p.Object.Key())})
		}
	},
})
