package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A policy for a Service whose calls never reach its waypoint's chain. Clients of a headless Service
// connect to pods, and the placeholder address of its chain matches no call (istio/istio#60310).
// An ExternalName Service is none to ambient mode (ambient/services.go). A DYNAMIC_DNS ServiceEntry
// inside the mesh is left out by waypoints (networking/core/waypoint.go). A UDP port has no chain.
// istiod reads only labels and reports the policy as accepted.
var _ = policies.Register(policies.Check{
	ID:       "effect/unreachable-service",
	Title:    "A policy for a Service whose calls never pass its waypoint",
	Severity: policies.High,
	Kinds:    bound,
	Cases:    []int{33, 34, 35, 140},
	Controls: authorization(),
	Doc: `Only calls to a Service's own address pass the chain that its waypoint has for it. A headless Service has no
address, an ExternalName Service does not exist in ambient mode, and UDP passes no waypoint, so a policy that names
such a Service judges no call. istiod still reports it as accepted.`,
	Remedy: "Use rules that ztunnel enforces, or name the Gateway of a waypoint for workloads.",
	Run: func(p *policies.Pass) {
		_, extension := p.Object.Spec.(*mesh.ExtensionSpec)
		for _, e := range p.Effects(p.Object) {
			switch {
			case e.Reason == policies.HeadlessService, e.Reason == policies.ExternalNameService:
			case e.Reason == policies.Protocol && e.Verdict == policies.NotEnforced && !extension: // else effect/extension-never-runs tells
			default:
				continue
			}
			remedy := lastSentence(e.Message)
			if e.Field == "spec.targetRefs" {
				remedy = "" // no port of it passes a waypoint, and no other rule would do
			}
			p.Report(policies.Finding{
				Verdict: e.Verdict, Severity: lost(p.Object, e), Field: e.Field, Remedy: remedy,
				Message: fmt.Sprintf("%s at %s: %s.", nobodyApplies(p.Object), e.Target, e.Causes[0].Text),
				Related: []mesh.Ref{{Kind: e.Target.Kind, Namespace: e.Target.Namespace, Name: e.Target.Name}},
			})
		}
	},
})
