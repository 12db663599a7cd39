package plan

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// kept are the needs of people: the annotation KeepAnnotation on what a waypoint serves, or on a waypoint of ours.
func (m *maker) kept() []Need {
	var out []Need
	for _, kind := range []mesh.Kind{mesh.Namespace, mesh.Service, mesh.ServiceEntry, mesh.Gateway} {
		for o := range m.stored.All(kind) {
			reason := o.Annotations[KeepAnnotation]
			if reason == "" || o.Terminating || !m.plansFor(o.Home()) || !m.keepable(o) {
				continue
			}
			out = append(out, Need{Target: targetOf(o), Policy: o.Ref(), Field: "metadata.annotations[" + KeepAnnotation + "]",
				Verdict: policies.Pending, Becomes: policies.Enforced, Reason: fmt.Sprintf("it is to have a waypoint: %s", reason)})
		}
	}
	return out
}

// keepable is whether a waypoint can be kept for the object, and there is not one of somebody else's already.
func (m *maker) keepable(o *mesh.Object) bool {
	switch o.Kind {
	case mesh.Namespace:
		b := m.snapshot.NamespaceBinding(o.Name)
		return !b.Bound && m.snapshot.Runs(o.Name, mesh.ModeAmbient)
	case mesh.Gateway:
		return m.managed.Made(o)
	}
	return m.hypotheses.of(targetOf(o)) != nil
}

// stay keeps the labels of ours that are stored and not planned, as long as something needs their waypoint, or has a need
// that cannot be met: such a need is no reason to take away what is there.
func (m *maker) stay() {
	m.plan.Blocked = slices.DeleteFunc(m.plan.Blocked, m.staysMet)
	planned := map[mesh.Ref]bool{}
	for _, l := range m.plan.Labels {
		planned[l.On] = true
	}
	for _, ref := range m.refs {
		l, ok := m.storedLabel(find(m.stored, ref))
		if !ok || planned[l.On] {
			continue
		}
		at := l.Waypoint()
		w := m.waypoints[at.Namespace+"/"+at.Name]
		if next := m.moved(l); next != nil {
			next.admit(m.attaching(l))
			m.plan.Labels = append(m.plan.Labels, m.newLabel(l.On, next, []Need{}, "it is bound already, and the place of its waypoint is taken"))
			continue
		}
		if next := m.follows(l); w == nil && next != nil {
			m.plan.Labels = append(m.plan.Labels, m.newLabel(l.On, next, []Need{}, "it is bound already, and moves with its Namespace"))
			continue
		}
		if w == nil {
			w = m.waypoint(at.Namespace, at.Name)
			w.Idle = true
			if gw := m.stored.Get(mesh.Gateway, at.Namespace, at.Name); gw != nil {
				w.For = m.stored.TrafficType(gw)
			}
		}
		w.admit(m.attaching(l))
		if !w.Existing && w.For == forWorkloads {
			w.For = forAll
		}
		m.plan.Labels = append(m.plan.Labels, l)
	}
	m.askedFor()
}

// staysMet keeps the waypoint to which a label of ours binds the target of a need that is blocked. It is true where only another one
// could not be made, for lack of a profile: that one meets it.
func (m *maker) staysMet(b Blocked) bool {
	on := find(m.stored, targetRef(b.Target))
	if on == nil || on.Kind == mesh.Gateway {
		return false
	}
	if on.Kind != mesh.Namespace && m.stored.Binding(on).By == mesh.Namespace.String() {
		on = m.stored.Get(mesh.Namespace, "", on.Namespace)
	}
	l, ok := m.storedLabel(on)
	if !ok || misled(m.managed, on, l) {
		return false
	}
	w := m.moved(l)
	if w == nil {
		w = m.waypoint(l.Waypoint().Namespace, l.Waypoint().Name)
	}
	w.take(b.Need, forServices, b.Home())
	profile := m.settings.Of(b.Home()).Profile
	return profile.Missing && b.Why == noneBy(profile)
}

// askedFor keeps in the plan the waypoints of ours that nothing needs and that labels of somebody else's ask for: what stands beside
// those labels stays, as long as they do.
func (m *maker) askedFor() {
	for _, ref := range m.refs {
		gw := find(m.stored, ref)
		if gw == nil || gw.Kind != mesh.Gateway || gw.Terminating || !m.managed.Made(gw) || m.waypoints[gw.Key()] != nil || !mesh.ServesServices(m.stored.TrafficType(gw)) {
			continue
		}
		if m.askedByOthers(gw) {
			w := m.waypoint(gw.Namespace, gw.Name)
			w.Idle, w.For = true, m.stored.TrafficType(gw)
		}
	}
}

// askedByOthers is whether a label of somebody else's asks for a waypoint.
func (m *maker) askedByOthers(gw *mesh.Object) bool {
	return slices.ContainsFunc(m.stored.AskingFor(gw), func(o *mesh.Object) bool { _, ours := m.storedLabel(o); return !ours })
}

// idles keeps a waypoint of ours in the plan of which no need is left, for what labels of somebody else's bind to it. It is false where
// none does.
func (m *maker) idles(w *Waypoint) bool {
	gw := m.stored.Get(mesh.Gateway, w.Namespace, w.Name)
	if gw == nil || gw.Terminating || !m.managed.Made(gw) || !mesh.ServesServices(m.stored.TrafficType(gw)) || !m.askedByOthers(gw) {
		return false
	}
	w.Idle, w.Needs, w.For, w.decoded = true, []Need{}, m.stored.TrafficType(gw), nil
	w.Manifest, w.Parameters = gatewayManifest(w), parametersManifest(w)
	return true
}

// keepBlocked keeps the waypoint that meets a need now, where the one that is planned for it must not: another granularity of the profile,
// say, is no reason to take away what is in force.
func (m *maker) keepBlocked() {
	for _, b := range m.plan.Blocked {
		o := serviceOf(m.stored, b.Target)
		if o == nil {
			continue
		}
		gw := m.stored.Binding(o).Gateway
		for i := range m.plan.Waypoints {
			w := &m.plan.Waypoints[i]
			if gw == nil || w.Ref() != refOf(gw) || slices.ContainsFunc(w.Needs, func(n Need) bool { return compareNeeds(n, b.Need) == 0 }) {
				continue
			}
			if w.Idle {
				w.stays = fmt.Sprintf("%s stays at waypoint %s: %s", o, w.Name, b.Why)
			}
			w.Idle, w.Needs = false, append(w.Needs, b.Need)
			slices.SortFunc(w.Needs, compareNeeds)
		}
	}
}

// follows is the waypoint of the Namespace's new label, for an object with a label of its own that nothing needs any more: taken
// off, it would be bound to the other waypoint before that is let in.
func (m *maker) follows(l Label) *Waypoint {
	if l.On.Kind == mesh.Namespace.String() {
		return nil
	}
	i := slices.IndexFunc(m.plan.Labels, func(p Label) bool {
		return !p.Kept && p.On.Kind == mesh.Namespace.String() && p.On.Name == l.On.Namespace
	})
	if i < 0 {
		return nil
	}
	at := m.plan.Labels[i].Waypoint()
	return m.waypoints[at.Namespace+"/"+at.Name]
}

// leaving are the admissions at waypoints that the plan moves Services away from: until those have moved they need them.
func (m *maker) leaving() {
	next := map[mesh.Ref]mesh.Ref{}  // by Service: the waypoint that is planned for it
	homes := map[string][]mesh.Ref{} // those Services by namespace
	for _, l := range m.plan.Labels {
		for _, svc := range l.Binds {
			next[svc] = l.Waypoint()
			homes[svc.Namespace] = append(homes[svc.Namespace], svc)
		}
	}
	for _, ref := range m.refs {
		on := find(m.stored, ref)
		l, ok := m.storedLabel(on)
		if !ok {
			continue
		}
		at := l.Waypoint()
		gw := m.stored.Get(mesh.Gateway, at.Namespace, at.Name)
		if gw == nil || !slices.ContainsFunc(homes[on.Home()], func(svc mesh.Ref) bool { return next[svc] != at }) {
			continue // most: nothing moves
		}
		left := m.snapshot.With(gw).With(labelled(on, nil, label.IoIstioIngressUseWaypoint.Name))
		for _, svc := range left.BoundTo(gw) {
			if to, moves := next[svc.Ref()]; !moves || to == at {
				continue
			}
			for _, p := range restate(m.snapshot, left, svc, m.signer(svc.Namespace)).policies {
				if p.Role == Admission {
					m.plan.Policies = append(m.plan.Policies, p)
				}
			}
		}
	}
}

// storedLabel is the label of ours that an object has.
func (m *maker) storedLabel(o *mesh.Object) (Label, bool) {
	l, ok := storedLabel(m.managed, o)
	if !ok {
		return Label{}, false
	}
	l.Kept, l.Needs, l.Ingress = true, []Need{}, m.sendsIngress(o)
	l.Why = "it is bound already, and something else needs the waypoint"
	return l, true
}
