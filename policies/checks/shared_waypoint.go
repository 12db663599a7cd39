package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// waypointFor is what to apply for a Service or ServiceEntry without a waypoint, where nobody makes one: it changes what others do,
// so a plan is to be looked at first. At admission nobody sees it: a warning has no room for manifests, and a repair applies none.
func waypointFor(p *policies.Pass, t policies.Target) []policies.Fix {
	if p.Occasion.PhaseOr() == policies.AtAdmission {
		return nil
	}
	var svc *mesh.Object
	switch t.Kind {
	case mesh.Service.String():
		svc = p.Get(mesh.Service, t.Namespace, t.Name)
	case mesh.ServiceEntry.String():
		svc = p.Get(mesh.ServiceEntry, t.Namespace, t.Name)
	}
	if svc == nil {
		return nil
	}
	if gw, _ := p.Awaited(svc); gw != nil {
		return nil // it has one coming
	}
	apply := plan.Proposal(p.Snapshot, svc)
	if len(apply) == 0 {
		return nil
	}
	return []policies.Fix{{Message: fmt.Sprintf("give %s a waypoint, in this order, unless Waywarden makes it; waywarden plan says what else changes with that", svc), Apply: apply}}
}
