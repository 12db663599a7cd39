package checks

import (
	"fmt"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A patch of an EnvoyFilter with a context that the proxy which gets it does not have. All listeners
// and routes of a waypoint are inbound (pilot/pkg/networking/core/listener.go buildWaypointListeners),
// so only ANY and SIDECAR_INBOUND match; outbound clusters match SIDECAR_OUTBOUND too. The API has
// a context WAYPOINT: validation skips such a patch altogether, and no code ever looks at it
// (istio/istio#43720, #57971).
var _ = policies.Register(policies.Check{
	ID:       "effect/envoy-filter-context",
	Title:    "An EnvoyFilter with a context that a waypoint does not have",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.EnvoyFilter},
	Cases:    []int{117},
	Controls: configuration(),
	Doc: `To an EnvoyFilter a waypoint is a proxy of inbound listeners: patches with context ANY or
SIDECAR_INBOUND are applied, those with GATEWAY or SIDECAR_OUTBOUND are not, apart from outbound clusters.
Context WAYPOINT is accepted, not even validated, and applied by nothing.`,
	Remedy: "Set the context to SIDECAR_INBOUND, and name the waypoint's Gateway with targetRefs.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if !e.Has(policies.ContextNeverMatches) {
				continue
			}
			var fields []string
			cause := ""
			for _, c := range e.Causes {
				if c.Reason == policies.ContextNeverMatches {
					fields = append(fields, c.Field)
					cause = c.Text
				}
			}
			if cause == "" {
				cause = "no proxy has the context WAYPOINT, which Istio accepts and does not implement"
			}
			remedy := ""
			if e.At != nil && p.ClassOf(p.Get(mesh.Gateway, e.At.Namespace, e.At.Name)) == mesh.ClassGateway {
				remedy = "Set the context to GATEWAY, which is a gateway's."
			}
			var waits []policies.Wait
			// What it reaches besides, now or later, may be a gateway and have that context.
			if refs := p.Object.Spec.(*mesh.EnvoyFilterSpec).Attachment().Refs(); len(refs) != 1 {
				waits = another(mesh.Gateway, p.Object.Namespace)
			}
			p.Report(policies.Finding{
				Verdict: e.Verdict, Field: fields[0], Remedy: remedy, WaitsFor: waits,
				Message: fmt.Sprintf("at %s nothing comes of %s: %s.", e.Target, strings.Join(patchesOf(fields), ", "), cause),
				Fixes:   inboundContext(p, e, fields),
			})
		}
	},
})

func patchesOf(fields []string) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = strings.TrimSuffix(f, ".match.context")
	}
	return out
}

// inboundContext offers the waypoint's context where the filter reaches a waypoint and the patches
// only insert HTTP filters: one that removes could take a guard away.
func inboundContext(p *policies.Pass, e policies.Effect, fields []string) []policies.Fix {
	if e.At == nil && e.Target.Kind != mesh.GatewayClass.String() || len(p.Effects(p.Object)) > 1 {
		return nil
	}
	if e.At != nil && p.ClassOf(p.Get(mesh.Gateway, e.At.Namespace, e.At.Name)) != mesh.ClassWaypoint {
		return nil
	}
	spec := p.Object.Spec.(*mesh.EnvoyFilterSpec)
	var ops []policies.Op
	for i, c := range spec.ConfigPatches {
		path := fmt.Sprintf("spec.configPatches[%d].match.context", i)
		for _, f := range fields {
			if f != path {
				continue
			}
			if c.ApplyTo != "HTTP_FILTER" || !inserts(c) {
				return nil
			}
			ops = append(ops, policies.Op{Op: "replace", Path: fmt.Sprintf("/spec/configPatches/%d/match/context", i), Value: mesh.ContextInbound})
		}
	}
	return []policies.Fix{{Message: "set the context to SIDECAR_INBOUND, so that the waypoint inserts the filters from then on", Patch: ops}}
}
