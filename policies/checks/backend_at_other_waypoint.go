package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A VirtualService or route that a waypoint carries out and that sends to a Service behind another
// waypoint. A waypoint sends straight to pods and never through a second one
// (pilot/pkg/xds/endpoints/endpoint_builder.go: only gateways do), so what guards the backend at its
// own waypoint is not asked; and ztunnel there sees the first waypoint's identity. Nothing is found
// where nothing guards the backend.
var _ = policies.Register(policies.Check{
	ID:       "effect/backend-at-other-waypoint",
	Title:    "A route past the waypoint of its backend",
	Severity: policies.High,
	Kinds:    routing,
	Cases:    []int{141},
	Controls: evidenceFor(authorization(), segmentation()),
	Doc: `A waypoint never sends through a second waypoint. A route that it carries out leads straight to the backend's pods,
past the waypoint of the backend and past all authorization and authentication that is enforced there.`,
	Remedy: "Bind both Services to the same waypoint, or enforce the backend's policies at the first waypoint too.",
	Run: func(p *policies.Pass) {
		seen := map[*mesh.Object]bool{}
		for _, e := range p.Effects(p.Object) {
			if e.EnforcedBy != policies.Waypoint || e.By == nil {
				continue
			}
			for _, b := range backendsOf(p, p.Object) {
				at := p.Binding(b.service)
				if seen[b.service] || !at.Bound || at.Gateway.Namespace == e.By.Namespace && at.Gateway.Name == e.By.Name || b.service == targetOf(p, e.Target) {
					continue
				}
				seen[b.service] = true
				if by := guards(p, b.service, at.Gateway); len(by) > 0 {
					p.Report(policies.Finding{Verdict: e.Verdict, Field: b.field, Related: by,
						Message: fmt.Sprintf("calls reach %s past %s: waypoint %s carries the route out, and a waypoint never sends through a second one, here %s.",
							b.service, list(by), e.By.Namespace+"/"+e.By.Name, at.Gateway.Key())})
				}
			}
		}
	},
})

// guards are the policies on who may call that hold for a Service at its waypoint.
func guards(p *policies.Pass, svc, gw *mesh.Object) []mesh.Ref {
	var out []mesh.Ref
	for _, target := range []*mesh.Object{svc, gw} {
		for _, o := range p.PoliciesFor(target) {
			if (o.Kind == mesh.AuthorizationPolicy || o.Kind == mesh.RequestAuthentication) && inForce(p, o) {
				out = append(out, o.Ref())
			}
		}
	}
	return out
}

func inForce(p *policies.Pass, o *mesh.Object) bool {
	return slices.ContainsFunc(p.Effects(o), func(e policies.Effect) bool { return e.EnforcedBy == policies.Waypoint })
}

func list(refs []mesh.Ref) string {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.String()
	}
	return strings.Join(names, ", ")
}
