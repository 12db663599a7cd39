package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// mutation is in what a sequence differs from ours: in the order, or in what is planned. The zero value is ours.
type mutation struct {
	order *tables
	spoil func(*Plan, *mesh.Snapshot)
}

// run is one sequence of random events. It says what went wrong, "" if nothing did. A third of them are of anything at all;
// the others are the life of a waypoint, which chance alone rarely gets through: made beside policies that are there, changed,
// no longer needed, while proxies lag and connections are open.
func run(seed uint64, mu mutation) (*model, string) {
	switch {
	case seed >= firstShared:
		return runShared(seed, mu)
	case seed >= firstMove:
		return runMove(seed, mu)
	}
	m := newModel(seed, mu.order)
	m.spoil = mu.spoil
	var why string
	if seed%3 == 0 {
		why = m.random(20+m.rand.IntN(60), (*model).act)
	} else {
		why = m.life()
	}
	if why != "" {
		return m, why
	}
	return m, m.end()
}

// random lets n things happen.
func (m *model) random(n int, happen func(*model)) string {
	for range n {
		happen(m)
		if why := m.complain(); why != "" {
			return why
		}
	}
	return ""
}

// end is nobody doing anything more.
func (m *model) end() string {
	m.live = nil
	if !m.settle() {
		return "it does not come to rest:\n" + m.describeProgress()
	}
	m.atRest()
	if m.contrary {
		if why := cmp.Or(m.complain(), m.accepted()); why != "" {
			return why
		}
		m.atRest()
	}
	if why := m.complain(); why != "" {
		return why
	}
	if why := cmp.Or(m.roundGuards(), m.unguarded()); why != "" {
		return why
	}
	return m.unfinished()
}

func (m *model) life() string {
	for range 1 + m.rand.IntN(3) {
		m.writePolicy()
	}
	for _, part := range []func() string{m.rest, m.made, m.changes, m.rest, m.tampered, m.rest, m.moved, m.rest, m.optsOut, m.rest, m.leaves} {
		if why := part(); why != "" {
			return why
		}
	}
	return ""
}

// rest lets everything come to rest.
func (m *model) rest() string {
	m.drift(true)
	if !m.settle() {
		return "it does not come to rest:\n" + m.describeProgress()
	}
	m.atRest()
	if why := m.complain(); why != "" {
		return why
	}
	return cmp.Or(m.roundGuards(), m.unguarded())
}

// made is a need that comes up.
func (m *model) made() string {
	need := m.written(names[m.rand.IntN(4)], 0)
	m.note("a person writes %s", need.Name)
	m.store(refOf(need), need)
	return m.random(20+m.rand.IntN(40), (*model).proceed)
}

// changes are of policies while that is under way.
func (m *model) changes() string {
	if m.rand.IntN(2) == 0 {
		return ""
	}
	m.writePolicy()
	return m.random(20, (*model).proceed)
}

// tampered is a person who deletes what is ours, in an order in which nobody gets in: first what lets the waypoint in. How it is
// repaired is another matter.
func (m *model) tampered() string {
	if m.rand.IntN(3) > 0 {
		return ""
	}
	closed := map[string]bool{}
	for _, role := range []Role{Admission, Twin} {
		for _, o := range m.all(mesh.AuthorizationPolicy) {
			if of := o.Annotations[ForAnnotation]; Role(o.Annotations[RoleAnnotation]) == role && (role == Admission || closed[of]) {
				m.note("a person deletes %s", o.Name)
				m.store(refOf(o), nil)
				_, svc, _ := cutKey(of)
				m.told[svc] = true
				closed[of] = closed[of] || m.keepsOut(o.Annotations[WaypointAnnotation], of)
			}
		}
		m.drift(true)
	}
	return m.random(40, (*model).proceed)
}

// keepsOut is whether a waypoint gets to no pod of a Service, both as "namespace/name".
func (m *model) keepsOut(waypoint, service string) bool {
	return !slices.ContainsFunc(m.apps, func(p pod) bool {
		return p.namespace+"/"+p.app == service && atZtunnel(m.states[len(m.states)-1].all, p, identityOf(waypoint))
	})
}

// moved is a profile that asks for other waypoints, so that what is bound moves.
func (m *model) moved() string {
	if m.rand.IntN(3) > 0 {
		return ""
	}
	to := PerService
	if m.setting.Profile.Granularity == PerService {
		to = PerNamespace
	}
	m.note("the profile asks for a waypoint for each %s", to)
	m.setting.Profile.Granularity = to
	clear(m.plans)
	for range m.rand.IntN(4) {
		m.open()
	}
	return m.random(80, (*model).proceed)
}

// optsOut is one Service leaving a waypoint that others need.
func (m *model) optsOut() string {
	if m.rand.IntN(3) > 0 {
		return ""
	}
	m.optOut(services[m.rand.IntN(len(services))])
	return m.random(40, (*model).proceed)
}

// leaves is the last need going, and with it the waypoint.
func (m *model) leaves() string {
	if m.rand.IntN(4) == 0 {
		for _, svc := range services {
			m.optOut(svc)
		}
	}
	for _, o := range m.all(mesh.AuthorizationPolicy) {
		if strings.HasPrefix(o.Name, "l7-") {
			m.note("a person deletes %s", o.Name)
			m.store(refOf(o), nil)
		}
	}
	if m.rand.IntN(4) == 0 {
		m.writePolicy()
	}
	for range m.rand.IntN(4) {
		m.open()
	}
	if why := m.random(40, (*model).proceed); why != "" {
		return why
	}
	m.tick(90e9)
	return m.random(60, (*model).proceed)
}

// proceed is one thing that happens when people do nothing.
func (m *model) proceed() {
	m.startOrStop()
	switch n := m.rand.IntN(100); {
	case n < 50:
		m.drift(false)
	case n < 56:
		m.open()
	case n < 59:
		m.close()
	case n < 60:
		m.control(true)
	case n < 62:
		m.readies()
	default:
		m.seen = len(m.states) - 1
		m.control(false)
	}
}

// unfinished says what is not as it should be at rest.
func (m *model) unfinished() string {
	w := m.world(len(m.states) - 1)
	p := Next(w)
	if slices.ContainsFunc(p, func(c Course) bool { return len(c.Stopped) > 0 }) || len(w.Plan.Blocked) > 0 {
		return "" // somebody has to decide, and is told
	}
	for _, l := range w.Plan.Labels {
		for _, svc := range l.Binds {
			if at := l.Waypoint(); m.states[len(m.states)-1].bound[svc.Name] != at.Namespace+"/"+at.Name {
				return svc.String() + " is not bound"
			}
		}
	}
	for _, svc := range services {
		if c, ok := m.states[len(m.states)-1].canaries[svc]; ok {
			return svc + " has canary " + c.waypoint + " still"
		}
	}
	if len(w.Plan.Waypoints) == 0 {
		for ref := range m.managed {
			return ref.String() + " is left"
		}
		if gws := m.gateways(); len(gws) > 0 {
			return gws[0].String() + " is left"
		}
	}
	return ""
}
