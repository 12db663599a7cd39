package checks

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/plan"
)

// waypointFor is what to apply for a Service or ServiceEntry without a waypoint, where nobody makes one: it changes what others do,
// so a plan is to be looked at first. At admission nobody sees it: a warning has no room for manifests, and a repair applies none.
func waypointFor(p *policies.Pass, t policies.Target) []policies.Fix {
	if p.Occasion.PhaseOr() == policies.AtAdmission {
		return nil
	}
	svc := serviceOf(p, t)
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

// remedyAt is what to do about a policy for a Service or ServiceEntry without a waypoint: what its effect says, unless no waypoint is
// planned for that, whoever asks.
func remedyAt(p *policies.Pass, e policies.Effect) string {
	if svc := serviceOf(p, e.Target); svc != nil && slices.ContainsFunc(e.WaitsFor, func(w policies.Wait) bool { return w.Label == label.IoIstioUseWaypoint.Name }) {
		if _, remedy := plan.WhyNone(p.Snapshot, svc); remedy != "" {
			return remedy
		}
	}
	return lastSentence(e.Message)
}
