package checks

import (
	"fmt"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A policy at a waypoint that names a caller with a sidecar. A sidecar never sends to a waypoint
// (istio/istio#51445), so the policy never sees the caller it names.
var _ = policies.Register(policies.Check{
	ID:       "effect/sidecar-callers",
	Title:    "A policy at a waypoint for a caller that never passes it",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{77},
	Controls: authorization(),
	Doc: `Pods with sidecars send straight to the pods that they call and never through a waypoint. A policy at a waypoint
that names such a caller does not judge it.`,
	Remedy: "Move the caller to ambient mode, or say at the pods, in a policy that ztunnel enforces, what the caller may.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Reason == policies.SidecarBypass && strings.HasPrefix(e.Field, "spec.rules") { // else another object names the caller
				p.Report(policies.Finding{Verdict: e.Verdict, Field: e.Field, Related: byOf(e), WaitsFor: another(mesh.AuthorizationPolicy, p.Object.Namespace),
					Message: fmt.Sprintf("this %s does not judge a caller that it names: %s.", what(p.Object), causeOf(e, e.Reason).Text)})
			}
		}
	},
})
