package plan

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// spared notes a step of ours that takes away a policy which the mesh, as it is or as we have seen it, shows to stand for something:
// admission would refuse it.
func (m *model) spared(s Step, stored *mesh.Object) {
	if !m.asked || m.spoil != nil || s.Action != Delete || stored == nil || !slices.Contains(copiedKinds, stored.Kind) {
		return
	}
	for _, known := range []*mesh.Snapshot{m.latest(), m.states[m.seen].snapshot} {
		if st, ok := StandsFor(policies.NewView(known), stored); ok && st.Sure {
			m.lets = fmt.Sprintf("%s %s (%s) is refused: it stands for %s at %s", s.Row, s.Object, s.Why, listed(st.Of), st.On)
		}
	}
}

// standing notes a policy of ours that is at rest as it was planned, beside what is bound, and of which the mesh does not show that it
// stands so.
func (m *model) standing(p *Plan) {
	if !m.asked || m.spoil != nil {
		return
	}
	s := m.latest()
	for i := range p.Policies {
		planned := &p.Policies[i]
		stored := find(s, planned.Ref())
		if planned.Role == Guarding || stored == nil || len(planned.For) == 0 || !applied(stored, sealed(planned.Manifest)) {
			continue
		}
		b := s.Binding(find(s, planned.For[0]))
		elsewhere := b.Bound && refOf(b.Gateway) != planned.Waypoint
		if !b.Bound || elsewhere && planned.Role != Twin {
			continue // it is for what is to come, or for what its Service has left
		}
		st, ok := StandsFor(policies.NewView(s), stored)
		if ok && elsewhere { // what it is to move to has not taken it over yet
			stored = decode(noted(stored.Content(), WaypointAnnotation, st.Waypoint.Namespace+"/"+st.Waypoint.Name))
		}
		if !ok || !st.Sure && marks(find(s, planned.Waypoint)) || !slices.ContainsFunc(st.forms, func(form *mesh.Object) bool { return asGood(form, stored) }) {
			m.lets = fmt.Sprintf("%s is not taken to stand as it is planned: %v, %s", stored, ok, listed(st.Of))
		}
	}
}
