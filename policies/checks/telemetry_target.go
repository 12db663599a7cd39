package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Telemetry whose targetRefs name a waypoint's Gateway, or GatewayClass istio-waypoint, for Services of
// other namespaces. In contrast to all other kinds, istiod reads Telemetry with targetRefs for a call to
// a Service only from that Service's namespace (pilot/pkg/model/telemetry.go applicableTelemetries;
// istio/istio#61538).
var _ = policies.Register(policies.Check{
	ID:       "effect/telemetry-target",
	Title:    "A Telemetry bound from another namespace",
	Severity: policies.Low,
	Kinds:    []mesh.Kind{mesh.Telemetry},
	Cases:    []int{125},
	Controls: logging(),
	Doc: `For a call to a Service, a waypoint reads Telemetry with targetRefs only from the Service's own namespace.
So one in the waypoint's namespace that names the Gateway does not hold for Services of other namespaces, and one
in the root namespace that names GatewayClass istio-waypoint holds for hardly any.`,
	Remedy: "Leave targetRefs out, so that it holds for the whole namespace or mesh, or put one into each Service's namespace.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Reason != policies.OtherNamespace {
				continue
			}
			consequence := "has no effect"
			if e.Verdict == policies.PartiallyEnforced {
				consequence = "holds for a part of the calls only"
			}
			p.Report(policies.Finding{
				Verdict: e.Verdict, Field: e.Field,
				Message: fmt.Sprintf("this Telemetry %s at %s: %s.", consequence, e.Target, e.Causes[0].Text),
				Fixes:   wholeNamespace(p, e),
			})
		}
	},
})

// wholeNamespace offers to leave the targetRefs out where nothing but the waypoint named would read the
// Telemetry then, and no other one is in the way.
func wholeNamespace(p *policies.Pass, e policies.Effect) []policies.Fix {
	spec := p.Object.Spec.(*mesh.TelemetrySpec)
	if len(spec.TargetRefs) != 1 || e.At == nil || p.Telemetry(p.Object.Namespace) != nil || p.Object.Namespace == p.RootNamespace() {
		return nil
	}
	for _, w := range p.Workloads(p.Object.Namespace) {
		if w.Mode == mesh.ModeSidecar || w.Mode == mesh.ModeGateway || w.Mode == mesh.ModeUnknown {
			return nil
		}
	}
	for _, gw := range p.List(mesh.Gateway, p.Object.Namespace) {
		if gw.Name != e.At.Name {
			return nil
		}
	}
	return []policies.Fix{{
		Message: fmt.Sprintf("leave targetRefs out, so that it holds for all that passes waypoint %s/%s", e.At.Namespace, e.At.Name),
		Patch:   []policies.Op{{Op: "remove", Path: "/spec/targetRefs"}},
	}}
}
