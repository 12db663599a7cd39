package audit

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// needed says who needs a waypoint, and what would be without it.
func (sub *subject) needed(s *mesh.Snapshot) {
	gw := sub.object
	if profile := gw.Annotations[plan.ProfileAnnotation]; gw.Labels[plan.ManagedByLabel] == plan.ManagedBy && profile != "" {
		sub.facts = append(sub.facts, fmt.Sprintf("It says that Waywarden made it, by WaypointProfile %s.", profile))
	}
	if since := gw.Annotations[plan.UnneededSinceAnnotation]; since != "" {
		sub.facts = append(sub.facts, fmt.Sprintf("Nothing needs it since %s, so it is about to go.", since))
	}
	if reason := gw.Annotations[plan.KeepAnnotation]; reason != "" {
		sub.facts = append(sub.facts, "It is kept, whoever needs it: "+reason)
	}
	lost := policies.Regressions(policies.NewView(s), policies.NewView(s.Without(gw)), gw)
	if len(lost) == 0 {
		sub.facts = append(sub.facts, "No policy needs it: without it each is as much in force as with it.")
	}
	for _, r := range lost {
		sub.facts = append(sub.facts, fmt.Sprintf("%s needs it, for %s. Without it %s", r.Before.Object, r.Before.Target, r.After.Message))
	}
}
