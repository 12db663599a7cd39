package plan

import (
	"encoding/json"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// StoppedCheck is the ID of what [Progress.Findings] finds.
const StoppedCheck = "waypoint/stopped"

// What stops a waypoint, and what is shut meanwhile, is found by carrying a plan out, and not by asking a mesh: what the API server refuses, as because another
// field manager owns it, is in no object. So this is not asked, and [Progress.Findings] says it.
var stoppedWaypoint = policies.Register(policies.Check{
	ID:       StoppedCheck,
	Title:    "A waypoint that does not go on without somebody's decision",
	Severity: policies.Medium,
	About:    mesh.Gateway.String(),
	Controls: policies.Controls{"nist-800-53-r5": {"CM-3"}, "soc2": {"CC8.1"}, "iso-27001-2022": {"A.8.32"}},
	Doc: `Waywarden makes waypoints, binds to them and takes them away step by step, and forces nothing: where another field manager owns a label, a
webhook refuses a write, or something of somebody else's is in the way, it stops, and what the policies ask for waits.`,
	Remedy: "Do what the message says; where there is a manifest, commit it where the object comes from.",
})

// ShutCheck is the ID of what [Progress.Findings] finds of Services that are held.
const ShutCheck = "waypoint/held-shut"

var heldShut = policies.Register(policies.Check{
	ID:       ShutCheck,
	Title:    "A Service that is closed while it waits for its waypoint, though its pods are ready and nobody agreed to that",
	Severity: policies.Medium,
	About:    mesh.Service.String(),
	Controls: policies.Controls{"nist-800-53-r5": {"CM-3"}, "soc2": {"CC8.1"}, "iso-27001-2022": {"A.8.32"}},
	Doc: `A Guardrail with pending: Guard closes a Service until its waypoint serves. Without its owner's agreement that is done only where no endpoint
of it is ready, so that nobody is cut off. Where endpoints become ready before the waypoint does, it is an outage.`,
	Remedy: "Agree to it with annotation waywarden.dev/hold on the Service, or have the Guardrail say pending: Open.",
})

// maxInRemedy is how many bytes a manifest may have to stand in a remedy.
const maxInRemedy = 1 << 10

// Findings are what has stopped, for an audit, each with the manifest to commit where a step is somebody else's to take; and what is
// closed without agreement.
func (p Progress) Findings() []policies.Finding {
	var out []policies.Finding
	for _, c := range p {
		for _, n := range c.Shut {
			out = append(out, policies.Finding{Check: heldShut.ID, Severity: heldShut.Severity, Remedy: heldShut.Remedy, Action: "Warn",
				Object: n.On, Message: n.Why, Namespaces: []string{home(n.On)}, Related: []mesh.Ref{c.Waypoint}})
		}
		for _, s := range c.Stopped {
			f := policies.Finding{Check: stoppedWaypoint.ID, Severity: stoppedWaypoint.Severity, Remedy: stoppedWaypoint.Remedy, Action: "Warn",
				Object: s.Object, Message: s.Why, Namespaces: []string{home(s.Object)}}
			if c.Waypoint != s.Object {
				f.Related = []mesh.Ref{c.Waypoint}
			}
			if s.Manifest != nil {
				f.Fixes = []policies.Fix{{Message: "commit this where the object comes from", Apply: []map[string]any{s.Manifest}}}
				if text, err := json.Marshal(s.Manifest); err == nil && len(text) <= maxInRemedy { // reports hold texts only
					f.Remedy = "To go on, commit this where the object comes from: " + string(text)
				}
			}
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b policies.Finding) int { return policies.CompareFindings(a, b) })
	return out
}
