package checks

import (
	"fmt"
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An EnvoyFilter, WasmPlugin or TrafficExtension with a selector or for a whole namespace, or a
// Telemetry with a selector, over pods that ztunnel has captured. ztunnel is no Envoy, and a waypoint
// never looks at selectors (pilot/pkg/model/policyattachment.go ShouldAttachPolicy), so the pods get
// nothing of it. Nothing writes a status that would say so. Where a sidecar or gateway applies it as
// well, it does what it always did there, and the finding is only about the rest.
var _ = policies.Register(policies.Check{
	ID:       "effect/needs-target-refs",
	Title:    "An extension that reaches no enrolled pod",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.EnvoyFilter, mesh.WasmPlugin, mesh.TrafficExtension, mesh.Telemetry},
	Cases:    []int{115, 120, 124},
	Controls: configuration(),
	Doc: `ztunnel runs no Envoy filters and no extensions, and a waypoint takes only those that name it, or its
Services, with targetRefs. With a selector, or for a whole namespace, an EnvoyFilter, WasmPlugin or
TrafficExtension does nothing for pods in ambient mode, and neither does a Telemetry with a selector. A plugin
that authenticates or authorizes is then not asked at all.`,
	Remedy: "Name the waypoint's Gateway, or the Services, with targetRefs.",
	Run: func(p *policies.Pass) {
		effects := p.Effects(p.Object)
		for _, e := range effects {
			if e.Reason != policies.NeedsTargetRefs && e.Reason != policies.WaypointPods && e.Reason != policies.GatewayNeedsTarget {
				continue
			}
			f := policies.Finding{Verdict: e.Verdict, Field: e.Field, Severity: unattachedSeverity(p.Object, e, len(effects) > 1),
				Message: fmt.Sprintf("this %s has no effect on %s: ztunnel does not read it, and a waypoint applies it only where targetRefs name it.", p.Object.Kind, enrolledPods(e.Target)),
				Fixes:   attachFixes(p, e, len(effects) > 1)}
			if e.Reason == policies.WaypointPods {
				f.Message = fmt.Sprintf("this %s has no effect on the waypoint: a waypoint takes only what names it with targetRefs.", p.Object.Kind)
			}
			if p.Object.Kind == mesh.EnvoyFilter {
				f.Remedy = "Name the waypoint's Gateway with targetRefs: Services in them never match an EnvoyFilter."
			}
			if e.Reason == policies.GatewayNeedsTarget {
				f.Message, f.Remedy = parted(e)
				f.Fixes = nil
			}
			p.Report(f)
		}
	},
})

func enrolledPods(t policies.Target) string {
	if t.Kind == policies.ScopeSelector {
		return t.String()
	}
	return "the enrolled pods of " + t.String()
}

// unattachedSeverity weighs what is lost. elsewhere is whether a sidecar or gateway applies it.
func unattachedSeverity(o *mesh.Object, e policies.Effect, elsewhere bool) policies.Severity {
	spec, extension := o.Spec.(*mesh.ExtensionSpec)
	switch {
	case elsewhere && e.Target.Kind == policies.ScopeMesh:
		return policies.Info // as likely as not it is for the gateways
	case elsewhere, o.Kind == mesh.Telemetry, e.Target.Kind == policies.ScopeMesh:
		return policies.Low
	case extension && (spec.Phase == "AUTHN" || spec.Phase == "AUTHZ"):
		return policies.High
	}
	return policies.Medium
}

// attachFixes offers targetRefs where they mean the same calls: the waypoint whose pods the selector
// names, the one waypoint of the namespace, or the Services over exactly the selected pods. Of
// EnvoyFilters only those that insert HTTP filters: what others do at a waypoint, nothing here can tell.
func attachFixes(p *policies.Pass, e policies.Effect, elsewhere bool) []policies.Fix {
	spec, filter := p.Object.Spec.(*mesh.EnvoyFilterSpec)
	if elsewhere || filter && !onlyInserts(spec) {
		return nil
	}
	if e.Reason == policies.WaypointPods {
		name := e.Target.Labels[label.IoK8sNetworkingGatewayGatewayName.Name]
		if name == "" || len(e.Target.Labels) > 1 || e.Target.Namespace != p.Object.Namespace {
			return nil
		}
		gw := p.Get(mesh.Gateway, p.Object.Namespace, name)
		if gw == nil || p.ClassOf(gw) != mesh.ClassWaypoint {
			return nil
		}
		return []policies.Fix{bindTo(gw, policies.Op{Op: "remove", Path: "/" + strings.ReplaceAll(e.Field, ".", "/")})}
	}
	if x, ok := p.Object.Spec.(*mesh.ExtensionSpec); ok && (len(x.Match) > 0 || x.IsNetwork()) {
		return nil
	}
	if gw := onlyWaypoint(p); gw != nil && e.Target.Kind == policies.ScopeNamespace && e.Field == "metadata.namespace" {
		return []policies.Fix{bindTo(gw)}
	}
	if filter {
		return nil
	}
	return retarget(p, e)
}

func bindTo(gw *mesh.Object, before ...policies.Op) policies.Fix {
	ref := map[string]any{"group": mesh.Gateway.Group(), "kind": mesh.Gateway.String(), "name": gw.Name}
	return policies.Fix{
		Message: fmt.Sprintf("bind it to %s, which applies it to all that passes from then on", gw),
		Patch:   append(before, policies.Op{Op: "add", Path: "/spec/targetRefs", Value: []any{ref}}),
	}
}

// onlyWaypoint is the waypoint in the policy's namespace that all Services of the namespace, and no
// others, are bound to; nil unless one of them speaks HTTP and nothing else in the namespace is one.
func onlyWaypoint(p *policies.Pass) *mesh.Object {
	ns := p.Object.Namespace
	gateways := p.List(mesh.Gateway, ns)
	if len(gateways) != 1 || p.ClassOf(gateways[0]) != mesh.ClassWaypoint || p.Sandwiched(gateways[0]) {
		return nil
	}
	bound := p.BoundTo(gateways[0])
	speaks := false
	for _, svc := range bound {
		if svc.Namespace != ns {
			return nil
		}
		speaks = speaks || slices.ContainsFunc(p.Ports(svc), func(port mesh.Port) bool { return port.Protocol == mesh.HTTP })
	}
	for _, svc := range p.List(mesh.Service, ns) {
		if !mesh.ManagedByGateway(svc) && !slices.Contains(bound, svc) {
			return nil
		}
	}
	if !speaks {
		return nil
	}
	return gateways[0]
}
