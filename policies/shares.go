package policies

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A Service with a canary has two waypoints, and ztunnel draws lots between them for each connection. Both are sent what names the
// Service; what names a Gateway is only in force there, and each sends to the pods as itself.

// shareOf is the other waypoint that takes a share of a Service's connections, and how large that is; nil where there is none.
func shareOf(s *mesh.Snapshot, svc, gw *mesh.Object) (*mesh.Object, int) {
	c := s.Canary(svc)
	primary := s.Binding(svc).Gateway
	switch {
	case !c.Attached || gw == nil:
	case gw == primary && c.Weight > 0:
		return c.Gateway, c.Weight
	case gw == c.Gateway && c.Weight < 100:
		return primary, 100 - c.Weight
	}
	return nil, 0
}

// canaryBypass is the way round a policy that names one Gateway of a Service that has two.
func canaryBypass(s *mesh.Snapshot, policy, svc *mesh.Object, e *Effect) (Bypass, bool) {
	if e.Target.Kind != mesh.Gateway.String() || e.By == nil {
		return Bypass{}, false
	}
	other, share := shareOf(s, svc, s.Get(mesh.Gateway, e.By.Namespace, e.By.Name))
	if other == nil || SaidAt(s, other, policy) {
		return Bypass{}, false
	}
	return Bypass{Reason: OtherWaypoint, Via: svc, Caller: s.Identity(other),
		Text:   fmt.Sprintf("%d%% of the connections of %s take waypoint %s", share, svc, other.Key()),
		Remedy: "Say the same there, or bind the policy to the Service with targetRefs."}, true
}

// SaidAt is whether a policy names a Gateway, or, of an AuthorizationPolicy, another one of its namespace says the same there.
func SaidAt(s *mesh.Snapshot, gw, policy *mesh.Object) bool {
	said := func(o *mesh.Object) mesh.AuthorizationPolicySpec {
		out := *o.Spec.(*mesh.AuthorizationPolicySpec)
		out.TargetRef, out.TargetRefs = nil, nil
		return out
	}
	return slices.ContainsFunc(s.PoliciesFor(gw), func(o *mesh.Object) bool {
		if o.Kind == policy.Kind && o.Namespace == policy.Namespace && o.Name == policy.Name {
			return true
		}
		return policy.Kind == mesh.AuthorizationPolicy && o.Kind == policy.Kind && o.Namespace == policy.Namespace && !o.Terminating && Tries(o) == Tries(policy) &&
			reflect.DeepEqual(said(o), said(policy))
	})
}
