package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"istio.io/api/label"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A place is what a waypoint is for: a namespace, or a Service. Who holds it can change: because somebody asks for another waypoint
// (MigrateAnnotation), or because the profile asks for another class. A Gateway is never made anew under its own name, and never
// changes its class: its address would go, and with it all that is bound. So the next holder has another name, and keeps the names
// of those before it (PlaceAnnotation), by which the place is found when they are gone.

// holder is who holds a place.
type holder struct {
	name string   // of the Gateway that holds it, or is to be made for it
	path []string // the names from which one comes to it, the first one first
	why  string   // why another one does not take the place, though it is asked for; "" where none is
}

// holderOf finds who holds the place of a Gateway: whoever it is to be handed to, else itself. class is that of a new one.
func (m *maker) holderOf(ns, name, class string) holder {
	out := holder{name: name}
	for {
		next, why := m.successor(ns, out, class)
		if next == "" {
			out.why = why
			return out
		}
		out.path, out.name = append(out.path, out.name), next
	}
}

// successor is who is next after a holder; "" where that one keeps the place, with the reason if it should not.
func (m *maker) successor(ns string, h holder, class string) (string, string) {
	gw := m.stored.Get(mesh.Gateway, ns, h.name)
	switch {
	case gw == nil:
		return m.heir(ns, h), ""
	case gw.Annotations[MigrateAnnotation] != "":
		next, why := m.asked(gw, h)
		if why != "" {
			return "", fmt.Sprintf("waypoint %s keeps its place: annotation %s is %q, and %s", gw.Key(), MigrateAnnotation, gw.Annotations[MigrateAnnotation], why)
		}
		return next, ""
	case m.managed.Made(gw) && classOf(gw) != class && m.plannable(class):
		return m.renamed(gw, h, class), ""
	}
	return "", ""
}

// plannable is whether waypoints of a class are planned: only Istio's own are.
func (m *maker) plannable(class string) bool {
	of, _ := m.snapshot.ClassNamed(class)
	return of == mesh.ClassWaypoint
}

func classOf(gw *mesh.Object) string { return gw.Spec.(*mesh.GatewayBody).Spec.GatewayClassName }

// asked is the Gateway that an annotation names, or why it cannot take the place, as a clause.
func (m *maker) asked(gw *mesh.Object, h holder) (name, why string) {
	name = gw.Annotations[MigrateAnnotation]
	if ns, rest, ok := strings.Cut(name, "/"); ok {
		if ns != gw.Namespace {
			return "", fmt.Sprintf("a place is only handed on within its namespace. Name a Gateway of namespace %s, or have the profile share one.", gw.Namespace)
		}
		name = rest
	}
	to := m.stored.Get(mesh.Gateway, gw.Namespace, name)
	switch {
	case name == gw.Name:
		return "", "that is itself. Name another Gateway, or remove the annotation."
	case len(validation.IsDNS1035Label(name)) > 0, to == nil && nameTaken(m.snapshot, gw.Namespace, name):
		return "", undeployable(m.snapshot, gw.Namespace, name) + ". Name another Gateway, by a DNS label that is free."
	case to != nil && slices.Contains(h.path, name):
		return "", fmt.Sprintf("Gateway %s hands its place on to it. Remove one of the annotations.", name)
	case to == nil:
		return name, ""
	case m.managed.Made(to) && !m.inLine(to, h):
		return "", "that Gateway has a place of its own: policies that name either would be about both. Name one that is not there yet."
	case !m.managed.Made(to) && (!usable(m.snapshot, to) || !mesh.ServesServices(m.stored.TrafficType(to))):
		return "", "that is no waypoint of Istio's own for Services. Name one of class " + mesh.WaypointClassName + "."
	case !m.managed.Made(to) && !listensAsWaypoint(to):
		return "", oneListener
	case !m.managed.Made(to) && ofAnother(m.snapshot, to):
		return "", fmt.Sprintf("no istiod here has its revision %q. Name one of this control plane.", to.Labels[label.IoIstioRev.Name])
	case !m.managed.Made(to):
		if ns := m.keptOut(gw, to); ns != "" {
			return "", fmt.Sprintf("its listener does not let namespace %s attach, of which something is bound here. Name the namespace in allowedRoutes there.", ns)
		}
	}
	return name, ""
}

// keptOut is a namespace of something that is bound to one Gateway, and that another one does not let attach; "" where there is none.
func (m *maker) keptOut(gw, to *mesh.Object) string {
	for _, ns := range boundFrom(m.stored, gw) {
		if !m.admits(to, ns) {
			return ns
		}
	}
	return ""
}

// inLine is whether a Gateway of ours has taken the place of a holder, or of one before it.
func (m *maker) inLine(gw *mesh.Object, h holder) bool {
	of := placesOf(gw)
	return slices.Contains(of, h.name) || slices.ContainsFunc(h.path, func(name string) bool { return slices.Contains(of, name) })
}

// next is the waypoint that has the place of this one in the plan; "" where none has.
func (c *course) next() string {
	for _, w := range c.Plan.Waypoints {
		if w.Namespace == c.ref.Namespace && slices.Contains(w.places, c.ref.Name) {
			return w.Name
		}
	}
	return ""
}

// placesOf are the names of those whose place a Gateway has taken.
func placesOf(gw *mesh.Object) []string {
	if gw == nil || gw.Annotations[PlaceAnnotation] == "" {
		return nil
	}
	return strings.Split(gw.Annotations[PlaceAnnotation], ",")
}

// heir is who holds the place of a Gateway that is gone; "" where nobody does.
func (m *maker) heir(ns string, h holder) string {
	var best *mesh.Object
	for _, gw := range m.stored.List(mesh.Gateway, ns) {
		if !m.managed.Made(gw) || gw.Terminating || slices.Contains(h.path, gw.Name) || !slices.Contains(placesOf(gw), h.name) {
			continue
		}
		// Of several it is the earliest one: it says itself who comes after it.
		if best == nil || cmp.Or(len(placesOf(gw))-len(placesOf(best)), strings.Compare(gw.Name, best.Name)) < 0 {
			best = gw
		}
	}
	if best == nil {
		return ""
	}
	return best.Name
}

// renamed is the name of one of another class in the place of a Gateway of ours.
func (m *maker) renamed(gw *mesh.Object, h holder, class string) string {
	stem := gw.Name
	if len(h.path) > 0 {
		stem = h.path[0]
	}
	for n := 1; ; n++ {
		name := numbered(stem, n)
		if name == gw.Name || slices.Contains(h.path, name) || nameTaken(m.snapshot, gw.Namespace, name) {
			continue
		}
		stored := m.stored.Get(mesh.Gateway, gw.Namespace, name)
		if stored == nil || m.managed.Made(stored) && classOf(stored) == class && m.inLine(stored, holder{gw.Name, h.path, ""}) {
			return name
		}
	}
}

// holding is the waypoint that holds the place of a Gateway, with what it has to say of that.
func (m *maker) holding(ns, name, class string) *Waypoint {
	h := m.holderOf(ns, name, class)
	w := m.waypoint(ns, h.name)
	w.stays = h.why
	if !w.Existing {
		w.places = slices.Compact(slices.Sorted(slices.Values(append(w.places, h.path...))))
		w.places = slices.DeleteFunc(w.places, func(name string) bool { return name == w.Name })
	}
	return w
}

// moved is the waypoint that takes the place of the one that a label of ours asks for; nil where that one keeps it, or nothing is
// planned for the other.
func (m *maker) moved(l Label) *Waypoint {
	at := l.Waypoint()
	class := m.classFor(home(l.On), at.Namespace, at.Name)
	h := m.holderOf(at.Namespace, at.Name, class)
	for _, place := range placesOf(m.stored.Get(mesh.Gateway, at.Namespace, at.Name)) {
		if h.name == at.Name && m.stored.Get(mesh.Gateway, at.Namespace, place) != nil {
			h = m.holderOf(at.Namespace, place, class) // which may have it back
		}
	}
	if h.name == at.Name {
		return nil
	}
	return m.waypoints[at.Namespace+"/"+h.name]
}

// succeeded are the needs of policies that name a Gateway whose place another one of ours has taken: its copy there is theirs.
func (m *maker) succeeded(known []Need) []Need {
	var out []Need
	for _, ref := range m.refs {
		gw := find(m.stored, ref)
		if ref.Kind != mesh.Gateway.String() || !m.managed.Made(gw) {
			continue
		}
		for _, o := range m.named(gw, placesOf(gw)) {
			old := nameOfRef(o, placesOf(gw))
			n := needOfCopy(o, old, gw)
			if slices.ContainsFunc(known, func(k Need) bool { return k.Policy == n.Policy && same(k.Target, n.Target) }) {
				continue
			}
			m.hypotheses.known[n.Target.String()] = &hypothesis{m.stored, m.stored.TrafficType(gw)}
			out = append(out, n)
		}
	}
	return out
}

// staysAt leaves an object at the waypoint to which a label of ours binds it, where it must not go to the one that is planned. It
// is false where none binds it elsewhere.
func (m *maker) staysAt(i int, why string) bool {
	l := m.plan.Labels[i]
	on := find(m.stored, l.On)
	was, ok := m.storedLabel(on)
	if !ok || was.Waypoint() == l.Waypoint() || misled(m.managed, on, was) {
		return false
	}
	was.Needs = l.Needs
	m.plan.Labels[i] = was
	at := was.Waypoint()
	w := *m.waypoint(at.Namespace, at.Name)
	if gw := m.stored.Get(mesh.Gateway, at.Namespace, at.Name); gw != nil {
		w.For = m.stored.TrafficType(gw)
	}
	w.admit(home(l.On))
	next := slices.IndexFunc(m.plan.Waypoints, func(o Waypoint) bool { return o.Ref() == l.Waypoint() })
	w.Needs, w.Idle = slices.Clone(m.plan.Waypoints[next].Needs), false
	w.stays = fmt.Sprintf("%s stays at waypoint %s, and does not move to %s: %s", l.On, w.Name, l.Value, why)
	if !w.Existing {
		w.Manifest, w.Parameters = gatewayManifest(&w), parametersManifest(&w)
	}
	if !slices.ContainsFunc(m.plan.Labels, func(o Label) bool { return o.Waypoint() == l.Waypoint() }) {
		m.plan.Waypoints = slices.Delete(m.plan.Waypoints, next, next+1)
	}
	m.plan.Waypoints = slices.DeleteFunc(m.plan.Waypoints, func(o Waypoint) bool { return o.Ref() == at })
	m.plan.Waypoints = append(m.plan.Waypoints, w)
	slices.SortFunc(m.plan.Waypoints, func(a, b Waypoint) int { return a.Ref().Compare(b.Ref()) })
	return true
}
