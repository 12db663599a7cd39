package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A NetworkPolicy that shuts the mesh out. Calls from the mesh arrive at an enrolled pod as HBONE, on
// port 15008, whatever port they are for: a list of the application's ports alone admits plaintext and
// refuses mTLS. And calls to a Service with a waypoint come from the waypoint's pods: a list of the
// clients alone refuses them. To admit port 15008 admits every port to those callers, so it is printed
// and never applied.
var _ = policies.Register(policies.Check{
	ID:       "enrolment/network-policy-hbone",
	Title:    "A NetworkPolicy that shuts the mesh out",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.NetworkPolicy},
	Cases:    []int{135},
	Controls: evidenceFor(encryption(), resilience()),
	Doc: `Between enrolled pods every connection goes to port 15008, and where the Service has a waypoint it comes from the
waypoint's pods. A NetworkPolicy that admits only the application's ports, or only the clients' pods, refuses these
connections. NetworkPolicies add up: it is enough if one of them admits.`,
	Remedy: "Admit TCP port 15008 from the callers, and the waypoint's pods among them; which port and who may call is then for AuthorizationPolicies to say.",
	Run: func(p *policies.Pass) {
		for _, w := range selectedPods(p) {
			if !slices.Contains(p.Isolating(w, false), p.Object) {
				continue
			}
			if f, found := refusesHBONE(p, w); found {
				f.WaitsFor = another(mesh.NetworkPolicy, p.Object.Namespace)
				p.Report(f)
				return
			}
			if f, found := refusesWaypoint(p, w); found {
				f.WaitsFor = another(mesh.NetworkPolicy, p.Object.Namespace)
				p.Report(f)
				return
			}
		}
	},
})

// refusesHBONE is whether callers in the mesh are let through to ports of the pod, and to 15008 by no
// NetworkPolicy.
func refusesHBONE(p *policies.Pass, w *mesh.Workload) (policies.Finding, bool) {
	for _, rule := range ingressTo(p, w) {
		if mesh.AdmitsPort(rule.Ports, hbonePort, w) && admitsMesh(p, rule, w.Namespace) {
			return policies.Finding{}, false
		}
	}
	for i, rule := range p.Object.Spec.(*mesh.NetworkPolicySpec).Ingress {
		if !mesh.AdmitsPort(rule.Ports, hbonePort, w) && tcp(rule) && admitsMesh(p, rule, w.Namespace) {
			return policies.Finding{Field: fmt.Sprintf("spec.ingress[%d].ports", i),
				Message: fmt.Sprintf("calls from the mesh do not reach %s: they arrive as HBONE on port %d, and %s lets only %s in.",
					policies.Named(w), hbonePort, p.Object, portList(rule))}, true
		}
	}
	return policies.Finding{}, false
}

// refusesWaypoint is whether pods of the mesh are let through to 15008, and those of a waypoint before
// the pod by no NetworkPolicy.
func refusesWaypoint(p *policies.Pass, w *mesh.Workload) (policies.Finding, bool) {
	for _, svc := range p.ServicesOf(w) {
		b := p.Binding(svc)
		if !b.Bound || mesh.Headless(svc) || !p.ClassOf(b.Gateway).Waypoint() || !p.Known(b.Gateway.Namespace) {
			continue
		}
		admitted := slices.ContainsFunc(ingressTo(p, w), func(rule mesh.NetworkPolicyIngress) bool {
			return mesh.AdmitsPort(rule.Ports, hbonePort, w) && admitsPod(p, rule, w.Namespace, b.Gateway.Namespace, p.WaypointPod(b.Gateway).Labels)
		})
		if admitted {
			continue
		}
		for i, rule := range p.Object.Spec.(*mesh.NetworkPolicySpec).Ingress {
			if mesh.AdmitsPort(rule.Ports, hbonePort, w) && admitsMesh(p, rule, w.Namespace) {
				return policies.Finding{Field: fmt.Sprintf("spec.ingress[%d].from", i), Related: []mesh.Ref{b.Gateway.Ref(), svc.Ref()},
					Message: fmt.Sprintf("calls to %s do not reach %s: they come from the pods of waypoint %s, and no NetworkPolicy lets those in.",
						svc, policies.Named(w), b.Gateway.Key())}, true
			}
		}
	}
	return policies.Finding{}, false
}

// tcp is whether any port of the rule is TCP.
func tcp(rule mesh.NetworkPolicyIngress) bool {
	for _, port := range rule.Ports {
		if port.Protocol == "" || port.Protocol == "TCP" {
			return true
		}
	}
	return false
}

func portList(rule mesh.NetworkPolicyIngress) string {
	var out []string
	for _, port := range rule.Ports {
		switch {
		case port.Port.Str != "":
			out = append(out, "port "+port.Port.Str)
		case port.EndPort != 0:
			out = append(out, fmt.Sprintf("ports %d-%d", port.Port.Int, port.EndPort))
		default:
			out = append(out, fmt.Sprintf("port %d", port.Port.Int))
		}
	}
	return strings.Join(out, ", ")
}
