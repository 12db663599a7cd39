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
	Controls: authorization(),
	Doc: `A waypoint applies only policies that name it, its class or its Services with targetRefs; nothing captures the waypoint's own
pods. So a policy that selects them by their labels has no effect. (An ingress gateway does apply such policies, unless istiod
has ENABLE_SELECTOR_BASED_K8S_GATEWAY_POLICY=false.)`,
	Remedy: "Name the waypoint with targetRefs.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			switch {
			case e.Reason == policies.GatewayNeedsTarget:
				tell(p, e)
			case e.Reason != policies.WaypointPods:
			case e.Target.Kind == policies.ScopeSelector:
				tell(p, e, nameWaypoint(p)...)
			default:
				wholeNamespaceOfWaypoint(p, e)
			}
		}
	},
})

// wholeNamespaceOfWaypoint is a policy for a namespace in which only a waypoint runs. Who gives every
// namespace the same default deny means no harm by it; HTTP rules are meant for the waypoint.
func wholeNamespaceOfWaypoint(p *policies.Pass, e policies.Effect) {
	message, remedy := parted(e)
	f := policies.Finding{Verdict: e.Verdict, Field: e.Field, Message: message, Remedy: remedy}
	if len(policies.L7Attributes(p.Object.Spec.(*mesh.AuthorizationPolicySpec))) == 0 {
		f.Severity = policies.Info
	}
	p.Report(f)
}

// nameWaypoint offers to name the Gateway instead, for a DENY: an ALLOW could widen others at the waypoint.
func nameWaypoint(p *policies.Pass) []policies.Fix {
	spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
	if policies.Action(spec) != policies.Deny || slices.ContainsFunc(spec.Rules, func(r mesh.Rule) bool { return namesPorts(&r) }) {
		return nil
	}
	name := ""
	ns, labels := p.Object.Namespace, spec.Selector.MatchLabels
	for _, w := range slices.Concat(p.Select(ns, labels), p.GatewayPods(ns, labels)) {
		gw := w.Labels[label.IoK8sNetworkingGatewayGatewayName.Name]
		if name != "" && name != gw {
			return nil
		}
		name = gw
	}
	if name == "" {
		return nil
	}
	return rewritten(p, fmt.Sprintf("name Gateway %s/%s; from then on the calls that the policy describes are denied at the waypoint", p.Object.Namespace, name), []policies.Op{
		{Op: "remove", Path: "/spec/selector"},
		{Op: "add", Path: "/spec/targetRefs", Value: []any{map[string]any{"group": mesh.Gateway.Group(), "kind": mesh.Gateway.String(), "name": name}}},
	})
}
