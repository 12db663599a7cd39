package checks

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A WasmPlugin or TrafficExtension that a waypoint gets and never runs. A waypoint is the server's side
// of every call, so mode CLIENT never matches; it asks for HTTP extensions without a port, so that
// match.ports never matches either (pilot/pkg/networking/core/listener_waypoint.go
// buildWaypointHTTPFilters); and it puts extensions of type NETWORK on TCP and TLS ports only.
var _ = policies.Register(policies.Check{
	ID:       "effect/extension-never-runs",
	Title:    "An extension that its waypoint never runs",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.WasmPlugin, mesh.TrafficExtension},
	Cases:    []int{121, 122},
	Controls: configuration(),
	Doc: `A waypoint runs an extension as the server's side of a call. It never runs one whose match asks for mode
CLIENT, nor an HTTP extension whose match lists ports, nor one of type NETWORK on an HTTP port. No status says so.`,
	Remedy: "Leave match out or set its mode to SERVER without ports, and choose the type by the port's protocol.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			attached := e.At != nil || e.Target.Kind == mesh.GatewayClass.String()
			if !attached || e.Reason != policies.MatchNeverMatches && e.Reason != policies.Protocol {
				continue
			}
			f := policies.Finding{Verdict: e.Verdict, Field: e.Field, Severity: policies.High,
				Message: fmt.Sprintf("this %s never runs for %s: %s.", p.Object.Kind, e.Target, e.Causes[0].Text)}
			if e.Verdict == policies.PartiallyEnforced {
				f.Severity = policies.Medium
				f.Message = fmt.Sprintf("this %s does not see all calls to %s: %s.", p.Object.Kind, e.Target, e.Causes[0].Text)
			}
			if e.Reason == policies.Protocol && (e.Target.Kind == mesh.Gateway.String() || e.Target.Kind == mesh.GatewayClass.String()) {
				f.WaitsFor = another(mesh.Service, e.Target.Namespace) // the waypoint may come to serve one
			}
			if e.Reason == policies.MatchNeverMatches {
				f.Fixes = serverSide(p)
			}
			p.Report(f)
		}
	},
})

// serverSide offers mode SERVER, and to leave ports out where they are all that the targets have, so
// that the extension sees nothing that it was not asked to see.
func serverSide(p *policies.Pass) []policies.Fix {
	spec := p.Object.Spec.(*mesh.ExtensionSpec)
	if spec.IsNetwork() || len(spec.Match) != 1 {
		return nil
	}
	m := &spec.Match[0]
	var ops []policies.Op
	if m.Mode == "CLIENT" {
		ops = append(ops, policies.Op{Op: "replace", Path: "/spec/match/0/mode", Value: "SERVER"})
	}
	if len(m.Ports) > 0 {
		if !allPorts(p, m) {
			return nil
		}
		ops = append(ops, policies.Op{Op: "remove", Path: "/spec/match/0/ports"})
	}
	return []policies.Fix{{Message: "match what a waypoint is, so that it runs the extension from then on", Patch: ops}}
}

// allPorts is whether the match names every port of the Services that the extension is bound to.
func allPorts(p *policies.Pass, m *mesh.ExtensionMatch) bool {
	var listed []string
	for _, port := range m.Ports {
		listed = append(listed, strconv.Itoa(int(port.Number)))
	}
	for _, ref := range p.Object.Spec.(*mesh.ExtensionSpec).Attachment().Refs() {
		svc := p.Get(mesh.Service, p.Object.Namespace, ref.Name)
		if ref.Kind != mesh.Service.String() || svc == nil {
			return false
		}
		if slices.ContainsFunc(p.Ports(svc), func(port mesh.Port) bool { return !slices.Contains(listed, strconv.Itoa(int(port.Number))) }) {
			return false
		}
	}
	return true
}
