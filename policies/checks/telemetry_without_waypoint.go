package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Telemetry for a whole namespace or the whole mesh over enrolled pods, where no waypoint, sidecar
// or gateway would read it. ztunnel's metrics and access log are set by its own Helm values. With
// a waypoint, a Telemetry of a whole namespace does apply there (pilot/pkg/model/telemetry.go
// applicableTelemetries), so only its absence is worth a word.
var _ = policies.Register(policies.Check{
	ID:       "effect/telemetry-without-waypoint",
	Title:    "A Telemetry that nothing reads",
	Severity: policies.Low,
	Kinds:    []mesh.Kind{mesh.Telemetry},
	Cases:    []int{123},
	Controls: logging(),
	Doc: `ztunnel reads no Telemetry: its metrics and access log stay as they are, and it makes no spans. What
a Telemetry asks for takes effect at waypoints, sidecars and gateways; in its scope there is none.`,
	Remedy: "Bind the Services to a waypoint if the Telemetry is wanted, else remove it; ztunnel's log is set where ztunnel is installed.",
	Run: func(p *policies.Pass) {
		effects := p.Effects(p.Object)
		if !p.Object.Spec.(*mesh.TelemetrySpec).Wide() || len(effects) != 1 {
			return
		}
		if e := effects[0]; e.Reason == policies.AncestorNotBound && e.Verdict == policies.NotEnforced {
			f := policies.Finding{Verdict: e.Verdict, Field: e.Field, Severity: policies.Low,
				Message: fmt.Sprintf("this Telemetry has no effect on %s: %s.", e.Target, e.Causes[0].Text)}
			if e.Target.Kind == policies.ScopeMesh {
				f.Severity = policies.Info // manifests seldom show the gateways, which read it
			}
			p.Report(f)
		}
	},
})
