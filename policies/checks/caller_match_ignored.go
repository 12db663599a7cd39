package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A VirtualService that chooses by who calls. A waypoint drops every HTTP match with sourceLabels
// (istio/istio#51565) and never matches tcp or tls rules with them; sourceNamespace it compares with
// its own namespace, so that the match is true of everybody or of nobody. Where no rule is left the
// Service is routed as if there were no VirtualService.
var _ = policies.Register(policies.Check{
	ID:       "effect/caller-match-ignored",
	Title:    "A routing rule that asks who calls",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.VirtualService},
	Cases:    []int{85, 86},
	Controls: configuration(),
	Doc: `A sidecar knows whose it is; a waypoint acts for all callers. It drops each match on sourceLabels, and compares
sourceNamespace with the namespace in which it runs itself. So rules for one caller vanish, or hold for all.`,
	Remedy: "Match on headers instead, or give the callers a Service of their own.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			for _, c := range e.Causes {
				if c.Reason == policies.SourceLabels || c.Reason == policies.SourceNamespace {
					f := told(e)
					f.Field = c.Field
					f.Message = "this rule is not carried out for the callers that it means at " + e.Target.String() + ": " + c.Text + "."
					f.Remedy = p.Check.Remedy
					p.Report(f)
				}
			}
		}
	},
})
