package checks

import (
	"cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A route to a Service that is not there. istiod keeps the share of the calls that such a backend has: HTTPRoutes and
// GRPCRoutes answer them with status 500, connections of the others fail, and a mirror gets nothing
// (pilot/pkg/config/kube/gateway/conversion.go buildDestination).
var _ = policies.Register(policies.Check{
	ID:       "effect/backend-not-found",
	Title:    "A route to a Service that is not there",
	Severity: policies.Medium,
	Controls: configuration(),
	Kinds:    []mesh.Kind{mesh.HTTPRoute, mesh.GRPCRoute, mesh.TCPRoute, mesh.TLSRoute},
	Doc: `A backend of a route names a Service that does not exist. Its calls are not given to the others: they fail, as many of them as the
backend's weight says.`,
	Remedy: "Correct the name, or make the Service.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.BackendNotFound) {
			f := told(e)
			for _, b := range p.Object.Spec.(*mesh.Route).Backends() {
				if ns := cmp.Or(b.Namespace, p.Object.Namespace); p.Known(ns) && p.Get(mesh.Service, ns, b.Name) == nil {
					f.WaitsFor = append(f.WaitsFor, policies.Wait{Object: &mesh.Ref{APIVersion: "v1", Kind: "Service", Namespace: ns, Name: b.Name}})
				}
			}
			p.Report(f)
		}
	},
})
