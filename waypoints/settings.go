package waypoints

import (
	"time"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// Rules are what users wrote that decides about waypoints. It is immutable.
type Rules struct {
	Guardrails []*v1alpha1.Guardrail
	Profiles   []*v1alpha1.WaypointProfile
}

// Waits are how long people's connections are waited for; 0 means five minutes.
type Waits struct {
	Drain time.Duration // until they no longer pass a waypoint that goes
	Quiet time.Duration // in which none may have come round a waypoint before its guard is set, where they are counted
}

// Settings are what Rules ask of each namespace of a mesh, and which Guardrails name a profile that cannot be used.
func Settings(rules Rules, s *mesh.Snapshot, w Waits) (out plan.Settings, missing map[string]string) {
	out, missing = plan.Rules(rules.Guardrails, rules.Profiles, s)
	out.Default.Profile.DrainFor, out.Default.Profile.QuietFor = w.Drain, w.Quiet
	for ns, o := range out.Namespaces {
		o.Profile.DrainFor, o.Profile.QuietFor = w.Drain, w.Quiet
		out.Namespaces[ns] = o
	}
	return out, missing
}

// demand is what a profile demands of its waypoints besides what decides in a plan.
type demand struct {
	ready      int               // pods, before anything is sent to one
	parameters map[string]string // by key
}

// demands are those of the profiles that can be rendered, by name.
func demands(rules Rules) map[string]demand {
	out := map[string]demand{v1alpha1.DefaultProfile: {ready: 1}}
	for _, p := range rules.Profiles {
		delete(out, p.Name)
		if len(p.Validate()) > 0 || len(parameters.Check(p)) > 0 {
			continue
		}
		if data, err := parameters.Render(&p.Spec); err == nil {
			out[p.Name] = demand{parameters.MinAvailable(&p.Spec), data}
		}
	}
	return out
}
