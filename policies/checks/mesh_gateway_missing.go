package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A VirtualService for a Service of the mesh that names gateways and not "mesh", while none of those
// gateways serves the host. It then holds neither for calls inside the mesh nor at a gateway. A
// VirtualService whose gateways do serve its hosts is meant for them, and nothing is wrong with it.
var _ = policies.Register(policies.Check{
	ID:       "effect/mesh-gateway-missing",
	Title:    "A VirtualService that holds neither inside the mesh nor at its gateways",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.VirtualService},
	Cases:    []int{87},
	Controls: configuration(),
	Doc: `Once spec.gateways is set, a VirtualService holds for calls inside the mesh only if "mesh" is among them. Where
the gateways named have no server for its hosts, it holds nowhere.`,
	Remedy: `Add "mesh" to spec.gateways, or a server for the host to the gateway.`,
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.NoMatchingListenerHostname) {
			svc := targetOf(p, e.Target)
			if svc == nil || svc.Kind != mesh.Service {
				continue
			}
			f := told(e)
			f.Remedy = p.Check.Remedy
			hosts := p.Object.Spec.(*mesh.VirtualServiceSpec).Hosts
			b := p.Binding(svc)
			if len(hosts) == 1 && b.Bound && safeAt(p, p.Object, b.Gateway) && len(p.RoutesFrom(svc)) == 0 && len(p.VirtualServicesFor(svc)) == 1 {
				f.Fixes = []policies.Fix{{
					Message: "let it hold for all calls to " + svc.String() + " inside the mesh, at waypoint " + b.Gateway.Key(),
					Patch:   []policies.Op{{Op: "add", Path: "/spec/gateways/-", Value: "mesh"}},
				}}
			}
			p.Report(f)
		}
	},
})
