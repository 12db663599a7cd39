package checks

import (
	"fmt"
	"slices"
	"strconv"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// ingress-use-waypoint where it does nothing: a value that is not a bool (ambient/services.go
// ingressUseWaypointFromLabels), nothing bound to a waypoint, or a headless Service, whose calls never
// go to a waypoint.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/ingress-label",
	Title:    "Ingress that is sent through no waypoint",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.Namespace, mesh.Service, mesh.ServiceEntry},
	Cases:    []int{76},
	Controls: evidenceFor(authorization(), ingress()),
	Doc: `The label istio.io/ingress-use-waypoint sends what comes from ingress gateways through a Service's waypoint. It does
nothing where the Service has no waypoint, where it is headless, or where the value is not true.`,
	Remedy: "Bind the Service to a waypoint, or remove the label.",
	Run: func(p *policies.Pass) {
		key := label.IoIstioIngressUseWaypoint.Name
		v, ok := p.Object.Labels[key]
		if !ok {
			return
		}
		f := policies.Finding{Field: "metadata.labels[" + key + "]"}
		on, err := strconv.ParseBool(v)
		services := touched(p, p.Object)
		bound := func(svc *mesh.Object) bool { return p.Binding(svc).Bound }
		reason := func(why string) func(*mesh.Object) bool {
			return func(svc *mesh.Object) bool { return p.Binding(svc).Reason == why }
		}
		switch {
		case err != nil:
			f.Message = fmt.Sprintf("ingress gateways send straight to the pods of %s: %q is neither true nor false, and counts as false.", destination(p.Object), v)
			f.Remedy = "Write true."
		case !on:
			return
		case p.Object.Kind == mesh.Service && mesh.Headless(p.Object):
			f.Message = fmt.Sprintf("label %s on %s does nothing: it is headless, and waypoints take only calls to a Service's own address.", key, short(p.Object))
			f.Remedy = "Give the Service an address, or remove the label."
		case len(services) == 0, slices.ContainsFunc(services, bound), slices.ContainsFunc(services, reason(mesh.ReasonUnknown)):
			return
		case slices.ContainsFunc(services, reason(mesh.WaypointIsNotReady)):
			return // told on the label that asks, or on the waypoint
		default:
			f.Severity = policies.Low
			f.Message = fmt.Sprintf("label %s on %s does nothing: there is no waypoint to send through.", key, short(p.Object))
			f.WaitsFor = []policies.Wait{{Label: label.IoIstioUseWaypoint.Name, On: &mesh.Ref{APIVersion: "v1", Kind: "Namespace", Name: p.Object.Home()}}}
		}
		p.Report(f)
	},
})
