package policies

import (
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// proxyConfig judges a ProxyConfig (docs/semantics.md). Sidecars and gateways read it when they
// are injected, a waypoint when istiod renders its Deployment, by namespace or by the one label
// gateway-name (gatewaycommon/deploymentcontroller.go render). Nothing of it reaches ztunnel.
func proxyConfig(s *mesh.Snapshot, o *mesh.Object) []Effect {
	p := o.Spec.(*mesh.ProxyConfigSpec)
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	r := proxyConfigReach(s, o, p)
	if p.Selector != nil && len(p.Selector.MatchLabels) == 0 {
		// pilot/pkg/model/proxy_config.go: neither mergedNamespaceConfig nor mergedWorkloadConfig takes it.
		return []Effect{nobody(r.target, NotEnforced, EmptySelector, "spec.selector",
			"this ProxyConfig has no effect: istiod takes one with `selector: {}` neither for a namespace's nor for a workload's. Remove spec.selector if the whole namespace is meant.")}
	}
	scope := scopePolicy{what: "this ProxyConfig", field: scopeField(p.Selector, "selector"), sidecars: true, gateways: true,
		reason: NoProxy, why: "enrolled pods have no proxy of their own, and ztunnel is configured by its own Helm values", remedy: "Remove it."}
	waypoints := proxyConfigWaypoints(s, o, p)
	if len(waypoints) == 0 {
		return scope.effects(r)
	}
	e := Effect{Target: r.target, EnforcedBy: Waypoint, By: waypointRef(waypoints), Verdict: Enforced, Reason: Accepted,
		Message: "istiod applies it to the waypoints when it renders them."}
	return append(scope.at(r), e)
}

// proxyConfigReach: a selector stays in its own namespace, the root namespace's too.
func proxyConfigReach(s *mesh.Snapshot, o *mesh.Object, p *mesh.ProxyConfigSpec) reach {
	if p.Selector == nil || len(p.Selector.MatchLabels) == 0 {
		return reachOf(s, o, nil)
	}
	r := reach{target: Target{Kind: ScopeSelector, Namespace: o.Namespace, Labels: p.Selector.MatchLabels}}
	r.fill(s, o.Namespace, p.Selector.MatchLabels)
	return r
}

func proxyConfigWaypoints(s *mesh.Snapshot, o *mesh.Object, p *mesh.ProxyConfigSpec) []*mesh.Object {
	var out []*mesh.Object
	for gw := range s.AllUnder(mesh.Gateway, o.Namespace) {
		if !s.ClassOf(gw).Waypoint() || p.Selector != nil && gw.Namespace != o.Namespace {
			continue
		}
		if p.Selector != nil && (len(p.Selector.MatchLabels) != 1 || p.Selector.MatchLabels[label.IoK8sNetworkingGatewayGatewayName.Name] != gw.Name) {
			continue
		}
		out = append(out, gw)
	}
	return out
}
