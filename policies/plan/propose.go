package plan

import (
	"maps"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Proposal is what to apply for one Service or ServiceEntry that has no waypoint, for people to commit: the Gateway, unless there is
// one to use; what has to stand beside the label, as [Make] would have it; and the label. What asks for the waypoint already is bound as
// soon as that serves, the one in question or any other, so what is for that comes before the Gateway. It is for a finding about that
// one, and knows no profile: a plan may label the Namespace instead. It is nil where a waypoint would be no help, where somebody has to
// decide something first, or where it is more than a finding should hold; a plan says which.
func Proposal(s *mesh.Snapshot, svc *mesh.Object) []map[string]any {
	b := s.Binding(svc)
	if mesh.ManagedByGateway(svc) || !inAmbient(s, svc) || mesh.ExternalName(svc) || mesh.Headless(svc) {
		return nil
	}
	w := Waypoint{Namespace: svc.Namespace, For: forServices, from: []string{svc.Namespace}}
	var gw *mesh.Object
	switch {
	case b.Opt == mesh.Asks && b.Reason == mesh.WaypointIsNotReady && b.Gateway == nil && b.Name != "" && b.Name != "none":
		w.Namespace, w.Name = b.Namespace, b.Name
		if w.Namespace != svc.Namespace {
			return nil
		}
	case b.Opt != mesh.AsksNothing:
		return nil
	default:
		m := maker{snapshot: s}
		if gw = m.best(svc.Namespace, svc.Namespace); gw == nil {
			w.Name = freeName(s, svc.Namespace, defaultName)
		} else {
			w.Name = gw.Name
		}
	}
	var gateway []map[string]any
	after := s
	if gw == nil {
		gateway = append(gateway, gatewayManifest(&w))
		after = after.With(decode(gateway[0]))
	} else {
		after = after.With(readyGateway(s, gw.Namespace, gw.Name, forServices, svc.Namespace))
	}
	labels := map[string]string{label.IoIstioUseWaypoint.Name: w.Name}
	if _, ok := svc.Labels[label.IoIstioUseWaypointNamespace.Name]; ok { // it counts from then on
		labels[label.IoIstioUseWaypointNamespace.Name] = svc.Namespace
	}
	with := maps.Clone(svc.Labels)
	if with == nil {
		with = map[string]string{}
	}
	maps.Copy(with, labels)
	after = after.With(svc.Labelled(with)) // its Content is not asked for, and would have to be read
	asked, unasked, ok := beside(s, after, after.Get(mesh.Gateway, w.Namespace, w.Name))
	if !ok {
		return nil
	}
	out := slices.Concat(asked, gateway, unasked)
	if b.Opt == mesh.AsksNothing {
		out = append(out, onlyLabels(svc, labels))
	}
	return out
}

// maxProposed is how many policies a finding holds that are to stand beside a label, and maxBound how many Services may be bound with
// the one that it is about.
const maxProposed, maxBound = 3, 10

// beside is what has to stand beside all that a waypoint serves in after and not before: for what asks for it already, and for what does
// not. It is not ok where something is in the way, or where it is too much.
func beside(before, after *mesh.Snapshot, gw *mesh.Object) (asked, unasked []map[string]any, ok bool) {
	bound := slices.DeleteFunc(after.BoundTo(gw), func(o *mesh.Object) bool { return before.Binding(before.Get(o.Kind, o.Namespace, o.Name)).Bound })
	if len(bound) > maxBound {
		return nil, nil, false
	}
	for _, o := range bound {
		r := restate(before, after, o, func(map[string]any, map[string]string) {})
		if r.why != "" {
			return nil, nil, false
		}
		for _, p := range r.policies {
			if p.Asked {
				asked = append(asked, p.Manifest)
			} else {
				unasked = append(unasked, p.Manifest)
			}
		}
	}
	return asked, unasked, len(asked)+len(unasked) <= maxProposed
}
