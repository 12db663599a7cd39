package checks

import (
	"fmt"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Telemetry that asks for something with mode CLIENT where only waypoints read it. A waypoint's
// listeners count as the server's side (pilot/pkg/model/telemetry.go workloadMode), and no proxy is on
// the client's. What turns the client's side off is no loss: there is nothing to turn off.
var _ = policies.Register(policies.Check{
	ID:       "effect/telemetry-client-mode",
	Title:    "A Telemetry for clients that have no proxy",
	Severity: policies.Low,
	Kinds:    []mesh.Kind{mesh.Telemetry},
	Cases:    []int{126},
	Controls: logging(),
	Doc: `A waypoint logs, traces and measures as the server's side of a call, and enrolled clients have no proxy
of their own. Access logging, tracing and metrics with mode CLIENT therefore come to nothing.`,
	Remedy: "Set the mode to SERVER or CLIENT_AND_SERVER.",
	Run: func(p *policies.Pass) {
		effects := p.Effects(p.Object)
		for _, e := range effects {
			if e.EnforcedBy == policies.Sidecar || e.EnforcedBy == policies.Gateway {
				return // there it means something
			}
		}
		for _, e := range effects {
			if e.Reason != policies.ClientMode {
				continue
			}
			fields, _ := policies.ClientSettings(p.Object.Spec.(*mesh.TelemetrySpec))
			p.Report(policies.Finding{
				Verdict: e.Verdict, Field: e.Field,
				Message: fmt.Sprintf("at %s nothing comes of %s: its mode is CLIENT, and a waypoint is the server's side.", e.Target, strings.Join(settingsOf(fields), ", ")),
				Fixes:   []policies.Fix{bothSides(fields)},
			})
		}
	},
})

func settingsOf(fields []string) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = strings.TrimSuffix(f, ".match.mode")
	}
	return out
}

func bothSides(fields []string) policies.Fix {
	f := policies.Fix{Message: "set the mode to CLIENT_AND_SERVER, so that the waypoint applies the settings from then on"}
	for _, field := range fields {
		path := "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(field)
		f.Patch = append(f.Patch, policies.Op{Op: "replace", Path: path, Value: "CLIENT_AND_SERVER"})
	}
	return f
}
