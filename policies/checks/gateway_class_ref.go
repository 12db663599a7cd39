package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A targetRef to a GatewayClass reaches waypoints only from the root namespace and only under the
// literal name istio-waypoint (pilot/pkg/model/policyattachment.go ShouldAttachPolicy). istiod's
// condition looks at the class's controller instead, and so accepts a class of one's own that no
// waypoint ever matches.
var _ = policies.Register(policies.Check{
	ID:       "effect/gateway-class-ref",
	Title:    "A GatewayClass that no waypoint matches",
	Severity: policies.High,
	Kinds:    bound,
	Cases:    []int{27, 28},
	Controls: authorization(),
	Doc: `A policy for all waypoints names GatewayClass istio-waypoint and stands in the root namespace. Any other
class, or any other namespace, matches no waypoint. For a class of one's own istiod even reports the policy as accepted.`,
	Remedy: "Name GatewayClass istio-waypoint from the root namespace, or name the waypoints' Gateways.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Target.Kind != "GatewayClass" {
				continue
			}
			switch e.Reason {
			case policies.Invalid, policies.TargetNotFound, policies.ClassNotMatched:
				p.Report(policies.Finding{
					Verdict: e.Verdict, Severity: lost(p.Object, e), Field: e.Field, Remedy: lastSentence(e.Message), Fixes: renameClass(p, e),
					Message: fmt.Sprintf("%s: %s.", nobodyApplies(p.Object), e.Causes[0].Text),
				})
			}
		}
	},
})

// renameClass offers istio-waypoint for a class of one's own. That name reaches every waypoint,
// whatever its class, so it is offered only where all waypoints are of the class that is named.
func renameClass(p *policies.Pass, e policies.Effect) []policies.Fix {
	spec, ok := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
	if !ok {
		return nil
	}
	if p.Object.Namespace != p.RootNamespace() {
		return nameGateway(p, e)
	}
	if e.Reason != policies.ClassNotMatched {
		return nil
	}
	some := false
	for gw := range p.All(mesh.Gateway) {
		if p.ClassOf(gw) != mesh.ClassWaypoint {
			continue
		}
		if gw.Spec.(*mesh.GatewayBody).Spec.GatewayClassName != e.Target.Name {
			return nil
		}
		some = true
		if widens(p, spec, p.BoundTo(gw)) {
			return nil
		}
	}
	path := pointerTo(e.Field, "name")
	if !some || path == "" {
		return nil
	}
	return []policies.Fix{{
		Message: fmt.Sprintf("name GatewayClass %s, which reaches the waypoints of every class; from then on all of them enforce what the policy says, which nobody does now", mesh.WaypointClassName),
		Patch:   []policies.Op{{Op: "replace", Path: path, Value: mesh.WaypointClassName}},
	}}
}

// nameGateway offers the one waypoint of the policy's own namespace, beyond which it cannot reach.
func nameGateway(p *policies.Pass, e policies.Effect) []policies.Fix {
	var found []*mesh.Object
	for _, gw := range p.List(mesh.Gateway, p.Object.Namespace) {
		if p.ClassOf(gw) == mesh.ClassWaypoint && !p.Sandwiched(gw) && mesh.Ready(gw) {
			found = append(found, gw)
		}
	}
	spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
	if len(found) != 1 || len(p.BoundTo(found[0])) == 0 || !speakHTTP(p, p.BoundTo(found[0])) || widens(p, spec, p.BoundTo(found[0])) || len(spec.Attachment().Refs()) != 1 {
		return nil
	}
	return []policies.Fix{{
		Message: fmt.Sprintf("name %s, the only waypoint of the namespace; from then on it enforces what the policy says, which nobody does now", short(found[0])),
		Patch: []policies.Op{{Op: "replace", Path: pointerTo(e.Field), Value: map[string]any{
			"group": mesh.Gateway.Group(), "kind": mesh.Gateway.String(), "name": found[0].Name,
		}}},
	}}
}
