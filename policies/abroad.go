package policies

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// byTarget are the kinds that a waypoint applies to whoever calls. What is about routing is about the
// callers of this cluster, and says nothing of others.
var byTarget = []mesh.Kind{mesh.AuthorizationPolicy, mesh.RequestAuthentication, mesh.EnvoyFilter, mesh.WasmPlugin, mesh.TrafficExtension}

// abroad leaves open what the objects of one cluster cannot show: whether a policy that a waypoint enforces as
// written also meets callers of other clusters. Those pass the waypoint that their own cluster gives the
// Service, if any, with the policies of that cluster. What fails for callers of this cluster fails all the same.
func abroad(s *mesh.Snapshot, o *mesh.Object, effects []Effect) []Effect {
	if !slices.Contains(byTarget, o.Kind) {
		return effects
	}
	for i := range effects {
		e := &effects[i]
		if e.EnforcedBy != Waypoint || e.Verdict != Enforced {
			continue
		}
		svc := globalAt(s, e)
		if svc == nil {
			continue
		}
		why := s.Spans()
		if why == "" {
			return effects
		}
		text := fmt.Sprintf("%s is called from other clusters too (%s), and which waypoint and policies hold for those callers is stored there", svc, why)
		e.EnforcedBy, e.Verdict, e.Reason = Nobody, Unknown, MultiCluster
		e.Causes = []Cause{{Reason: MultiCluster, Verdict: Unknown, Field: e.Field, Text: text}}
		e.Message = "it cannot be judged for callers of other clusters: " + text + ". Store the waypoint, its label and the policy in every cluster."
	}
	return effects
}

// globalAt is a Service of global scope to which the effect applies; nil if there is none.
func globalAt(s *mesh.Snapshot, e *Effect) *mesh.Object {
	var services []*mesh.Object
	switch {
	case e.Target.Kind == mesh.Service.String():
		if svc := s.Get(mesh.Service, e.Target.Namespace, e.Target.Name); svc != nil {
			services = []*mesh.Object{svc}
		}
	case e.By != nil:
		if gw := s.Get(mesh.Gateway, e.By.Namespace, e.By.Name); gw != nil {
			services = s.BoundTo(gw)
		}
	default:
		for gw := range s.All(mesh.Gateway) {
			services = append(services, s.BoundTo(gw)...)
		}
	}
	for _, svc := range services {
		if s.Global(svc) {
			return svc
		}
	}
	return nil
}
