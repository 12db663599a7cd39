package plan

import (
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// What leaves a waypoint may have connections open through it, and where others use that one nobody counts them for one Service. So
// the patch by which a label of ours goes, or names another waypoint, writes on the object which one it has left, and that stays there
// until the Gateway is gone: a guard lets it in, and what is said of clients stays said for it, whatever came and went meanwhile. It
// is on the object and not on the Gateway, because whoever owns a Gateway is not to say whose guards let it in.

// leftBy are the waypoints of ours, as "namespace/name", that an object has left and that are there still, sorted.
func leftBy(s *mesh.Snapshot, managed Managed, on *mesh.Object) []string {
	if on == nil || on.Annotations[LeftAnnotation] == "" || on.Annotations[ProfileAnnotation] == "" {
		return nil
	}
	if _, wrote := managed[refOf(on)]; !wrote {
		return nil
	}
	return oursAmong(s, managed, strings.Split(on.Annotations[LeftAnnotation], ","))
}

// leftFor are those that a Service has left, by what is written on itself and on its Namespace.
func leftFor(s *mesh.Snapshot, managed Managed, svc mesh.Ref) []string {
	return sorted(slices.Concat(leftBy(s, managed, find(s, svc)), leftBy(s, managed, s.Get(mesh.Namespace, "", svc.Namespace))))
}

// mayBeLeftBy is whether a Service or ServiceEntry may have left connections open through this waypoint, that nothing needs. Where it has
// left it by a label of ours that is written down. Where people unbound it nothing is: then it may have had one of its own namespace that
// is drained or out of the plan, which its guard lets in as well, or one of another namespace that lets its own attach.
func (c *course) mayBeLeftBy(ns, name string) bool {
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry} { // a twin does not say which it is for
		if slices.Contains(leftFor(c.snapshot, c.Evidence.Managed, RefOf(kind, ns, name)), c.gateway.Key()) {
			return true
		}
	}
	if c.ref.Namespace != ns {
		return slices.Contains(letIn(c.gateway), ns)
	}
	return c.planned == nil || c.gateway.Annotations[DrainingSinceAnnotation] != ""
}

// oursAmong are those of some Gateways, as "namespace/name", that are waypoints of ours, sorted.
func oursAmong(s *mesh.Snapshot, managed Managed, keys []string) []string {
	return sorted(slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		ns, name, ok := cutKey(key)
		gw := s.Get(mesh.Gateway, ns, name)
		return !ok || gw == nil || !managed.Made(gw) || !usable(s, gw)
	}))
}

// asked are the waypoints that labels on an object ask for, as its own and as its canary.
func asked(on *mesh.Object, labels map[string]string) []string {
	var out []string
	for name, namespace := range map[string]string{label.IoIstioUseWaypoint.Name: label.IoIstioUseWaypointNamespace.Name,
		label.IoIstioUseWaypointCanary.Name: label.IoIstioUseWaypointCanaryNamespace.Name} {
		ns, elsewhere := labels[namespace]
		if !elsewhere {
			ns = on.Home()
		}
		out = append(out, ns+"/"+labels[name])
	}
	return out
}

// relabel is an object with these labels of ours and no others, and with the waypoints that it has left then.
func (o *order) relabel(on *mesh.Object, labels map[string]string) map[string]any {
	left := slices.Concat(leftBy(o.snapshot, o.Evidence.Managed, on), asked(on, on.Labels))
	if on.Kind != mesh.Namespace {
		if gw := o.snapshot.Binding(on).Gateway; gw != nil {
			left = append(left, gw.Key()) // by the label of its Namespace
		}
	}
	next := asked(on, labels)
	return o.marked(on, labels, slices.DeleteFunc(oursAmong(o.snapshot, o.Evidence.Managed, left), func(key string) bool { return slices.Contains(next, key) }))
}

// marked is an object with these labels of ours, and with the waypoints that it has left.
func (o *order) marked(on *mesh.Object, labels map[string]string, left []string) map[string]any {
	manifest := labelsManifest(on.Ref(), o.profileOf(on.Home()), labels)
	if len(left) == 0 {
		return manifest
	}
	return noted(noted(manifest, ProfileAnnotation, o.profileOf(on.Home())), LeftAnnotation, strings.Join(left, ","))
}

// leftInUse is a waypoint of ours that the Service of a twin has left, and that something needs.
func (c *course) leftInUse(twin *mesh.Object) (mesh.Ref, bool) {
	for _, key := range leftFor(c.snapshot, c.Evidence.Managed, isFor(twin)) {
		ns, name, _ := cutKey(key)
		ref := RefOf(mesh.Gateway, ns, name)
		if other := c.courses[ref]; ref != c.ref && other != nil && other.planned != nil && !other.planned.Idle {
			return ref, true
		}
	}
	return mesh.Ref{}, false
}

// handedTo is a twin as one of another waypoint, with which it goes.
func handedTo(twin *mesh.Object, at mesh.Ref) map[string]any {
	manifest := noted(manifestOf(twin), WaypointAnnotation, at.Namespace+"/"+at.Name)
	annotations := manifest["metadata"].(map[string]any)["annotations"].(map[string]any)
	for _, own := range []string{UnneededSinceAnnotation, DrainingSinceAnnotation} {
		delete(annotations, own)
	}
	return manifest
}

// letGo brings up to date what is ours on objects of somebody else's, where no other step does: what has left a waypoint that is gone
// has left none, and where somebody has taken our label off, and there is not to be another, nothing of ours stays.
func (o *order) letGo() []Course {
	var out []Course
	planned := map[mesh.Ref]bool{}
	for _, l := range o.Plan.Labels {
		planned[l.On] = true
	}
	for _, on := range o.marks {
		left := leftBy(o.snapshot, o.Evidence.Managed, on)
		l, bound := storedLabel(o.Evidence.Managed, on)
		_, moves := storedCanary(o.Evidence.Managed, on)
		switch {
		case on.Annotations[LeftAnnotation] == strings.Join(left, ",") && (bound || len(left) > 0):
			continue // it is as it should be
		case bound && (moves || o.at(l.Waypoint()).out.Step != nil || o.Settings.Of(on.Home()).Mode != Provision), !bound && planned[on.Ref()]:
			continue // it is written again anyway, or is not to be
		}
		s := Step{Action: Release, Row: RemoveBinding, Object: refOf(on), Preconditions: o.preconditions(on), Why: "its label is gone, and only our note of it is left"}
		labels := map[string]string{}
		if bound {
			s.Action, s.Why, labels = Bind, "a waypoint that it has left is gone", o.labelsOn(on)
		}
		s.Manifest = o.marked(on, labels, left)
		if at := on.Annotations[UnneededSinceAnnotation]; bound && at != "" {
			s.Manifest = noted(s.Manifest, UnneededSinceAnnotation, at)
		}
		c := &course{order: o, ref: s.Object, out: Course{Waypoint: s.Object, Removing: !bound}}
		c.step(s)
		out = append(out, c.out)
	}
	return out
}
