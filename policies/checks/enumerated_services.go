package checks

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A policy that names every Service of a waypoint one by one. A Service that comes later is not among
// them; the waypoint's Gateway would be. The API server takes 16 targetRefs and no more.
var _ = policies.Register(policies.Check{
	ID:       "effect/enumerated-services",
	Title:    "A policy that names every Service of a waypoint",
	Severity: policies.Info,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{144},
	Controls: configuration(),
	Doc: `A policy that names all Services of a waypoint does not cover the next one. Where the policy is in the waypoint's
namespace, a targetRef to its Gateway does. More than 16 targetRefs are refused by the API server.`,
	Remedy: "Name the waypoint's Gateway instead.",
	Run: func(p *policies.Pass) {
		refs := p.Object.Spec.(*mesh.AuthorizationPolicySpec).TargetRefs
		if len(refs) > maxTargetRefs {
			p.Report(policies.Finding{Severity: policies.High, Field: "spec.targetRefs", Remedy: "Name the waypoint's Gateway, or split the policy.",
				Message: fmt.Sprintf("the API server refuses this policy: it has %d targetRefs, and %d is the most.", len(refs), maxTargetRefs)})
			return
		}
		const several = 5
		var named []*mesh.Object
		var by *mesh.Object
		for _, ref := range refs {
			svc := p.Get(mesh.Service, p.Object.Namespace, ref.Name)
			if ref.Kind != "Service" || svc == nil {
				return
			}
			b := p.Binding(svc)
			if !b.Bound || by != nil && by != b.Gateway {
				return
			}
			by, named = b.Gateway, append(named, svc)
		}
		if len(named) < several || by.Namespace != p.Object.Namespace {
			return
		}
		if slices.ContainsFunc(p.BoundTo(by), func(svc *mesh.Object) bool { return !slices.Contains(named, svc) }) {
			return
		}
		p.Report(policies.Finding{Field: "spec.targetRefs", WaitsFor: another(mesh.Service, p.Object.Namespace), Related: []mesh.Ref{by.Ref()},
			Message: fmt.Sprintf("the next Service of waypoint %s is not covered: the policy names all %d Services of today one by one.", by.Key(), len(named))})
	},
})
