package checks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An EnvoyFilter whose targetRefs name a Service or ServiceEntry, bound to a waypoint or not. The API's
// documentation allows it, but istiod builds the matcher for EnvoyFilters without Services
// (pilot/pkg/model/push_context.go getMatchedEnvoyFilters), so that such a reference never matches.
var _ = policies.Register(policies.Check{
	ID:       "effect/envoy-filter-service-ref",
	Title:    "An EnvoyFilter bound to a Service",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.EnvoyFilter},
	Cases:    []int{116},
	Controls: configuration(),
	Doc: `An EnvoyFilter reaches a waypoint only by its Gateway, or from the root namespace by GatewayClass
istio-waypoint. A targetRef to a Service or ServiceEntry is accepted and matches nothing.`,
	Remedy: "Name the waypoint's Gateway in targetRefs; the filter then holds for all that passes the waypoint.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Reason != policies.UnsupportedValue {
				continue
			}
			p.Report(policies.Finding{
				Verdict: e.Verdict, Field: e.Field, Related: byOf(e),
				Message: fmt.Sprintf("this EnvoyFilter has no effect on %s: istiod does not look at Services when it hands out EnvoyFilters.", e.Target),
				Fixes:   gatewayRef(p, e),
			})
		}
	},
})

// gatewayRef offers the waypoint instead of its Services where the filter names all that pass it, so
// that nothing else is filtered, and where the filter adds and takes nothing away.
func gatewayRef(p *policies.Pass, e policies.Effect) []policies.Fix {
	spec := p.Object.Spec.(*mesh.EnvoyFilterSpec)
	if e.At == nil {
		return nil
	}
	gw := p.Get(mesh.Gateway, e.At.Namespace, e.At.Name)
	if gw == nil || gw.Namespace != p.Object.Namespace || len(p.WorkloadsBoundTo(gw)) > 0 || !onlyInserts(spec) {
		return nil
	}
	for _, svc := range p.BoundTo(gw) {
		if !slices.ContainsFunc(spec.TargetRefs, func(r mesh.TargetRef) bool { return r.Kind == svc.Kind.String() && r.Name == svc.Name }) {
			return nil
		}
	}
	if slices.ContainsFunc(spec.TargetRefs, func(r mesh.TargetRef) bool { return r.Kind == mesh.Gateway.String() }) ||
		len(spec.TargetRefs) != len(p.BoundTo(gw)) {
		return nil
	}
	var ops []policies.Op
	for i := len(spec.TargetRefs) - 1; i > 0; i-- {
		ops = append(ops, policies.Op{Op: "remove", Path: policies.Pointer("spec", "targetRefs", strconv.Itoa(i))})
	}
	ops = append(ops, policies.Op{Op: "replace", Path: "/spec/targetRefs/0", Value: map[string]any{
		"group": mesh.Gateway.Group(), "kind": mesh.Gateway.String(), "name": gw.Name}})
	return []policies.Fix{{Message: fmt.Sprintf("bind it to %s, which applies it from then on", gw), Patch: ops}}
}

// onlyInserts is whether a filter only inserts HTTP filters, where a waypoint has them.
func onlyInserts(spec *mesh.EnvoyFilterSpec) bool {
	return !slices.ContainsFunc(spec.ConfigPatches, func(c mesh.ConfigPatch) bool {
		inbound := c.Context() == mesh.ContextAny || c.Context() == mesh.ContextInbound
		return !inbound || c.ApplyTo != "HTTP_FILTER" || !inserts(c)
	})
}

func inserts(c mesh.ConfigPatch) bool {
	return c.Patch.Operation == "ADD" || strings.HasPrefix(c.Patch.Operation, "INSERT_")
}
