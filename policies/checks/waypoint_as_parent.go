package checks

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A route whose parent is the Gateway of an Envoy waypoint. istiod makes nothing of it ("Waypoint
// doesn't convert routes to VirtualServices", pilot/pkg/config/kube/gateway/gateway_collection.go) and
// writes no status, although Istio's documentation shows such routes. An agentgateway waypoint does
// take them.
var _ = policies.Register(policies.Check{
	ID:       "effect/waypoint-as-parent",
	Title:    "A route whose parent is a waypoint",
	Severity: policies.Medium,
	Kinds:    routing[1:],
	Cases:    []int{100},
	Controls: configuration(),
	Doc: `A route inside the mesh names the Services whose calls it is about as its parents. One whose parent is the Gateway
of a waypoint is silently ignored: istiod makes nothing of it and writes no status.`,
	Remedy: "Name the Services whose calls are meant as parents instead.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.WaypointParent) {
			f := told(e)
			f.Fixes = nameService(p, e)
			p.Report(f)
		}
	},
})

// nameService offers the only Service that is bound to the waypoint as parent, where the route then
// takes all its calls and no other rule is in the way.
func nameService(p *policies.Pass, e policies.Effect) []policies.Fix {
	gw := p.Get(mesh.Gateway, e.Target.Namespace, e.Target.Name)
	bound := p.BoundTo(gw)
	r := p.Object.Spec.(*mesh.Route)
	if len(bound) != 1 || len(r.ParentRefs) != 1 || len(r.Hostnames) > 0 {
		return nil
	}
	svc := bound[0]
	http := p.Object.Kind == mesh.HTTPRoute || p.Object.Kind == mesh.GRPCRoute
	fits := !slices.ContainsFunc(p.Ports(svc), func(port mesh.Port) bool { return (port.Protocol == mesh.HTTP) != http })
	if svc.Kind != mesh.Service || svc.Namespace != p.Object.Namespace || mesh.Headless(svc) || !fits || p.Object.Kind == mesh.TLSRoute ||
		len(p.RoutesFrom(svc)) > 0 || len(p.VirtualServicesFor(svc)) > 0 || !safeAt(p, p.Object, gw) {
		return nil
	}
	return []policies.Fix{{
		Message: fmt.Sprintf("name %s, the only one behind the waypoint, as parent; the route then takes all its calls", svc),
		Patch:   []policies.Op{{Op: "replace", Path: "/spec/parentRefs/0", Value: map[string]any{"group": "", "kind": "Service", "name": svc.Name}}},
	}}
}
