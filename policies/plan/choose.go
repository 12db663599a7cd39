package plan

import (
	"fmt"
	"slices"

	"istio.io/api/label"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
)

// choose is the waypoint for a group: an existing one of its namespace, else by the profile's granularity one that exists
// in the shared namespace, or a new one. It is nil, with the reason, where the profile allows none.
func (m *maker) choose(g group, needs []Need) (*Waypoint, string) {
	profile, ns := m.settings.Of(g.namespace).Profile, g.namespace
	best := m.best(ns, ns)
	if best == nil && profile.Missing {
		return nil, noneBy(profile)
	}
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
// ready, one of the usual name; nil where there is none that fits.
func (m *maker) best(ns, from string) *mesh.Object {
	var best *mesh.Object
	for _, gw := range m.snapshot.List(mesh.Gateway, ns) {
		if gw.Terminating || !fits(m.snapshot, gw) || !mesh.ServesServices(m.snapshot.TrafficType(gw)) || ns != from && !m.admits(gw, from) {
			continue
		}
		if best == nil || m.rank(gw) > m.rank(best) {
			best = gw
		}
	}
	return best
}

// fits is whether a Gateway of somebody else's is one to plan onto: a waypoint of Istio's own that serves at all, and not one for another
// control plane, which takes policies and parameters by itself.
func fits(s *mesh.Snapshot, gw *mesh.Object) bool {
	return usable(s, gw) && listensAsWaypoint(gw) && !ofAnother(s, gw) && (mesh.Ready(gw) || len(validation.IsDNS1035Label(gw.Name)) == 0)
}

// ofAnother is whether another control plane than one in the input runs a Gateway: istiod takes the label istio.io/rev of a Gateway for a
// tag too (pkg/revisions/tag_watcher.go).
func ofAnother(s *mesh.Snapshot, gw *mesh.Object) bool {
	if !s.OtherRevision(gw) {
		return false
	}
	tags := slices.Concat(s.List(mesh.Service, s.RootNamespace()), s.List(mesh.MutatingWebhookConfiguration, ""))
	return !slices.ContainsFunc(tags, func(o *mesh.Object) bool {
		_, serves := s.Revision(o.Labels[label.IoIstioRev.Name])
		return serves && o.Labels[label.IoIstioTag.Name] == gw.Labels[label.IoIstioRev.Name]
	})
}

// oneListener says why a Gateway is not served, and what to do.
const oneListener = "it has not the one listener with which istiod serves a waypoint. Give it one of protocol HBONE on port 15008, and no other."

// listensAsWaypoint is whether a Gateway has the one listener with which istiod accepts a waypoint (config/kube/gateway/conversion.go
// unexpectedWaypointListener). With another one it can get an address too, and then what is bound to it is cut off: ztunnel always
// connects to port 15008.
func listensAsWaypoint(gw *mesh.Object) bool {
	listeners := gw.Spec.(*mesh.GatewayBody).Spec.Listeners
	return len(listeners) == 1 && listeners[0].Protocol == "HBONE" && listeners[0].Port == 15008
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
