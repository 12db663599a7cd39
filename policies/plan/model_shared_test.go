package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Sequences in which the Services of two namespaces share a waypoint in a third. One of them leaves it while it is in use elsewhere,
// and may come back, and the other one does so too meanwhile.

// firstShared is the seed of the first of them.
const firstShared = 1 << 33

// runShared is a sequence of those.
func runShared(seed uint64, mu mutation) (*model, string) {
	m := newModel(seed, mu.order)
	m.spoil = mu.spoil
	m.setting.Profile.Granularity, m.setting.Profile.SharedNamespace = Shared, "edge"
	for range 1 + m.rand.IntN(3) {
		m.writePolicy()
	}
	parts := []func() string{m.rest, m.made, m.rest, m.made, m.changes, m.rest, m.parts, m.rest, m.tampered, m.rest, m.exchanged, m.changes, m.rest, m.leaves}
	for _, part := range parts {
		if why := part(); why != "" {
			return m, why
		}
	}
	return m, m.end()
}

// parts is namespaces that leave the waypoint which they share, or come back, by turns: one, or the next before every proxy knows of the
// last.
func (m *model) parts() string {
	namespaces := []string{"shop", "pay"}
	if m.rand.IntN(2) == 0 {
		slices.Reverse(namespaces)
	}
	turns := 1 + m.rand.IntN(3)
	for i := range turns {
		m.part(namespaces[i%2])
		if i+1 == turns {
			break
		}
		if why := m.underWay(namespaces[i%2]); why != "" {
			return why
		}
	}
	return m.random(40+m.rand.IntN(80), (*model).passing)
}

// exchanged is one namespace that comes back to the waypoint which they share as soon as the other one has left it.
func (m *model) exchanged() string {
	if m.rand.IntN(2) == 0 {
		return m.parts()
	}
	back, away := "shop", "pay"
	if m.rand.IntN(2) == 0 {
		back, away = away, back
	}
	m.leave(back)
	m.ask(away, nil)
	for _, name := range []string{"l7-deny.cart", "l7-deny.ord"} {
		need := m.written(name, 0)
		m.note("a person writes %s", name)
		m.store(refOf(need), need)
	}
	if why := m.rest(); why != "" {
		return why
	}
	m.leave(away)
	if why := m.underWay(away); why != "" {
		return why
	}
	m.note("namespace %s is to share a waypoint again", back)
	m.ask(back, nil)
	return m.random(40+m.rand.IntN(80), (*model).passing)
}

// leave is a profile by which a namespace has a waypoint of its own.
func (m *model) leave(ns string) {
	own := m.setting
	own.Profile.Name, own.Profile.Granularity, own.Profile.SharedNamespace = "own", PerNamespace, ""
	m.note("namespace %s is to have a waypoint of its own", ns)
	m.ask(ns, &own)
}

// underWay lets things happen for a while, or until the labels of a namespace have changed, which not every proxy knows then.
func (m *model) underWay(ns string) string {
	n := 1 + m.rand.IntN(120)
	labels := func() map[string]string { return m.latest().Get(mesh.Namespace, "", ns).Labels }
	for was := labels(); n > 0 && maps.Equal(was, labels()); n-- {
		if m.rand.IntN(8) == 0 && slices.ContainsFunc(m.gateways(), func(gw *mesh.Object) bool { return !m.serves(gw.Key()) || !mesh.Ready(gw) }) {
			m.readies()
		}
		if why := m.random(1, (*model).passing); why != "" {
			return why
		}
	}
	return ""
}

func (m *model) part(ns string) {
	for range m.rand.IntN(4) {
		m.open()
	}
	switch n := m.rand.IntN(4); {
	case n == 0:
		m.unneeded(ns)
	case n == 1:
		m.optOut(services[m.rand.IntN(len(services))])
	case m.settings[ns].Mode == Provision:
		m.note("namespace %s is to share a waypoint again", ns)
		m.ask(ns, nil)
	default:
		m.leave(ns)
	}
}

// unneeded deletes what asks for a waypoint in a namespace.
func (m *model) unneeded(ns string) {
	for _, o := range m.all(mesh.AuthorizationPolicy) {
		if o.Namespace == ns && strings.HasPrefix(o.Name, "l7-") {
			m.note("a person deletes %s", o.Name)
			m.store(refOf(o), nil)
		}
	}
}

// ask is a Guardrail that selects a namespace by itself; nil is none.
func (m *model) ask(ns string, own *Setting) {
	settings := map[string]Setting{}
	for _, of := range slices.DeleteFunc(m.namespaces(), func(of string) bool { return of == ns }) {
		if s, ok := m.settings[of]; ok {
			settings[of] = s
		}
	}
	if own != nil {
		settings[ns] = *own
	}
	m.settings = settings
	clear(m.plans)
}
