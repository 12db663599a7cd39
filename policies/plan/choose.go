package plan

import (
	"fmt"

	"github.com/waywarden/waywarden/policies/mesh"
)

// choose is the waypoint for a group: an existing one of its namespace, else by the profile's granularity one that exists
// in the shared namespace, or a new one. It is nil, with the reason, where the profile allows none.
func (m *maker) choose(g group, needs []Need) (*Waypoint, string) {
	profile := m.settings.Of(g.namespace).Profile
	ns, name := g.namespace, ""
	if best := m.best(g.namespace, g.namespace); best != nil {
		name = best.Name
	} else if profile.Granularity == Shared {
		ns = profile.SharedNamespace
		switch {
		case ns == "":
			return nil, fmt.Sprintf("WaypointProfile %s shares one waypoint and does not say in which namespace. Set spec.sharedNamespace.", profile.Name)
		case m.snapshot.Whole() && !m.snapshot.Known(ns):
			return nil, fmt.Sprintf("WaypointProfile %s shares a waypoint in namespace %s, which does not exist. Make the namespace.", profile.Name, ns)
		}
		if best := m.best(ns, g.namespace); best != nil {
			name = best.Name
		}
	}
	if name == "" {
		if class, _ := m.snapshot.ClassNamed(profile.GatewayClassName); class != mesh.ClassWaypoint {
			return nil, fmt.Sprintf("GatewayClass %s of WaypointProfile %s is not one of Istio's own waypoints (%s), and nothing is planned onto others. Use istio-waypoint.",
				profile.GatewayClassName, profile.Name, class)
		}
		stem := defaultName
		if g.name != "" {
			stem = nameAfter(g.name)
		}
		name = freeName(m.snapshot, ns, stem)
	}
	w := m.holding(ns, name, profile.GatewayClassName)
	if w.Namespace != g.namespace && !w.Existing {
		w.profile, w.mode = profile, stricter(w.mode, m.settings.Of(g.namespace).Mode)
	}
	for _, n := range needs {
		if n.Target.Kind != mesh.Gateway.String() {
			w.take(n, m.traffic(n), g.namespace)
		}
	}
	return w, ""
}

// stricter is the mode of a waypoint that several namespaces share: it is made if one of them has it made.
func stricter(a, b Mode) Mode {
	if a == Provision || b == Provision {
		return Provision
	}
	return a
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
