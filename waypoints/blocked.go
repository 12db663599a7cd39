package waypoints

import (
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// A need for which no waypoint is made has no waypoint on which to say so: it is said on the policy, and in the status of the profile by
// which the waypoint would be made.

// MetCondition, of a profile, is whether each policy that needs a waypoint has one, or gets one.
const MetCondition = "Met"

// bars says once on each policy that no waypoint is made for it, and why. It returns all such needs, by profile.
func (c *Controller) bars(s *mesh.Snapshot) map[string][]plan.Blocked {
	out, seen := map[string][]plan.Blocked{}, map[mesh.Ref]bool{}
	for _, b := range c.planned.plan.Undecided(c.planned.settings) {
		profile := c.planned.settings.Of(b.Home()).Profile.Name
		out[profile] = append(out[profile], b)
		if seen[b.Policy] {
			continue
		}
		seen[b.Policy] = true
		why := b.Says()
		if c.barred[b.Policy] == why {
			continue
		}
		c.barred[b.Policy] = why
		c.Log.Info("no waypoint is made for a policy that needs one", "policy", b.Policy.String(), "target", b.Target.String(), "why", b.Why)
		c.events.Eventf(reference(s, b.Policy), nil, corev1.EventTypeWarning, "Blocked", "Provision", "%s", note(why))
	}
	maps.DeleteFunc(c.barred, func(ref mesh.Ref, _ string) bool { return !seen[ref] })
	return out
}

// met enters in the status of a profile the needs for which no waypoint is made.
func met(p *v1alpha1.WaypointProfile, blocked []plan.Blocked) {
	status := &p.Status
	status.Blocked, status.Undecided = int32(len(blocked)), nil
	for _, b := range blocked[:min(len(blocked), maxNeeded)] {
		status.Undecided = append(status.Undecided, v1alpha1.BlockedNeed{Policy: b.Policy.String(), Target: b.Target.String(), Message: cutTo(b.Why, maxUndecided)})
	}
	condition := metav1.Condition{Type: MetCondition, Status: metav1.ConditionTrue, Reason: "NoneBlocked", ObservedGeneration: p.Generation,
		Message: "Whatever needs a waypoint has one, or gets one."}
	if len(blocked) > 0 {
		first, more := blocked[0], ""
		if n := len(blocked) - 1; n > 0 {
			more = fmt.Sprintf(" The same goes for %d more; see undecided.", n)
		}
		condition.Status, condition.Reason = metav1.ConditionFalse, "Blocked"
		condition.Message = cutTo(fmt.Sprintf("%s waits for a decision: %s", first.Policy, first.Says()), maxMessage-len(more)) + more
	}
	apimeta.SetStatusCondition(&status.Conditions, condition)
}
