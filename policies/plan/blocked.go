package plan

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A need that is blocked waits for somebody to decide. Whose owner agreed that it is closed while it waits for its waypoint is closed for as
// long as that takes, and it is said why. Without agreement nothing is: for how long it would be, nobody can tell.

// holdBlocked adds the holds of Services that have no place in the plan, because a need of theirs is blocked. A hold lets in the waypoint
// that each would have by itself.
func (m *maker) holdBlocked() {
	m.left = m.leftWaypoints()
	for _, b := range m.plan.Blocked {
		svc := serviceOf(m.stored, b.Target)
		if svc == nil || !m.holdsBlocked(svc) || slices.ContainsFunc(m.plan.Policies, func(p Policy) bool { return p.Role == Guarding && p.For[0] == refOf(svc) }) {
			continue
		}
		h := m.hypotheses.of(b.Target)
		if h == nil {
			continue
		}
		setting, bound := m.settings.Of(svc.Namespace), find(h.snapshot, refOf(svc))
		p := m.guard(h.snapshot, bound, agreedHold, setting.Exceptions)
		p.Temporary, p.Held = setting.Bypass != Guard, agreedHold
		if why := closes(m.ways(h.snapshot, bound), bound, p, setting.Exceptions); why != "" {
			m.plan.Notices = append(m.plan.Notices, Notice{svc.Ref(), ClassGuard, "it is not held: " + why})
			continue
		}
		m.plan.Policies = append(m.plan.Policies, p)
		m.plan.Notices = append(m.plan.Notices, Notice{svc.Ref(), ClassShut, fmt.Sprintf("nobody gets in to it until somebody decides: its owner agreed that it is closed while it waits for a waypoint (%s), and what %s needs is blocked. %s", HoldAnnotation, b.Policy, b.Why)})
	}
	sortPolicies(m.plan.Policies)
}

// holdsBlocked is whether a Service may be held though nothing is planned for it: its owner agreed, and it has no waypoint, and asks for none,
// or by a label of somebody else's for one that is not ready.
func (m *maker) holdsBlocked(svc *mesh.Object) bool {
	setting := m.settings.Of(svc.Namespace)
	spec, ok := svc.Spec.(*mesh.ServiceSpec)
	if !ok || len(spec.Selector) == 0 || !setting.provides() || setting.Pending != Guard || svc.Annotations[HoldAnnotation] == "" {
		return false
	}
	b, theirs := m.stored.Binding(svc), m.snapshot.Binding(find(m.snapshot, refOf(svc)))
	return b.Opt == mesh.AsksNothing ||
		b.Opt == mesh.Asks && b.Reason == mesh.WaypointIsNotReady && theirs.Opt == mesh.Asks && theirs.Namespace == b.Namespace && theirs.Name == b.Name
}

// holds is whether a policy of ours is a hold of what nothing is bound to: it outlasts the waypoint for which it was set.
func (c *course) holds(o *mesh.Object) bool {
	return slices.ContainsFunc(c.policies, func(p Policy) bool { return p.Ref() == refOf(o) && p.Held != "" && c.waits(p.For[0]) })
}
