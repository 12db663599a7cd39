package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// complain says what is wrong now: a call that is let through and that nothing since the last rest allowed, one that is
// stopped and that everything since allowed, or a connection that we cut. It is "" where nothing is.
func (m *model) complain() string {
	if m.lets != "" {
		return m.lets
	}
	for _, p := range m.apps {
		for _, c := range clients {
			for _, method := range methods {
				for _, by := range m.ways(c, p.app) {
					answer := m.call(c, p.app, method, p, by)
					switch {
					case answer == through && !m.allowed(c, p, method, by):
						return fmt.Sprintf("%s may %s %s on %s by waypoint %q, and nothing allowed it", c.name, method, p.app, p.node, by.waypoint)
					case answer != through && m.answers(m.latest(), p.app) && m.promised(c, p, method) && !m.excused(c, p, method, answer, by):
						return fmt.Sprintf("%s may not %s %s on %s by waypoint %q (%s), and everything allowed it", c.name, method, p.app, p.node, by.waypoint, answer)
					}
				}
			}
		}
	}
	return m.cut()
}

// since are the states that somebody may still act on, from the last rest on; of those that are alike for people one.
func (m *model) since(service string) []*state {
	calm := m.calm[service]
	out := []*state{&m.states[calm]}
	for i := calm + 1; i < len(m.states); i++ {
		if last := out[len(out)-1]; len(last.people) != len(m.states[i].people) || !slices.Equal(last.people, m.states[i].people) {
			out = append(out, &m.states[i])
		}
	}
	return out
}

// allowed is whether any of those states allows a call.
func (m *model) allowed(c client, p pod, method string, by way) bool {
	// A person who binds a Service himself answers for what its pods see of its clients.
	unseen := by.waypoint != "" && m.byPerson(p.app)
	// What was enforced at the waypoint stays so, unless a person has seen to that.
	served := m.states[m.calm[p.app]].bound[p.app]
	open := served == "" || m.broke[p.app] && by.waypoint != served
	atPods, behind := false, false
	for _, st := range m.since(p.app) {
		in := unseen || atZtunnel(st.people, p, c.principal()) || m.opened(st, c, p, method)
		passes := open || atWaypoint(st.people, p.app, placeOf(served), c.principal(), method)
		if in && passes {
			return true
		}
		atPods, behind = atPods || in, behind || passes
	}
	// What is said of clients is said later than the rest where the API server refuses that.
	return (m.unsaid(p.app) || m.late[p.app]) && atPods && behind
}

// opened is whether an ALLOW at the Service lets a call in though no ALLOW at the pods does: where those let in nobody, and so
// only say that others decide; and where it has been written since the last rest, because ALLOWs add up and its complement takes
// its time.
func (m *model) opened(st *state, c client, p pod, method string) bool {
	name := "l7-allow." + p.app
	if !has(st.people, name) || method != "GET" || deniedAtPods(st.people, p, c.principal()) {
		return false
	}
	anew := slices.ContainsFunc(m.since(p.app), func(st *state) bool { return !has(st.people, name) })
	return anew || !rulesAtPods(st.people, p)
}

func has(own []*mesh.Object, name string) bool {
	return slices.ContainsFunc(own, func(o *mesh.Object) bool { return o.Name == name })
}

func deniedAtPods(own []*mesh.Object, p pod, principal string) bool {
	return !atZtunnel(slices.DeleteFunc(slices.Clone(own), func(o *mesh.Object) bool {
		return o.Spec.(*mesh.AuthorizationPolicySpec).Action != policies.Deny
	}), p, principal)
}

// rulesAtPods is whether an ALLOW of people over the pods has a rule.
func rulesAtPods(own []*mesh.Object, p pod) bool {
	return slices.ContainsFunc(own, func(o *mesh.Object) bool {
		return strings.HasPrefix(o.Name, "allow") && over(o, p)
	})
}

// letsIn notes a step of ours that lets clients in who were kept out, and whom people keep out, once everybody knows of it: at the
// pods, or by whatever way their calls take. Removing a guard lets people round a waypoint; it is what a guard is for. A copy goes with
// what it repeats, and whoever took that away let them in.
func (m *model) letsIn(s Step, was, is *state) {
	if s.Row == RemoveGuard || repeatsNothing(was.all, s.Object) {
		return
	}
	for _, p := range m.apps {
		for _, c := range clients {
			ownWay := s.Action == Delete && !atZtunnel(was.all, p, c.principal()) && atZtunnel(is.all, p, c.principal())
			for _, method := range methods {
				if ownWay || !was.lets(c, p, method) && is.lets(c, p, method) && !m.allowedBy(is, c, p, method) && !m.allowedBy(&m.states[m.seen], c, p, method) {
					m.lets = fmt.Sprintf("%s %s lets %s in to %s, with %s", s.Row, s.Object, c.name, p.app, method)
				}
			}
		}
	}
}

// repeatsNothing is whether a policy is a copy of one that is not there any more.
func repeatsNothing(all []*mesh.Object, ref mesh.Ref) bool {
	i := slices.IndexFunc(all, func(o *mesh.Object) bool { return refOf(o) == ref })
	return i >= 0 && Role(all[i].Annotations[RoleAnnotation]) == Copy &&
		!slices.ContainsFunc(all, func(o *mesh.Object) bool { return o.Key() == all[i].Annotations[OfAnnotation] })
}

// lets is whether a call gets in by any way that there is, where all proxies know what is stored.
func (st *state) lets(c client, p pod, method string) bool {
	ways := st.waypointsOf(p.app)
	for _, gw := range ways {
		if atWaypoint(st.all, p.app, gw, c.principal(), method) && atZtunnel(st.all, p, identityOf(gw)) {
			return true
		}
	}
	return len(ways) == 0 && atZtunnel(st.all, p, c.principal())
}

// allowedBy is whether what people say in a state allows a call.
func (m *model) allowedBy(st *state, c client, p pod, method string) bool {
	return atZtunnel(st.people, p, c.principal()) && atWaypoint(st.people, p.app, theirs, c.principal(), method) || m.opened(st, c, p, method)
}

// shutsOut notes a step of ours that unbinds a Service while a policy of ours keeps clients from its pods whom people let in.
func (m *model) shutsOut(s Step, was *state) {
	is := &m.states[len(m.states)-1]
	for _, p := range m.apps {
		if was.bound[p.app] == "" || is.bound[p.app] != "" {
			continue
		}
		for _, c := range clients {
			if atZtunnel(is.people, p, c.principal()) && !atZtunnel(is.all, p, c.principal()) {
				m.lets = fmt.Sprintf("%s %s shuts %s out of %s", s.Row, s.Object, c.name, p.app)
			}
		}
	}
}

// closes notes a step of ours that closes a Service for the time being, and one that closes a Service that somebody serves, or for which
// no policy waits.
func (m *model) closes(s Step) {
	if s.Row != Hold {
		return
	}
	_, svc, _ := cutKey(decode(s.Manifest).Annotations[ForAnnotation])
	m.closed[svc] = true
	if m.guardAt(svc) == nil && m.answers(m.latest(), svc) && m.answers(m.states[m.seen].snapshot, svc) {
		m.lets = svc + " is closed, and has an endpoint that is ready"
	}
	if people := m.states[m.seen].people; !has(people, "l7-deny."+svc) && !has(people, "l7-allow."+svc) {
		m.lets = svc + " is closed, and no policy waits for its waypoint"
	}
}

// unseenGone notes a step of ours that takes away what nothing seems to need while something may be there that is not seen.
func (m *model) unseenGone(s Step) {
	if m.unseen != "" && slices.Contains([]Row{RemoveGateway, RemoveAdmit, RemoveTwin}, s.Row) {
		m.lets = fmt.Sprintf("%s %s while something may be there that is not seen", s.Row, s.Object)
	}
}

// promised is whether all of those states allow a call, at the pods and at the waypoint.
func (m *model) promised(c client, p pod, method string) bool {
	for _, st := range m.since(p.app) {
		if !atZtunnel(st.people, p, c.principal()) || !atWaypoint(st.people, p.app, theirs, c.principal(), method) {
			return false
		}
	}
	return true
}

// cut drops the connections that ztunnel cuts, and complains of one that should have stayed.
func (m *model) cut() string {
	complaint := ""
	m.live = slices.DeleteFunc(m.live, func(c connection) bool {
		if c.waypoint == "" {
			return false // as long as nothing selects its namespace it stays
		}
		dst, known := m.states[m.nodes[c.to.node].policies].all, m.states[c.pod.policies].all
		open := atZtunnel(dst, c.to, identityOf(c.waypoint))
		for _, method := range methods {
			if open && !c.parted && atWaypoint(known, c.service, c.waypoint, c.client.principal(), method) && !m.allowed(c.client, c.to, method, c.way) && !m.tooLate(c, method) {
				complaint = fmt.Sprintf("%s may %s %s by a connection that is open, and nothing allowed it", c.client.name, method, c.service)
			}
		}
		down := len(m.pods[c.waypoint]) == 0
		gone := down || !open
		if gone && complaint == "" && !m.timed[c.waypoint] && m.promised(c.client, c.to, "GET") && (down || !m.excused(c.client, c.to, "GET", denied, c.way)) {
			complaint = fmt.Sprintf("the connection of %s to %s by waypoint %s is cut, and everything allowed it", c.client.name, c.service, c.waypoint)
		}
		return gone
	})
	m.lets = cmp.Or(m.lets, complaint) // a connection is cut once, and not found again
	return complaint
}

// roundGuards says who gets round a waypoint at rest though a guard is there, or is shut out though it is an exception.
func (m *model) roundGuards() string {
	st := &m.states[len(m.states)-1]
	unguarded := slices.DeleteFunc(slices.Clone(st.all), func(o *mesh.Object) bool { return Role(o.Annotations[RoleAnnotation]) == Guarding })
	for _, p := range m.apps {
		if m.unsaid(p.app) || !slices.ContainsFunc(st.all, func(o *mesh.Object) bool { return o.Name == guardName(p.app) }) {
			continue
		}
		for _, c := range clients {
			in, without := atZtunnel(st.all, p, c.principal()), atZtunnel(unguarded, p, c.principal())
			exception := len(m.setting.Exceptions) > 0 && c == insider
			switch {
			case in && !exception:
				return fmt.Sprintf("%s gets round the waypoint to %s, and a guard is there", c.name, p.app)
			case exception && in != without:
				return fmt.Sprintf("%s is an exception, and the guard of %s shuts it out", c.name, p.app)
			}
		}
	}
	return ""
}
