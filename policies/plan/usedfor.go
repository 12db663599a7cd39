package plan

import (
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// What a waypoint is for follows its needs. A need that goes is no reason to take it away from who uses it besides: whoever asks for it by a
// label would be called past it, and nobody told.

// usedFor is what a waypoint of ours is to be for: what its needs ask for, and what it is for already and something asks for.
func (m *maker) usedFor(w *Waypoint) string {
	gw := m.stored.Get(mesh.Gateway, w.Namespace, w.Name)
	if !m.managed.Made(gw) {
		return w.For
	}
	if w.For == forServices && mesh.ServesWorkloads(m.stored.TrafficType(gw)) && m.askedByWorkloads(gw) {
		return forAll
	}
	return w.For
}

// askedByWorkloads is whether pods or WorkloadEntries ask for a waypoint, by a label of their own or of their Namespace that is not ours: that
// one is there for Services. What a rollout has left behind asks for nothing.
func (m *maker) askedByWorkloads(gw *mesh.Object) bool {
	return slices.ContainsFunc(m.stored.AskingFor(gw), func(o *mesh.Object) bool {
		switch o.Kind {
		case mesh.Service, mesh.ServiceEntry:
			return false
		case mesh.Namespace:
			_, ours := m.storedLabel(o)
			return !ours && !o.Terminating && m.stored.Runs(o.Name, mesh.ModeAmbient)
		case mesh.ReplicaSet, mesh.Job:
			return m.stored.Maker(o) == nil
		}
		return true
	})
}
