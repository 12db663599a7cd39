package plan

import (
	"maps"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Proposal is what to apply for one Service or ServiceEntry that has no waypoint, for people to commit: the Gateway, unless there is
// one to use; what has to stand beside the label, as [Make] would have it; and the label. It is for a finding about that one, and
// knows no profile: a plan may label the Namespace instead. It is nil where a waypoint would be no help, where somebody has to decide
// something first, or where it is more than a finding should hold; a plan says which.
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
	var out []map[string]any
	after := s
	if gw == nil {
		manifest := gatewayManifest(&w)
		out, after = append(out, manifest), after.With(decode(manifest))
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
	r := restate(s, after, after.Get(svc.Kind, svc.Namespace, svc.Name), func(map[string]any, map[string]string) {})
	if r.why != "" || len(r.policies) > maxProposed {
		return nil
	}
	for _, p := range r.policies {
		out = append(out, p.Manifest)
	}
	if b.Opt == mesh.AsksNothing {
		out = append(out, onlyLabels(svc, labels))
	}
	return out
}

// maxProposed is how many policies a finding holds that are to stand beside a label.
const maxProposed = 3
