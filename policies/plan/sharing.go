package plan

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A waypoint that several namespaces share says in its listener which. One that is no longer named there is no longer bound, whatever
// its labels say, and is called round the waypoint. So a namespace is named as long as anything in it is bound, and until every proxy
// knows that nothing is.

// A namespace is let in by its profile, which shares that waypoint. That something in it asks for the waypoint is not enough: whoever can
// write a Service can label it.

// shares is whether the profile of a namespace shares a waypoint in another one.
func (m *maker) shares(from, ns string) bool {
	profile := m.settings.Of(from).Profile
	return from != ns && profile.Granularity == Shared && profile.SharedNamespace == ns
}

// keepsOut says why a waypoint in another namespace that an object asks for by a label is neither made nor opened for it; "" where it is,
// or is in the object's own. Who was let in by a profile that shares no more stays so while it is bound.
func (m *maker) keepsOut(b mesh.Binding, o *mesh.Object) string {
	if b.Namespace == o.Namespace || b.Gateway != nil && m.admits(b.Gateway, o.Namespace) {
		return ""
	}
	stored := m.stored.Get(mesh.Gateway, b.Namespace, b.Name)
	made := m.managed.Made(stored)
	if made && slices.Contains(attached(m.stored, stored), o.Namespace) {
		return ""
	}
	if profile := m.settings.Of(o.Namespace).Profile; m.shares(o.Namespace, b.Namespace) {
		name := m.newName(group{namespace: o.Namespace}, b.Namespace)
		switch {
		case made && stored.Annotations[ProfileAnnotation] == nameOf(profile):
			return ""
		case b.Name == name:
			return m.makesNone(o.Namespace, b.Namespace)
		}
		return fmt.Sprintf("%s asks by a label for waypoint %s/%s, and the one that WaypointProfile %s shares is %s/%s. Correct the label.", o, b.Namespace, b.Name, nameOf(profile), b.Namespace, name)
	}
	return fmt.Sprintf("%s asks by a label for waypoint %s/%s of another namespace, and a label opens none: whoever can write it would let himself in. Correct the label, or have the profile of namespace %s share a waypoint in namespace %s, or make one there that lets it attach.",
		o, b.Namespace, b.Name, o.Namespace, b.Namespace)
}

// attaching is the namespace that a stored label of ours attaches to its waypoint: its own, or none but the waypoint's.
func (m *maker) attaching(l Label) string {
	if misled(m.managed, find(m.stored, l.On), l) {
		return l.Waypoint().Namespace
	}
	return home(l.On)
}

// misled is whether a label of ours on an object is for another namespace's waypoint only by a label of somebody else's beside it. That
// opens nothing there, and makes nothing.
func misled(managed Managed, on *mesh.Object, l Label) bool {
	return l.Waypoint().Namespace != home(l.On) && !slices.Contains(managed.Labelled(on), label.IoIstioUseWaypointNamespace.Name)
}

// attached are the namespaces other than its own of what is bound to a Gateway, sorted.
func attached(s *mesh.Snapshot, gw *mesh.Object) []string {
	if len(letIn(gw)) == 0 {
		return nil
	}
	return slices.DeleteFunc(boundFrom(s, gw), func(ns string) bool { return ns == gw.Namespace })
}

// boundFrom are the namespaces of what is bound to a Gateway, sorted.
func boundFrom(s *mesh.Snapshot, gw *mesh.Object) []string {
	var out []string
	for _, o := range s.BoundTo(gw) {
		out = append(out, o.Namespace)
	}
	for _, w := range s.WorkloadsBoundTo(gw) {
		out = append(out, w.Namespace)
	}
	return sorted(out)
}

// letIn are the namespaces that a Gateway of ours names in its listener.
func letIn(gw *mesh.Object) []string {
	var out []string
	for _, l := range gw.Spec.(*mesh.GatewayBody).Spec.Listeners {
		if l.AllowedRoutes == nil || l.AllowedRoutes.Namespaces == nil || l.AllowedRoutes.Namespaces.Selector == nil {
			continue
		}
		for _, r := range l.AllowedRoutes.Namespaces.Selector.MatchExpressions {
			if r.Key == namespaceName {
				out = append(out, r.Values...)
			}
		}
	}
	return out
}

// leaves are the namespaces that the Gateway is to name no more, each with something in it of which not every proxy knows that it has
// left. Pods are not asked about: no label of ours is on them, and whoever takes theirs off has them called directly anyway.
func (c *course) leaves() map[string]mesh.Ref {
	out := map[string]mesh.Ref{}
	if c.gateway == nil || !c.ours() {
		return out
	}
	for _, ns := range letIn(c.gateway) {
		if ns == c.ref.Namespace || slices.Contains(c.planned.from, ns) {
			continue
		}
		on := []mesh.Ref{RefOf(mesh.Namespace, "", ns)}
		for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry, mesh.WorkloadEntry} {
			for _, o := range c.snapshot.List(kind, ns) {
				on = append(on, refOf(o))
			}
		}
		if i := slices.IndexFunc(on, func(ref mesh.Ref) bool { return !c.Evidence.Converged(ref) }); i >= 0 {
			out[ns] = on[i]
		}
	}
	return out
}

// letting is the waypoint with more namespaces that may attach.
func (w *Waypoint) letting(namespaces []string) *Waypoint {
	out := *w
	out.from = slices.Concat(w.from, namespaces)
	return &out
}

// keptOut says why an object would not be bound by a label that names the waypoint: its listener does not let the namespace attach. The
// label would take it from the waypoint to which it is bound.
func (c *course) keptOut(on *mesh.Object) string {
	l := c.snapshot.AttachmentListener(c.gateway)
	if l != nil && c.snapshot.ListenerAdmits(l, c.gateway.Namespace, on.Home()) {
		return ""
	}
	return fmt.Sprintf("%s is not bound: %s", on, notAdmitted(c.snapshot, c.gateway, on.Home()))
}

// notAdmitted says why nothing of a namespace attaches to a waypoint, as a clause and what to do.
func notAdmitted(s *mesh.Snapshot, gw *mesh.Object, ns string) string {
	if s.AttachmentListener(gw) == nil {
		return fmt.Sprintf("%s lets none attach: %s", gw, oneListener)
	}
	return fmt.Sprintf("no listener of %s lets namespace %s attach. Name the namespace in allowedRoutes of its listener for HBONE.", gw, ns)
}
