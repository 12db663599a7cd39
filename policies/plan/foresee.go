package plan

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Foresee is Make for the policies of some namespaces: what they need, and what follows from that, in the mesh as it is everywhere. Who
// calls what is to be bound, by which way, and what keeps callers from a waypoint can be in any namespace, so no plan of an excerpt
// would say what Make says. What policies elsewhere need is left out, and so is what there changes that has nothing to do with what is
// bound. It costs what is looked at, not the mesh; admission has no more time than that.
//
// done is asked between one policy and the next whether anybody still waits for the plan; nil is for ever. Once it is true the plan is broken off, and
// ok is false.
func Foresee(view *policies.View, settings Settings, managed Managed, namespaces []string, done func() bool) (p Plan, ok bool) {
	about := sorted(append(slices.Clone(namespaces), view.RootNamespace()))
	return makePlan(view, settings, near(view.Snapshot, settings, managed, about), about, &deadline{done: done})
}

// deadline is until when a plan is of any use.
type deadline struct {
	done func() bool // nil is for ever
	past bool
}

// over is whether that has passed; then it stays so. The nil deadline never does.
func (d *deadline) over() bool {
	if d != nil && !d.past && d.done != nil {
		d.past = d.done()
	}
	return d != nil && d.past
}

// near is what is ours in some namespaces, and what is ours elsewhere for the waypoints that are there or that they share: only that is
// planned anew.
func near(s *mesh.Snapshot, settings Settings, managed Managed, namespaces []string) Managed {
	spaces := slices.Clone(namespaces)
	for _, ns := range namespaces {
		spaces = append(spaces, settings.Of(ns).Profile.SharedNamespace)
	}
	for ref := range managed { // somebody may ask for one elsewhere by a label
		if gw := find(s, ref); gw != nil && gw.Kind == mesh.Gateway && slices.ContainsFunc(s.AskingFor(gw), func(o *mesh.Object) bool { return slices.Contains(namespaces, o.Home()) }) {
			spaces = append(spaces, gw.Namespace)
		}
	}
	spaces = sorted(spaces)
	out := Managed{}
	for ref, labels := range managed {
		is := slices.Contains(spaces, home(ref))
		if o := find(s, ref); !is && o != nil {
			if l, ok := storedLabel(managed, o); ok {
				is = slices.Contains(spaces, l.Waypoint().Namespace)
			} else if ns, _, ok := cutKey(o.Annotations[WaypointAnnotation]); ok {
				is = slices.Contains(spaces, ns)
			}
		}
		if is {
			out[ref] = labels
		}
	}
	return out
}

// plansFor is whether a namespace is one of those that are planned for.
func (m *maker) plansFor(ns string) bool { return m.about == nil || slices.Contains(m.about, ns) }

// touched are the policies of which is looked what a plan makes of them: all, or those of the namespaces that are planned for and what
// is elsewhere about what the plan binds.
func (m *maker) touched() []*mesh.Object {
	out := slices.Collect(policiesOf(m.view.Snapshot, m.about))
	if m.about == nil {
		return out
	}
	known := map[*mesh.Object]bool{}
	for _, o := range out {
		known[o] = true
	}
	for _, l := range m.plan.Labels {
		for _, ref := range l.Binds {
			svc := find(m.view.Snapshot, ref)
			if svc == nil {
				continue
			}
			for _, o := range slices.Concat(m.view.VirtualServicesFor(svc), m.view.RoutesTo(svc), m.view.RoutesFrom(svc), m.view.PoliciesFor(svc)) {
				if !known[o] && o.Kind.IsPolicy() {
					known[o] = true
					out = append(out, o)
				}
			}
		}
	}
	return out
}
