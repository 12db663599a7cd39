package checks

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Service whose waypoint enforces policies while nothing at its pods keeps out who does not come through the
// waypoint. Only ambient clients are sent there, by their own ztunnel; nothing at the destination makes
// anybody take that way (docs/semantics.md). Information: no stored object shows such a caller.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/unguarded",
	Title:    "Pods that can be reached without passing the waypoint",
	Severity: policies.Info,
	Kinds:    []mesh.Kind{mesh.Service},
	Cases:    []int{22},
	Controls: evidenceFor(defaultDeny(), segmentation()),
	Doc: `A waypoint judges what is sent to it: calls of ambient clients to the Service. Who calls a pod by its address, has a sidecar, or is
outside the mesh reaches the pods without it, and no policy of the waypoint applies. A policy at the pods that denies everybody but the
waypoint closes that; so does istiod's flag PILOT_AUTO_ALLOW_WAYPOINT_POLICY.`,
	Remedy: "Deny everybody but the waypoint at the pods, and whom else you mean to let in there, such as a scraper of metrics.",
	Run: func(p *policies.Pass) {
		b := p.Binding(p.Object)
		behind, shown := p.Backends(p.Object)
		if !b.Bound || !shown || mesh.Headless(p.Object) || p.ClassOf(b.Gateway) != mesh.ClassWaypoint || p.Sandwiched(b.Gateway) {
			return
		}
		var guards []*mesh.Object
		for _, kind := range []mesh.Kind{mesh.AuthorizationPolicy, mesh.RequestAuthentication} {
			guards = append(guards, policies.OnChain(p.Snapshot, kind, p.Object)...)
		}
		guards = slices.DeleteFunc(guards, func(o *mesh.Object) bool { return !inForce(p, o) })
		if len(guards) == 0 || policies.Guarded(p.Snapshot, behind) {
			return
		}
		id := p.Identity(b.Gateway)
		p.Report(policies.Finding{
			Field: "metadata.name", Related: refsOf(guards), WaitsFor: another(mesh.AuthorizationPolicy, p.Object.Namespace),
			Message: fmt.Sprintf("a caller that does not come through waypoint %s meets none of the policies that it enforces (%s): nothing at the pods keeps such callers out.", b.Gateway.Key(), enumerate(guards)),
			Fixes: []policies.Fix{{
				Message: fmt.Sprintf("deny everybody but %s at the pods; callers by address, with sidecars, or outside the mesh are denied from then on", id),
				Apply:   []map[string]any{guard(p.Object, id)},
			}},
		})
	},
})

// guard is a DENY of everybody but one principal at the pods of a Service.
func guard(svc *mesh.Object, principal string) map[string]any {
	labels := map[string]any{}
	for k, v := range svc.Spec.(*mesh.ServiceSpec).Selector {
		labels[k] = v
	}
	return policy(svc, svc.Name+"-only-from-waypoint", map[string]any{
		"action":   policies.Deny,
		"selector": map[string]any{"matchLabels": labels},
		"rules":    []any{map[string]any{"from": []any{map[string]any{"source": map[string]any{"notPrincipals": []any{principal}}}}}},
	})
}
