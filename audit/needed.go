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
	sub.moving(gw)
	lost := policies.Regressions(policies.NewView(s), policies.NewView(s.Without(gw)), gw)
	if len(lost) == 0 {
		sub.facts = append(sub.facts, "No policy needs it: without it each is as much in force as with it.")
	}
	for _, r := range lost {
		who := r.Before.Object.String()
		if o := s.Get(mesh.AuthorizationPolicy, r.Before.Object.Namespace, r.Before.Object.Name); r.Before.Object.Kind == mesh.AuthorizationPolicy.String() &&
			o != nil && o.Annotations[plan.RoleAnnotation] == string(plan.Copy) {
			who = fmt.Sprintf("AuthorizationPolicy %s, by its copy %s,", o.Annotations[plan.OfAnnotation], o.Name)
		}
		sub.facts = append(sub.facts, fmt.Sprintf("%s needs it, for %s. Without it %s", who, r.Before.Target, r.After.Message))
	}
}

// moving says who is to take the place of a waypoint, and whose it has taken.
func (sub *subject) moving(gw *mesh.Object) {
	if to := gw.Annotations[plan.MigrateAnnotation]; to != "" {
		how := "at once"
		if steps := gw.Annotations[plan.StepsAnnotation]; steps != "" {
			how = "by steps, " + steps
		}
		sub.facts = append(sub.facts, fmt.Sprintf("Gateway %s is to take its place, %s: what our labels bind to it moves there, and then it goes if Waywarden made it. Without annotation %s it all comes back.", to, how, plan.MigrateAnnotation))
	}
	if of := gw.Annotations[plan.PlaceAnnotation]; of != "" {
		sub.facts = append(sub.facts, fmt.Sprintf("It has the place of %s: AuthorizationPolicies that name one of those are repeated here.", of))
	}
}

// boundSays is how a Service or ServiceEntry sends to a waypoint.
func boundSays(s *mesh.Snapshot, gw, svc *mesh.Object) string {
	canary := s.Canary(svc)
	switch {
	case canary.Attached && canary.Gateway == gw:
		return fmt.Sprintf("%d%% of the connections of %s take it: it is its canary.", canary.Weight, svc)
	case canary.Attached:
		return fmt.Sprintf("%s is bound to it; %d%% of its connections take its canary %s.", svc, canary.Weight, canary.Gateway.Key())
	}
	return fmt.Sprintf("%s is bound to it.", svc)
}
