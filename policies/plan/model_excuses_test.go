package plan

import (
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// What a call may be stopped for though everything allows it: what is not ours, and what people were told. Each excuse is for the
// calls that it explains, and for no others.

// excused is whether a call is stopped for such a reason.
func (m *model) excused(c client, p pod, method, answer string, by way) bool {
	switch {
	case answer == refused && by.pod != nil:
		return m.onePush(c, p.app, by)
	case answer == refused: // a person has bound it, or it has served since it was bound, and its pods have gone since
		return m.broke[p.app] || m.served[by.waypoint].After(m.labelled[p.app+" "+by.waypoint])
	case by.pod != nil && !atWaypoint(m.states[by.pod.policies].all, p.app, by.waypoint, c.principal(), method):
		return false // what we say at a waypoint stops nobody whom people let in
	}
	if by.waypoint != "" && (m.broke[p.app] || m.told[p.app] || m.warned(p) || m.blocked(p)) {
		return true
	}
	guard := m.broke[p.app] || m.held(p) || by.waypoint == "" && m.guardStays(p)
	return m.openBut(map[Role]bool{Guarding: guard}, c, p, by) ||
		m.openBut(map[Role]bool{Guarding: guard, Admission: true}, c, p, by) && (m.shut[p.app] || m.lastAllow(p))
}

// openBut is whether pods would let in who comes there, if it were not for what is ours with some roles.
func (m *model) openBut(roles map[Role]bool, c client, p pod, by way) bool {
	who := c.principal()
	if by.waypoint != "" {
		who = identityOf(by.waypoint)
	}
	return atZtunnel(slices.DeleteFunc(slices.Clone(m.states[m.nodes[p.node].policies].all), func(o *mesh.Object) bool {
		return roles[Role(o.Annotations[RoleAnnotation])]
	}), p, who)
}

// onePush is whether no more than one change of what serves a Service lies between a ztunnel and a pod of a waypoint: the one push
// in which either knows of it before the other. Nobody can have both know at once; who changes it again before both do stops calls
// for longer.
func (m *model) onePush(c client, service string, by way) bool {
	a, b := m.nodes[c.node].versions, by.pod.versions
	rest, gateways := max(a.rest, b.rest), min(a.gateways, b.gateways)
	changes := 0
	for i := min(a.rest, b.rest); i < rest; i++ {
		if m.pair(i, gateways).serves(service, by.waypoint) != m.pair(i+1, gateways).serves(service, by.waypoint) {
			changes++
		}
	}
	for i := gateways; i < max(a.gateways, b.gateways); i++ {
		if m.pair(rest, i).serves(service, by.waypoint) != m.pair(rest, i+1).serves(service, by.waypoint) {
			changes++
		}
	}
	return changes <= 1
}

// held is whether a ztunnel knows a guard that closes pods until their waypoint serves: people agreed to that, or nobody was served.
func (m *model) held(p pod) bool {
	return m.closed[p.app] && slices.ContainsFunc(m.states[m.nodes[p.node].policies].all, func(o *mesh.Object) bool {
		return o.Name == guardName(p.app) && o.Annotations[HeldAnnotation] != ""
	})
}

// guardStays is whether a guard is there still that the API server does not let us remove, of which people are told.
func (m *model) guardStays(p pod) bool {
	t, refused := m.tries[guardOf(RefOf(mesh.Service, p.namespace, p.app))]
	return refused && t.deletes
}

// lastAllow is whether an ALLOW of ours stays over pods as the last one, and that is said of it now.
func (m *model) lastAllow(p pod) bool {
	for _, c := range Next(m.world(len(m.states) - 1)) {
		if slices.ContainsFunc(c.Stopped, func(s Stop) bool {
			o := find(m.latest(), s.Object)
			return s.Row == RemoveAdmit && o != nil && over(o, p)
		}) {
			return true
		}
	}
	return false
}

// blocked is whether the plan says now that something is in the way of a Service.
func (m *model) blocked(p pod) bool {
	return slices.ContainsFunc(m.world(len(m.states)-1).Plan.Blocked, func(b Blocked) bool { return b.Target.Name == p.app })
}

// over is whether a policy without targetRefs is over pods.
func over(o *mesh.Object, p pod) bool {
	spec := o.Spec.(*mesh.AuthorizationPolicySpec)
	return o.Namespace == p.namespace && len(spec.TargetRefs) == 0 && (spec.Selector == nil || spec.Selector.MatchLabels["app"] == p.app)
}

// warned is whether a person has written, since the last rest, what shuts a waypoint out at the ztunnel of some pods. Admission warns of
// that: for what is bound already there is an outage until we have let the waypoint in.
func (m *model) warned(p pod) bool {
	shuts := func(own []*mesh.Object) []*mesh.Object {
		return slices.DeleteFunc(slices.Clone(own), func(o *mesh.Object) bool {
			return !over(o, p) || o.Spec.(*mesh.AuthorizationPolicySpec).Action == policies.Deny && !strings.HasPrefix(o.Name, "except")
		})
	}
	calm := shuts(m.states[m.calm[p.app]].people)
	return slices.ContainsFunc(m.since(p.app), func(st *state) bool { return !slices.Equal(calm, shuts(st.people)) })
}

// tooLate is whether what people said when a Service left a waypoint lets a connection through that is open there since: a policy on
// clients that is written later does not reach it.
func (m *model) tooLate(c connection, method string) bool {
	last := len(m.states) - 1
	i := last
	for i >= 0 && !m.states[i].serves(c.service, c.waypoint) {
		i--
	}
	return i >= 0 && i < last && atZtunnel(m.states[i].people, c.to, c.client.principal()) &&
		atWaypoint(m.states[i].people, c.service, placeOf(c.waypoint), c.client.principal(), method)
}

// byPerson is whether a person has bound the Service to a waypoint, and so answers for what ztunnel sees of its clients.
func (m *model) byPerson(service string) bool {
	return slices.ContainsFunc(m.states[m.calm[service]:], func(st state) bool {
		o := st.snapshot.Get(mesh.Service, m.home(service), service)
		name := o.Labels[label.IoIstioUseWaypoint.Name]
		return name != "" && name != "none" && o.Annotations[ProfileAnnotation] == ""
	})
}
