package checks

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A policy whose selector selects only pods of a waypoint. ztunnel does not capture a waypoint, and a waypoint
// ignores every policy with a selector (pilot/pkg/model/policyattachment.go ShouldAttachPolicy). A gateway's
// pods are another matter: gateways do apply selectors (istio/istio#58316).
var _ = policies.Register(policies.Check{
	ID:       "effect/selects-waypoint",
	Title:    "A selector that selects a waypoint",
	Severity: policies.Critical,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{39},
	Doc: `A waypoint applies only policies that name it, its class or its Services with targetRefs; nothing captures the waypoint's own
pods. So a policy that selects them by their labels has no effect. (An ingress gateway does apply such policies.)`,
	Remedy: "Name the waypoint with targetRefs.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Reason == policies.WaypointPods {
				tell(p, e, nameWaypoint(p)...)
			}
		}
	},
})

// nameWaypoint offers to name the Gateway instead, for a DENY: an ALLOW could widen others at the waypoint.
func nameWaypoint(p *policies.Pass) []policies.Fix {
	spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
	if policies.Action(spec) != policies.Deny || slices.ContainsFunc(spec.Rules, func(r mesh.Rule) bool { return namesPorts(&r) }) {
		return nil
	}
	name := ""
	for _, w := range p.Select(p.Object.Namespace, spec.Selector.MatchLabels) {
		gw := w.Labels[label.IoK8sNetworkingGatewayGatewayName.Name]
		if name != "" && name != gw {
			return nil
		}
		name = gw
	}
	return rewritten(p, fmt.Sprintf("name Gateway %s/%s; from then on the calls that the policy describes are denied at the waypoint", p.Object.Namespace, name), []policies.Op{
		{Op: "remove", Path: "/spec/selector"},
		{Op: "add", Path: "/spec/targetRefs", Value: []any{map[string]any{"group": mesh.Gateway.Group(), "kind": mesh.Gateway.String(), "name": name}}},
	})
}
