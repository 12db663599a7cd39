package checks

import (
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An object that does nothing because another one of the same host comes first: a ServiceEntry whose host an older one of the
// namespace has, and what is bound to it; a DestinationRule, or a backend policy, in a namespace in which the waypoint looks
// later. Nothing is found of a DestinationRule for many hosts at once: that a narrower one wins for some of them is what
// both are there for.
var _ = policies.Register(policies.Check{
	ID:       "effect/shadowed",
	Title:    "Another object of the same host comes first",
	Severity: policies.Medium,
	Controls: evidenceFor(authorization(), configuration()),
	Kinds:    slices.Concat(bound, []mesh.Kind{mesh.ServiceEntry, mesh.RequestAuthentication}, routing, shaping),
	Doc: `Of several ServiceEntries of a namespace with one host the oldest counts. Of several DestinationRules for one Service a waypoint takes
those of its own namespace, else of the Service's, and does not look further once it found one. The others are stored, reported as
accepted, and do nothing.`,
	Remedy: "Put all settings for the host into one object, and remove the other.",
	Run: func(p *policies.Pass) {
		if d, ok := p.Object.Spec.(*mesh.DestinationRuleSpec); ok && strings.HasPrefix(d.Host, "*") {
			return
		}
		for _, e := range effectsFor(p, policies.Shadowed) {
			f := told(e)
			if p.Object.Kind == mesh.AuthorizationPolicy || p.Object.Kind == mesh.RequestAuthentication {
				f.Severity = policies.High
			}
			p.Report(f)
		}
	},
})
