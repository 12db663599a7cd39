package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Standing is what a policy of ours stands for in a mesh, as far as the mesh itself tells: without what is known of proxies, and without
// what is asked of its namespace.
type Standing struct {
	Role Role
	// On is the Service or ServiceEntry whose calls it is about; of a copy, the Gateway. Waypoint is that which sees them; of a hold, the
	// one that is to.
	On, Waypoint mesh.Ref
	// Of are the policies of people that it stands for, sorted; at least one.
	Of []*mesh.Object
	// Held is whether it is a guard that closes its Service until the waypoint serves.
	Held bool
	// Open is whether it stands only for connections that may be open still, through a waypoint that its Service has left, or that drains.
	Open bool
	// Sure is whether the mesh shows that it has to be there. Else it may be for what is known of proxies, or what a Guardrail asks, that
	// it goes, and whoever looks at that can say so.
	Sure bool

	forms []*mesh.Object // as it may be, each as good; none where the mesh does not tell
}

// Marked is whether a policy says that it is ours and what it is for, and nothing shows that somebody else wrote it. That is less than
// [Managed.Made], for which more has to be known than an object: its managedFields are there in what an API server asks about, and not in
// what was read by a watch.
func Marked(o *mesh.Object) bool { return marked(o) && writtenByUs(o) }

func marked(o *mesh.Object) bool {
	return o.Labels[ManagedByLabel] == ManagedBy && o.Annotations[ProfileAnnotation] != "" && o.Annotations[RoleAnnotation] != ""
}

func writtenByUs(o *mesh.Object) bool {
	metadata, _ := o.Content()["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	return len(entries) == 0 || slices.ContainsFunc(entries, func(e any) bool {
		entry, _ := e.(map[string]any)
		return entry["manager"] == FieldManager
	})
}

// StandsFor is what a policy of ours stands for in a mesh, whether the mesh holds that policy or not. It is false where it is none of
// ours, or nobody's policy is the worse for it to go.
func StandsFor(view *policies.View, o *mesh.Object) (Standing, bool) {
	if !Marked(o) {
		return Standing{}, false
	}
	var st Standing
	switch st.Role = Role(o.Annotations[RoleAnnotation]); st.Role {
	case Twin, Admission:
		st.besideBinding(view.Snapshot, o)
	case Copy:
		st.inPlace(view.Snapshot, o)
	case Guarding:
		st.around(view, o)
	}
	return st, len(st.Of) > 0
}

// besideBinding enters what a twin or an admission stands for.
func (st *Standing) besideBinding(s *mesh.Snapshot, o *mesh.Object) {
	for _, svc := range servicesFor(s, o) {
		st.On = svc.Ref()
		if b := s.Binding(svc); b.Bound {
			st.restated(s, unmarked(s, svc.Namespace, b.Gateway.Namespace), svc, o)
			st.Sure = len(st.Of) > 0 && marks(b.Gateway)
		}
		if c := s.Canary(svc); c.Attached {
			labels := maps.Clone(svc.Labels)
			if labels == nil {
				labels = map[string]string{}
			}
			labels[label.IoIstioUseWaypoint.Name], labels[label.IoIstioUseWaypointNamespace.Name] = c.Gateway.Name, c.Gateway.Namespace
			at := svc.Labelled(labels) // its Content is not asked for
			st.restated(s, unmarked(s, svc.Namespace, c.Gateway.Namespace).With(at), at, o)
		}
		if len(st.Of) > 0 {
			return
		}
		if st.left(s, svc, o); len(st.Of) > 0 {
			return
		}
	}
}

// servicesFor are the Service and the ServiceEntry that a policy of ours may be for: its annotation has no kind.
func servicesFor(s *mesh.Snapshot, o *mesh.Object) []*mesh.Object {
	ns, name, ok := cutKey(o.Annotations[ForAnnotation])
	if !ok || ns != o.Namespace {
		return nil
	}
	var out []*mesh.Object
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry} {
		if svc := s.Get(kind, ns, name); svc != nil {
			out = append(out, svc)
		}
	}
	return out
}

// unmarked is a mesh without our policies where they could be taken for those of people.
func unmarked(s *mesh.Snapshot, namespaces ...string) *mesh.Snapshot {
	var without []*mesh.Object
	for _, ns := range sorted(append(namespaces, s.RootNamespace())) {
		for _, kind := range copiedKinds {
			for _, o := range s.List(kind, ns) {
				if marked(o) {
					without = append(without, o)
				}
			}
		}
	}
	return s.Edited(nil, without)
}

// marks is whether a Gateway says that it is ours.
func marks(gw *mesh.Object) bool {
	return gw.Labels[ManagedByLabel] == ManagedBy && gw.Annotations[ProfileAnnotation] != ""
}

// restated enters what a policy stands for beside the binding of a Service in base, the mesh without ours. A twin whose place another one
// is to take stands until that is there.
func (st *Standing) restated(s, base *mesh.Snapshot, svc, o *mesh.Object) {
	profile := o.Annotations[ProfileAnnotation]
	for _, p := range restate(base, base, svc, func(metadata map[string]any, annotations map[string]string) { sign(metadata, profile, annotations) }).policies {
		switch {
		case p.Role != st.Role:
		case p.Ref() == refOf(o):
			st.forms = append(st.forms, p.object())
			for _, of := range p.Of {
				st.stands(p.Waypoint, find(s, of))
			}
		case st.Role == Twin && find(s, p.Ref()) == nil:
			st.stands(p.Waypoint, slices.DeleteFunc(ofNoted(s, o), func(of *mesh.Object) bool { return !slices.Contains(p.Of, refOf(of)) })...)
		}
	}
}

func (st *Standing) stands(waypoint mesh.Ref, of ...*mesh.Object) {
	for _, o := range of {
		if i, known := slices.BinarySearchFunc(st.Of, o, byRef); !known {
			st.Of, st.Waypoint = slices.Insert(st.Of, i, o), cmp.Or(st.Waypoint, waypoint)
		}
	}
}

func byRef(a, b *mesh.Object) int { return refOf(a).Compare(refOf(b)) }

// ofNoted are the policies of people that one of ours says it is for, and that are there.
func ofNoted(s *mesh.Snapshot, o *mesh.Object) []*mesh.Object {
	var out []*mesh.Object
	for key := range strings.SplitSeq(o.Annotations[OfAnnotation], ",") {
		ns, name, _ := cutKey(key)
		if of := s.Get(o.Kind, ns, name); of != nil && !marked(of) {
			out = append(out, of)
		}
	}
	return out
}

// left enters what a policy stands for whose Service is not bound as it was: connections through waypoints that it has left. An admission
// is for one of them.
func (st *Standing) left(s *mesh.Snapshot, svc, o *mesh.Object) {
	for _, on := range []*mesh.Object{svc, s.Get(mesh.Namespace, "", svc.Namespace)} {
		if on == nil || on.Annotations[LeftAnnotation] == "" || on.Annotations[ProfileAnnotation] == "" {
			continue
		}
		for key := range strings.SplitSeq(on.Annotations[LeftAnnotation], ",") {
			ns, name, _ := cutKey(key)
			gw := s.Get(mesh.Gateway, ns, name)
			if gw == nil || !marks(gw) || st.Role == Admission && key != o.Annotations[WaypointAnnotation] {
				continue
			}
			st.Open = true
			st.stands(refOf(gw), ofNoted(s, o)...)
		}
	}
}

// inPlace enters what a copy stands for.
func (st *Standing) inPlace(s *mesh.Snapshot, o *mesh.Object) {
	ns, name, _ := cutKey(o.Annotations[WaypointAnnotation])
	gw := s.Get(mesh.Gateway, ns, name)
	if gw == nil || ns != o.Namespace || !marks(gw) {
		return
	}
	st.On = gw.Ref()
	st.Sure = len(s.BoundTo(gw)) > 0
	if st.Open = !st.Sure && gw.Annotations[DrainingSinceAnnotation] != ""; !st.Sure && !st.Open {
		return
	}
	for _, original := range ofNoted(s, o) {
		if !staysBehind(original, gw, placesOf(gw)) {
			continue
		}
		st.stands(refOf(gw), original)
		manifest := copyManifest(original, gw, func(metadata map[string]any, annotations map[string]string) {
			sign(metadata, o.Annotations[ProfileAnnotation], annotations)
		})
		if refIn(manifest) == refOf(o) {
			st.forms = append(st.forms, decode(manifest))
		}
	}
}

// around enters what a guard stands for: whatever the waypoint of its Service does, or is to do. Whom else it lets in, a Guardrail says.
func (st *Standing) around(view *policies.View, o *mesh.Object) {
	for _, svc := range servicesFor(view.Snapshot, o) {
		b := view.Binding(svc)
		why := o.Annotations[HeldAnnotation]
		st.Held = !b.Bound && why != ""
		if !b.Bound && (why == "" || why == agreedHold && svc.Annotations[HoldAnnotation] == "") {
			continue // nothing is bound that it could guard, or its owner no longer agrees
		}
		st.On = svc.Ref()
		about := slices.Concat(view.PoliciesFor(svc), view.RoutesFrom(svc), view.VirtualServicesFor(svc))
		if b.Bound {
			about = slices.Concat(about, view.PoliciesFor(b.Gateway), view.PoliciesForClass(classOf(b.Gateway)))
		}
		for _, of := range about {
			rests := func(e policies.Effect) bool { return same(e.Target, targetOf(svc)) && e.EnforcedBy == policies.Nobody }
			if b.Bound {
				rests = func(e policies.Effect) bool { return by(e, refOf(b.Gateway)) }
			}
			switch {
			case !slices.ContainsFunc(view.Effects(of), rests):
			case marked(of):
				st.stands(b.Waypoint(), ofNoted(view.Snapshot, of)...)
			default:
				st.stands(b.Waypoint(), of)
			}
		}
		return
	}
}

// Keeps is whether a policy of ours does, once it is changed, what it is to do: it has a form that the mesh asks for, or nothing of it has
// changed that decides anything.
func (st Standing) Keeps(was, is *mesh.Object) bool {
	return asGood(was, is) || slices.ContainsFunc(st.forms, func(form *mesh.Object) bool { return asGood(form, is) })
}

// asGood is whether two policies do the same, and are ours for the same.
func asGood(a, b *mesh.Object) bool {
	return maps.Equal(decisive(a), decisive(b)) && within(a.Content()["spec"], b.Content()["spec"]) && within(b.Content()["spec"], a.Content()["spec"])
}

// decisive is what stands on a policy beside its spec and decides something: by what it is known as ours and for what it is, whether
// istiod takes it in, and whether it is only tried.
func decisive(o *mesh.Object) map[string]string {
	out := map[string]string{}
	for k, v := range o.Labels {
		if k == ManagedByLabel || strings.Contains(k, "istio.io/") {
			out[k] = v
		}
	}
	for k, v := range o.Annotations {
		switch k {
		case ProfileAnnotation, RoleAnnotation, WaypointAnnotation, OfAnnotation, ForAnnotation, HeldAnnotation:
			out[k] = v
		default:
			if strings.Contains(k, "istio.io/") {
				out[k] = v
			}
		}
	}
	return out
}
