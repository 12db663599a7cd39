package plan

import (
	"fmt"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
)

// choose is the waypoint for a group: an existing one of its namespace, else by the profile's granularity one that exists
// in the shared namespace, or a new one. It is nil, with the reason, where the profile allows none.
func (m *maker) choose(g group, needs []Need) (*Waypoint, string) {
	profile, ns := m.settings.Of(g.namespace).Profile, g.namespace
	best := m.best(ns, ns)
	if best == nil && profile.Granularity == Shared {
		if ns = profile.SharedNamespace; ns == "" {
			return nil, fmt.Sprintf("WaypointProfile %s shares one waypoint and does not say in which namespace. Set spec.sharedNamespace.", nameOf(profile))
		}
		best = m.best(ns, g.namespace)
	}
	var name string
	if best != nil {
		name = best.Name
	} else {
		if why := m.makesNone(g.namespace, ns); why != "" {
			return nil, why
		}
		name = m.newName(g, ns)
	}
	w := m.holding(ns, name, profile.GatewayClassName)
	m.makeFor(w, g.namespace)
	for _, n := range needs {
		if n.Target.Kind != mesh.Gateway.String() {
			w.take(n, m.traffic(n), g.namespace)
		}
	}
	return w, ""
}

// makesNone says why the profile of a namespace cannot have a waypoint made in namespace ns; "" where it can.
func (m *maker) makesNone(from, ns string) string {
	setting := m.settings.Of(from)
	profile := setting.Profile
	switch class, _ := m.snapshot.ClassNamed(profile.GatewayClassName); {
	case from != ns && m.snapshot.Whole() && !m.snapshot.Known(ns):
		return fmt.Sprintf("WaypointProfile %s shares a waypoint in namespace %s, which does not exist. Make the namespace.", nameOf(profile), ns)
	case class != mesh.ClassWaypoint:
		return fmt.Sprintf("GatewayClass %s of WaypointProfile %s is not one of Istio's own waypoints (%s), and nothing is planned onto others. Use istio-waypoint.",
			profile.GatewayClassName, nameOf(profile), class)
	case from != ns && setting.Mode == Provision && m.settings.Of(ns).Mode == Require:
		return fmt.Sprintf("WaypointProfile %s shares a waypoint in namespace %s, where none is made: a Guardrail with mode Require selects that. Make one there that lets namespace %s attach, or have no Guardrail require them there.", nameOf(profile), ns, from)
	}
	return ""
}

// newName is the name of a new waypoint for a group, in namespace ns.
func (m *maker) newName(g group, ns string) string {
	stem := defaultName
	switch profile := m.settings.Of(g.namespace).Profile; {
	case profile.Granularity == Shared:
		stem = m.sharedStem(profile, ns)
	case g.name != "":
		stem = nameAfter(g.name)
	}
	return freeName(m.snapshot, ns, stem)
}

// sharedStem is what a waypoint is called that a profile shares in namespace ns. Of several profiles each has its own, so that none is
// made by the parameters of another: the one that is called as one of that namespace itself would be is that of the profile default, as
// long as that namespace has none of its own by another.
func (m *maker) sharedStem(profile Profile, ns string) string {
	const usual = v1alpha1.DefaultProfile
	own := m.settings.Of(ns).Profile
	if nameOf(profile) == usual && (nameOf(own) == usual || own.Granularity != PerNamespace) {
		return defaultName
	}
	return named(defaultName+"-", nameOf(profile), "")
}

// makeFor has a waypoint made for a namespace with something that is to be bound to it, by its profile where that shares it. It is made
// if one of those that share it has waypoints made. That the namespace in which it is does, and needs none, is not enough.
func (m *maker) makeFor(w *Waypoint, from string) {
	if w.Existing {
		return
	}
	setting := m.settings.Of(from)
	if setting.Mode == Provision || len(w.Needs) == 0 && m.stored.Get(mesh.Gateway, w.Namespace, w.Name) == nil {
		w.mode = setting.Mode
	}
	if m.shares(from, w.Namespace) {
		w.profile = setting.Profile
	}
}

// best is the waypoint of namespace ns to use for objects of namespace from: one that serves something, one that is
// ready, one of the usual name; nil where there is none.
func (m *maker) best(ns, from string) *mesh.Object {
	var best *mesh.Object
	for _, gw := range m.snapshot.List(mesh.Gateway, ns) {
		if gw.Terminating || !usable(m.snapshot, gw) || !mesh.ServesServices(m.snapshot.TrafficType(gw)) || ns != from && !m.admits(gw, from) {
			continue
		}
		if best == nil || m.rank(gw) > m.rank(best) {
			best = gw
		}
	}
	return best
}

// admits is whether a waypoint lets objects of another namespace attach.
func (m *maker) admits(gw *mesh.Object, from string) bool {
	l := m.snapshot.AttachmentListener(gw)
	return l != nil && m.snapshot.ListenerAdmits(l, gw.Namespace, from)
}

func (m *maker) rank(gw *mesh.Object) int {
	rank := 0
	if len(m.snapshot.BoundTo(gw)) > 0 {
		rank += 4
	}
	if mesh.Ready(gw) {
		rank += 2
	}
	if gw.Name == defaultName {
		rank++
	}
	return rank
}
