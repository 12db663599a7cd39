package policies

import (
	"fmt"

	"github.com/waywarden/waywarden/policies/mesh"
)

// inferencePool judges an InferencePool by the routes that lead to it. Gateways ask its endpoint
// picker; an Envoy waypoint never does and balances plainly
// (pilot/pkg/networking/core/listener_builder.go, under !isWaypoint).
func inferencePool(s *mesh.Snapshot, o *mesh.Object) []Effect {
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	t := Target{Kind: ScopeSelector, Namespace: o.Namespace, Labels: o.Spec.(*mesh.InferencePoolSpec).Labels()}
	var effects []Effect
	for _, kind := range []mesh.Kind{mesh.HTTPRoute, mesh.GRPCRoute} {
		for _, r := range s.List(kind, o.Namespace) {
			if leadsTo(r, o) {
				for _, e := range route(s, r) {
					effects = append(effects, pooled(s, t, r, e))
				}
			}
		}
	}
	if len(effects) > 0 {
		return join(effects)
	}
	e := nobody(t, NotEnforced, NoRoute, "metadata.name", "this InferencePool has no effect: no HTTPRoute of its namespace leads to it. Name it as a backendRef.")
	if !s.Known(o.Namespace) {
		e = nobody(t, Unknown, NotInInput, "metadata.name", fmt.Sprintf("it cannot be judged: Namespace %s is not in the input, so nobody can tell which routes lead to it. Add it, or use --live.", o.Namespace))
	}
	e.WaitsFor = []Wait{{Object: &mesh.Ref{APIVersion: mesh.HTTPRoute.APIVersion(), Kind: "HTTPRoute", Namespace: o.Namespace}}}
	return []Effect{e}
}

func leadsTo(r, pool *mesh.Object) bool {
	for _, rule := range r.Spec.(*mesh.Route).Rules {
		for _, b := range rule.BackendRefs {
			if b.Kind == "InferencePool" && b.Name == pool.Name && (b.Namespace == "" || b.Namespace == pool.Namespace) {
				return true
			}
		}
	}
	return false
}

// pooled is what becomes of the pool through one effect of a route that leads to it.
func pooled(s *mesh.Snapshot, t Target, r *mesh.Object, e Effect) Effect {
	through := e
	e = Effect{Target: t, EnforcedBy: through.EnforcedBy, By: through.By, Verdict: through.Verdict, Reason: through.Reason, WaitsFor: through.WaitsFor,
		Field: "metadata.name", Message: fmt.Sprintf("through %s: %s", r, through.Message)}
	switch {
	case through.EnforcedBy == Waypoint && s.ClassOf(s.Get(mesh.Gateway, through.By.Namespace, through.By.Name)) != mesh.ClassAgentgateway,
		through.EnforcedBy == Sidecar:
		return nobody(t, NotEnforced, UnsupportedValue, "metadata.name", fmt.Sprintf(
			"this InferencePool is not asked for calls that %s handles inside the mesh: neither Envoy waypoints nor sidecars ask an endpoint picker. Use a waypoint of class istio-agentgateway-waypoint, or lead the calls through a Gateway.", r))
	case through.EnforcedBy == Gateway && s.Settings().Flags != nil && !s.Settings().Flag("ENABLE_GATEWAY_API_INFERENCE_EXTENSION", false):
		return nobody(t, NotEnforced, FeatureDisabled, "metadata.name",
			"this InferencePool has no effect: istiod does not read the kind without ENABLE_GATEWAY_API_INFERENCE_EXTENSION. Set it.")
	}
	return e
}
