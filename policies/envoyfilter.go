package policies

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/waywarden/waywarden/policies/mesh"
)

// envoyFilter judges an EnvoyFilter (docs/semantics.md). A waypoint gets it by targetRefs only,
// and only by those that name the Gateway or its class: istiod matches EnvoyFilters without looking
// at Services (pilot/pkg/model/push_context.go getMatchedEnvoyFilters).
func envoyFilter(s *mesh.Snapshot, o *mesh.Object) []Effect {
	p := o.Spec.(*mesh.EnvoyFilterSpec)
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	at := p.Attachment()
	if len(at.Refs()) == 0 {
		return envoyFilterScope(s, o, p)
	}
	attachments := attach(s, o, at)
	meant := map[bool]bool{} // whether some target is a gateway, and some a waypoint
	for _, a := range attachments {
		meant[a.gateway] = true
	}
	var out []Effect
	for _, a := range attachments {
		if a.target.Kind == "Service" || a.target.Kind == "ServiceEntry" {
			a.neverByService()
		}
		e := a.effect("this EnvoyFilter")
		if a.applied() {
			e.Message = proxyOf(a) + " applies it as written."
			judgePatches(s, p, a, meant[!a.gateway], &e)
		}
		out = mergeTargets(out, e)
	}
	return out
}

// neverByService is a targetRef of an EnvoyFilter to a Service, which nothing that may be bound helps.
func (a *attachment) neverByService() {
	remedy := "Name the Gateway of the waypoint instead."
	if a.by != nil {
		remedy = fmt.Sprintf("Name the waypoint, Gateway %s, instead.", a.by.Key())
	}
	a.not(NotEnforced, UnsupportedValue, fmt.Sprintf("istiod never looks at Services when it hands out EnvoyFilters, so a targetRef to a %s matches nothing", a.target.Kind), remedy)
}

// envoyFilterScope judges an EnvoyFilter without targetRefs, by what its patches are for.
func envoyFilterScope(s *mesh.Snapshot, o *mesh.Object, p *mesh.EnvoyFilterSpec) []Effect {
	sel := p.Attachment().Selector
	scope := scopePolicy{what: "this EnvoyFilter", field: scopeField(sel, "workloadSelector"),
		reason: NeedsTargetRefs, why: "ztunnel is no Envoy, and a waypoint applies an EnvoyFilter only where targetRefs name its Gateway",
		remedy: "Name the waypoint's Gateway with targetRefs."}
	for _, c := range p.ConfigPatches {
		switch c.Context() {
		case mesh.ContextAny:
			scope.sidecars, scope.gateways = true, true
		case mesh.ContextGateway:
			scope.gateways = true
		case mesh.ContextInbound, mesh.ContextOutbound:
			scope.sidecars = true
		}
	}
	r := reachOf(s, o, sel)
	r.waypointPods(s)
	if !scope.sidecars && !scope.gateways {
		field, why := "spec.configPatches", "it has no patch"
		if len(p.ConfigPatches) > 0 {
			field, why = patchField(0)+".match.context", "no proxy has the context WAYPOINT, which Istio accepts and does not implement"
		}
		return []Effect{nobody(r.target, NotEnforced, ContextNeverMatches, field,
			fmt.Sprintf("this EnvoyFilter has no effect: %s. Name the waypoint's Gateway with targetRefs, and context SIDECAR_INBOUND.", why))}
	}
	return scope.effects(r)
}

func patchField(i int) string { return "spec.configPatches[" + strconv.Itoa(i) + "]" }

// judgePatches judges the patches of an EnvoyFilter that a waypoint or gateway gets. shared is
// whether it is for both, so that a patch for the one need not fit the other.
func judgePatches(s *mesh.Snapshot, p *mesh.EnvoyFilterSpec, a *attachment, shared bool, e *Effect) {
	routed := routedServices(s, a.services)
	var fates, others []patchFate
	dead, lost := 0, 0
	for i, c := range p.ConfigPatches {
		f := fateAtGateway(c)
		if !a.gateway {
			f = fateAtWaypoint(c, a, routed)
		}
		f.field = patchField(i) + f.field
		if f.reason == ContextNeverMatches && shared && c.Context() != mesh.ContextWaypoint {
			others = append(others, f)
			continue
		}
		fates = append(fates, f)
		if f.verdict != Enforced {
			lost++
		}
		if f.verdict == NotEnforced {
			dead++
		}
	}
	if len(fates) == 0 {
		fates, dead, lost = others, len(others), len(others)
	}
	if lost == 0 {
		if !a.gateway {
			judgeBypass(s, a, e)
		}
		return
	}
	v, consequence := PartiallyEnforced, "a part of this EnvoyFilter has no effect at "
	if dead == len(fates) {
		v, consequence = NotEnforced, "this EnvoyFilter has no effect at "
	}
	var causes []Cause
	for _, f := range fates {
		if f.verdict == Enforced {
			continue
		}
		if len(causes) == 0 {
			e.limit(v, f.reason, f.field, consequence+proxyOf(a), f.why, f.remedy)
		}
		causes = append(causes, Cause{Reason: f.reason, Verdict: f.verdict, Field: f.field, Text: f.why})
	}
	e.Causes = causes
}

// patchFate is what becomes of one patch at one proxy.
type patchFate struct {
	verdict       Verdict
	reason, field string
	why, remedy   string
}

func fateAtGateway(c mesh.ConfigPatch) patchFate {
	if context := c.Context(); context != mesh.ContextAny && context != mesh.ContextGateway && !c.WithoutContext() {
		return patchFate{NotEnforced, ContextNeverMatches, ".match.context", fmt.Sprintf("a gateway never has the context %s", context), "Use context GATEWAY."}
	}
	return patchFate{verdict: Enforced}
}

// fateAtWaypoint: all listeners of a waypoint are inbound ones (pilot/pkg/networking/core/listener.go
// buildWaypointListeners), the clusters of its own Services are not patched at all (cluster.go
// buildClusters), and neither are routes that come from a VirtualService or an HTTPRoute
// (listener_waypoint.go buildWaypointInboundHTTPRouteConfig).
func fateAtWaypoint(c mesh.ConfigPatch, a *attachment, routed []*mesh.Object) patchFate {
	context := c.Context()
	never := patchFate{NotEnforced, ContextNeverMatches, ".match.context", "a waypoint never has the context " + context, "Use context SIDECAR_INBOUND, which is a waypoint's."}
	switch {
	case c.WithoutContext():
		return patchFate{verdict: Enforced}
	case context == mesh.ContextWaypoint:
		never.why = "Istio accepts the context WAYPOINT and does not implement it"
		return never
	case context == mesh.ContextGateway:
		return never
	case c.ApplyTo == "CLUSTER":
		return clusterFate(c, a)
	case context == mesh.ContextOutbound:
		never.why = "all listeners and routes of a waypoint are inbound, and the context is SIDECAR_OUTBOUND"
		return never
	case slices.Contains([]string{"ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"}, c.ApplyTo) && len(routed) > 0:
		f := patchFate{PartiallyEnforced, PatchNeverApplies, ".applyTo",
			fmt.Sprintf("a waypoint does not patch routes that come from a VirtualService or HTTPRoute, and %s has one", routed[0].Ref()),
			"Say it in the VirtualService or HTTPRoute."}
		if len(routed) == len(a.services) && !a.direct {
			f.verdict = NotEnforced
		}
		return f
	}
	return patchFate{verdict: Enforced}
}

// clusterFate: clusters are added as asked; of those that are there, only the outbound ones are
// patched, which lead to Services that are not bound to the waypoint.
func clusterFate(c mesh.ConfigPatch, a *attachment) patchFate {
	context := c.Context()
	if c.Patch.Operation == "ADD" || context == mesh.ContextOutbound {
		return patchFate{verdict: Enforced}
	}
	f := patchFate{NotEnforced, PatchNeverApplies, ".patch.operation",
		fmt.Sprintf("a waypoint does not patch (%s) the clusters of the Services bound to it", c.Patch.Operation), "Use a DestinationRule."}
	if context == mesh.ContextInbound || len(a.services) > 0 && slices.ContainsFunc(a.services, func(svc *mesh.Object) bool { return c.NamesCluster(svc) }) {
		return f
	}
	if c.Match.Cluster.Service != "" || c.Match.Cluster.Name != "" {
		return patchFate{verdict: Enforced} // a cluster that is not the waypoint's own: it may well be patched
	}
	f.verdict = PartiallyEnforced
	return f
}

// routedServices are the Services whose calls a waypoint handles by routes of their own for certain.
func routedServices(s *mesh.Snapshot, services []*mesh.Object) []*mesh.Object {
	var out []*mesh.Object
	for _, svc := range services {
		if slices.ContainsFunc(s.RoutesFrom(svc), func(r *mesh.Object) bool { return routesAllPorts(r, svc) }) || slices.ContainsFunc(s.HostPolicies(mesh.VirtualService, svc), func(v *mesh.Object) bool { return routesInMesh(v, svc) }) {
			out = append(out, svc)
		}
	}
	return out
}

// routesAllPorts is whether a route of the Service's namespace has the whole Service for a parent.
func routesAllPorts(r, svc *mesh.Object) bool {
	if r.Kind != mesh.HTTPRoute && r.Kind != mesh.GRPCRoute || r.Namespace != svc.Namespace {
		return false
	}
	return slices.ContainsFunc(r.Spec.(*mesh.Route).ParentRefs, func(p mesh.ParentRef) bool {
		_, kind := p.GroupKind()
		return kind == svc.Kind.String() && p.Name == svc.Name && p.Port == 0
	})
}

// routesInMesh is whether a VirtualService of the Service's namespace has a plain HTTP route for
// calls inside the mesh.
func routesInMesh(v, svc *mesh.Object) bool {
	spec := v.Spec.(*mesh.VirtualServiceSpec)
	if v.Namespace != svc.Namespace || len(spec.ExportTo) > 0 || len(spec.Gateways) > 0 && !slices.Contains(spec.Gateways, "mesh") {
		return false
	}
	return slices.ContainsFunc(spec.HTTP, func(h mesh.HTTPRule) bool { return len(h.Match) == 0 })
}
