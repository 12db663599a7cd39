package plan

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A label is there for its needs. Where istiod would not bind by it what needs a waypoint, as the waypoint's listener keeps that out or
// another label beside it says otherwise, it would be set, and nothing be better.

// unmet takes needs off the labels that do not bind what they are about. It is true where that changed the plan.
func (m *maker) unmet(after *mesh.Snapshot) bool {
	for i, l := range m.plan.Labels {
		met := slices.DeleteFunc(slices.Clone(l.Needs), func(n Need) bool { return m.leavesUnbound(l, n) })
		if len(met) == len(l.Needs) {
			continue
		}
		for _, n := range l.Needs {
			if m.leavesUnbound(l, n) {
				m.block(n, unboundSays(after, serviceOf(after, n.Target), l))
			}
		}
		if m.plan.Labels[i].Needs = met; len(met) > 0 || m.isStored(l) {
			return true
		}
		m.plan.Labels = slices.Delete(m.plan.Labels, i, i+1)
		m.drop(l.Waypoint())
		return true
	}
	return false
}

// leavesUnbound is whether a need is about a Service or ServiceEntry that the label does not bind.
func (m *maker) leavesUnbound(l Label, n Need) bool {
	o := serviceOf(m.snapshot, n.Target)
	return o != nil && !slices.Contains(l.Binds, o.Ref())
}

func unboundSays(after *mesh.Snapshot, o *mesh.Object, l Label) string {
	at, b := l.Waypoint(), after.Binding(o)
	why := "istiod takes no label there. Bind what the policy names otherwise, or take the policy off it."
	switch {
	case b.Bound:
		why = fmt.Sprintf("another label would bind it to %s. Correct that one.", b.Gateway.Key())
	case b.Reason == mesh.AttachmentDenied:
		why = notAdmitted(after, b.Gateway, o.Namespace)
	case b.Reason == mesh.CrossNamespaceWaypointForbidden:
		why = fmt.Sprintf("meshConfig.serviceEntryVisibility keeps it to its namespace, and so from waypoints of others. Have the profile make one in namespace %s.", o.Namespace)
	case b.Reason != "":
		why = fmt.Sprintf("istiod would give the reason %s. Remove what that comes from.", b.Reason)
	}
	return fmt.Sprintf("%s would not be bound to waypoint %s/%s by a label on %s: %s", o, at.Namespace, at.Name, l.On, why)
}
