package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Sidecar in whose scope there are ambient pods and none with a sidecar. Only sidecars read the kind,
// so neither its egress hosts nor its outboundTrafficPolicy limits anything. Where some pods in scope
// still have sidecars, it is there for them.
var _ = policies.Register(policies.Check{
	ID:       "effect/sidecar-resource-ignored",
	Title:    "A Sidecar where there are no sidecars",
	Severity: policies.Low,
	Kinds:    []mesh.Kind{mesh.Sidecar},
	Cases:    []int{105},
	Controls: segmentation(),
	Doc: `Only sidecars read a Sidecar object. Ambient pods reach every host, whatever its egress hosts say, and
outboundTrafficPolicy REGISTRY_ONLY keeps nothing in.`,
	Remedy: "Remove it; limit egress with NetworkPolicy or an egress gateway.",
	Run: func(p *policies.Pass) {
		effects := effectsFor(p, policies.SidecarOnly)
		for _, e := range effects {
			if len(p.Effects(p.Object)) > len(effects) {
				continue // pods with sidecars are in scope too
			}
			f := told(e)
			if o := p.Object.Spec.(*mesh.SidecarSpec).OutboundTrafficPolicy; o != nil && o.Mode == "REGISTRY_ONLY" {
				f.Severity, f.Field = policies.Medium, "spec.outboundTrafficPolicy.mode"
				f.Remedy = p.Check.Remedy
			}
			p.Report(f)
		}
	},
})
