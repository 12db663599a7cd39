package policies

import (
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// OnChain are the policies of a kind that a waypoint applies to the calls to a Service or ServiceEntry
// bound to it: those that name the Service, the waypoint's Gateway, or the class of all waypoints.
// They are one set there: the DENYs add up, and so do the ALLOWs (docs/semantics.md).
func OnChain(s *mesh.Snapshot, kind mesh.Kind, svc *mesh.Object) []*mesh.Object {
	b := s.Binding(svc)
	if !b.Bound {
		return nil
	}
	out := ofKind(s.PoliciesFor(svc), kind, svc.Namespace)
	for _, o := range OnWaypoint(s, kind, b.Gateway) {
		if !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}

// OnWaypoint are the policies of a kind that a waypoint applies to all that passes it.
func OnWaypoint(s *mesh.Snapshot, kind mesh.Kind, gw *mesh.Object) []*mesh.Object {
	out := ofKind(s.PoliciesFor(gw), kind, gw.Namespace)
	return append(out, ofKind(s.PoliciesForClass(mesh.WaypointClassName), kind, s.RootNamespace())...)
}

func ofKind(policies []*mesh.Object, kind mesh.Kind, ns string) []*mesh.Object {
	var out []*mesh.Object
	for _, o := range policies {
		if o.Kind == kind && o.Namespace == ns {
			out = append(out, o)
		}
	}
	return out
}

// providerConflict is another CUSTOM policy on one of the chains that names another provider. Then
// every CUSTOM policy of the chain becomes a DENY of what it matches, unless istiod allows several
// (pilot/pkg/security/authz/builder/builder.go).
func providerConflict(s *mesh.Snapshot, name string, services []*mesh.Object) *mesh.Object {
	if s.Settings().Flag("PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS", false) {
		return nil
	}
	for _, svc := range services {
		for _, o := range OnChain(s, mesh.AuthorizationPolicy, svc) {
			p := o.Spec.(*mesh.AuthorizationPolicySpec)
			if Action(p) == Custom && providerOf(p) != name {
				return o
			}
		}
	}
	return nil
}

func providerOf(p *mesh.AuthorizationPolicySpec) string {
	if p.Provider == nil {
		return ""
	}
	return p.Provider.Name
}
