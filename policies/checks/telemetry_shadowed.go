package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A second Telemetry for a whole namespace. istiod sorts them by age and takes the first
// (pilot/pkg/model/telemetry.go namespaceWideTelemetryConfig); it merges nothing. This holds for
// sidecars as for waypoints.
var _ = policies.Register(policies.Check{
	ID:       "effect/telemetry-shadowed",
	Title:    "A second Telemetry for the same scope",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.Telemetry},
	Cases:    []int{127},
	Controls: logging(),
	Doc: `Of several Telemetries without selector and targetRefs in a namespace, only the oldest counts; they are
not merged. Of those created in the same second, the first by name is the oldest.`,
	Remedy: "Merge them into one.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.Reason != policies.OlderExists {
				continue
			}
			first := p.Telemetry(p.Object.Namespace)
			p.Report(policies.Finding{
				Verdict: e.Verdict, Field: e.Field, Related: []mesh.Ref{first.Ref()},
				Message: fmt.Sprintf("this Telemetry has no effect: of those for the whole of Namespace %s only the oldest counts, and that is %s.", p.Object.Namespace, first),
			})
		}
	},
})
