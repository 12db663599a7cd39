package plan

import (
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Sequences in which the Services of two namespaces share a waypoint in a third. One of them leaves it while it is in use elsewhere,
// and may come back.

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
	parts := []func() string{m.rest, m.made, m.rest, m.made, m.changes, m.rest, m.parts, m.rest, m.tampered, m.rest, m.parts, m.changes, m.rest, m.leaves}
	for _, part := range parts {
		if why := part(); why != "" {
			return m, why
		}
	}
	return m, m.end()
}

// parts is one namespace that leaves the waypoint which it shares, or comes back.
func (m *model) parts() string {
	ns := []string{"shop", "pay"}[m.rand.IntN(2)]
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
		own := m.setting
		own.Profile.Name, own.Profile.Granularity, own.Profile.SharedNamespace = "own", PerNamespace, ""
		m.note("namespace %s is to have a waypoint of its own", ns)
		m.ask(ns, &own)
	}
	return m.random(40+m.rand.IntN(80), (*model).passing)
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
