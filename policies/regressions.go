package policies

import (
	"cmp"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Regression is a stored policy that a change of another object takes out of force, or makes deny what
// it did not.
type Regression struct {
	Before, After Effect
}

// Regressions are the stored policies that do worse after a change of a Namespace, Service,
// ServiceEntry, WorkloadEntry, Gateway, GatewayClass or pod template than before it, sorted. changed is
// the object in either form, as it was or as it will be. An effect that can no longer be judged is not told.
func Regressions(was, is *View, changed *mesh.Object) []Regression {
	var out []Regression
	for _, o := range dependants(was.Snapshot, is.Snapshot, changed) {
		if is.Get(o.Kind, o.Namespace, o.Name) != o {
			continue // it goes, or changes, together with the object
		}
		now := is.Effects(o)
		for _, old := range was.Effects(o) {
			if e, ok := counterpart(now, old); ok && e.Verdict != Unknown && e.Verdict.Worse(old.Verdict) {
				out = append(out, Regression{old, e})
			}
		}
	}
	return out
}

// counterpart is the effect at the same target by the same enforcer, else what has become of it.
func counterpart(effects []Effect, old Effect) (Effect, bool) {
	for _, by := range []EnforcedBy{old.EnforcedBy, Nobody, Waypoint, Ztunnel} {
		for _, e := range effects {
			if e.EnforcedBy == by && e.Target.compare(old.Target) == 0 {
				return e, true
			}
		}
	}
	return Effect{}, false
}

// dependants are the policies whose effect the object can change, found through the reverse index and
// the namespaces that it touches; what is not among them cannot have changed.
func dependants(before, after *mesh.Snapshot, changed *mesh.Object) []*mesh.Object {
	seen := map[*mesh.Object]bool{}
	var out []*mesh.Object
	take := func(policies []*mesh.Object) {
		for _, o := range policies {
			if o.Kind.IsPolicy() && !seen[o] {
				seen[o] = true
				out = append(out, o)
			}
		}
	}
	for _, s := range []*mesh.Snapshot{before, after} {
		for _, o := range []*mesh.Object{s.Get(changed.Kind, changed.Namespace, changed.Name), changed} {
			if o == nil {
				continue
			}
			for _, ns := range namespacesOf(s, o) {
				take(policiesIn(s, ns))
			}
			for _, gw := range waypointsOf(s, o) {
				take(s.PoliciesFor(gw))
			}
			if o.Kind == mesh.Service {
				take(s.RoutesTo(o))
			}
		}
		take(s.PoliciesForClass(mesh.WaypointClassName))
		take(policiesIn(s, s.RootNamespace()))
	}
	slices.SortFunc(out, func(a, b *mesh.Object) int { return a.Ref().Compare(b.Ref()) })
	return out
}

// namespacesOf are the namespaces in which the object decides anything: its own, and for a Gateway, or
// the Gateways of a class, those of all that ask for it.
func namespacesOf(s *mesh.Snapshot, o *mesh.Object) []string {
	if o.Kind == mesh.Namespace {
		return []string{o.Name}
	}
	out := []string{o.Namespace}
	gateways := []*mesh.Object{o}
	switch o.Kind {
	case mesh.Gateway:
	case mesh.GatewayClass:
		gateways = s.GatewaysOf(o.Name)
	default:
		return out
	}
	for _, gw := range gateways {
		for _, asking := range slices.Concat([]*mesh.Object{gw}, s.AskingFor(gw)) {
			ns := asking.Namespace
			if asking.Kind == mesh.Namespace {
				ns = asking.Name
			}
			if !slices.Contains(out, ns) {
				out = append(out, ns)
			}
		}
	}
	return out
}

// waypointsOf are the Gateways that the object's labels name, whether they exist or not, and itself.
func waypointsOf(s *mesh.Snapshot, o *mesh.Object) []*mesh.Object {
	out := []*mesh.Object{o}
	if name, ok := o.Labels[label.IoIstioUseWaypoint.Name]; ok {
		ns, ok := o.Labels[label.IoIstioUseWaypointNamespace.Name]
		if !ok {
			ns = cmp.Or(o.Namespace, o.Name)
		}
		out = append(out, &mesh.Object{Kind: mesh.Gateway, Namespace: ns, Name: name})
	}
	if b := s.Binding(o); b.Gateway != nil {
		out = append(out, b.Gateway)
	}
	return out
}

func policiesIn(s *mesh.Snapshot, ns string) []*mesh.Object {
	var out []*mesh.Object
	for kind := range judges {
		out = append(out, s.List(kind, ns)...)
	}
	return out
}
