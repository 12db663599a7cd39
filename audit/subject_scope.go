package audit

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

func (sub *subject) ofGateway(s *mesh.Snapshot) {
	o := sub.object
	sub.gateways, sub.alone = []*mesh.Object{o}, true
	class := s.ClassOf(o)
	ready := "ready"
	if !mesh.Ready(o) {
		ready = "not ready: " + s.Unready(o)
	}
	layer := policies.Gateway
	if class.Waypoint() {
		layer = policies.Waypoint
	}
	sub.at[layer] = []string{fmt.Sprintf("It is of class %s, and %s.", class, ready)}
	for _, w := range s.Workloads(o.Namespace) {
		if w.Labels[label.IoK8sNetworkingGatewayGatewayName.Name] == o.Name {
			sub.workloads = append(sub.workloads, w)
		}
	}
	if !class.Waypoint() {
		for _, r := range s.RoutesFrom(o) {
			sub.facts = append(sub.facts, fmt.Sprintf("%s leads from it.", r))
		}
		return
	}
	sub.facts = append(sub.facts, fmt.Sprintf("It is for traffic of type %s; ztunnel and its backends see it as %s.", s.TrafficType(o), s.Identity(o)))
	for _, svc := range s.BoundTo(o) {
		sub.facts = append(sub.facts, boundSays(s, o, svc))
	}
	if bound := s.WorkloadsBoundTo(o); len(bound) > 0 {
		sub.facts = append(sub.facts, fmt.Sprintf("Calls addressed to %s pass it.", namesOf(bound)))
	}
	sub.needed(s)
}

func (sub *subject) ofNamespace(s *mesh.Snapshot) {
	ns := sub.object.Name
	labels := s.NamespaceLabels(ns)
	sub.facts = append(sub.facts, fmt.Sprintf("Ambient mode: %s. Sidecar injection: %s. Root namespace: %s.",
		yes(labels[label.IoIstioDataplaneMode.Name] == "ambient"), yes(mesh.Injection(labels)), yes(ns == s.RootNamespace())))
	sub.workloads = s.Workloads(ns)
	sub.services = slices.Concat(s.List(mesh.Service, ns), s.List(mesh.ServiceEntry, ns))
	sub.capture()
	for _, svc := range sub.services {
		sub.bind(s, svc)
	}
	for _, gw := range s.List(mesh.Gateway, ns) {
		if !slices.Contains(sub.gateways, gw) {
			sub.gateways = append(sub.gateways, gw)
		}
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// concerned are those effects of one policy that are about the subject. What nobody carries out is
// left out where the subject's workloads are all captured and another effect of the same scope
// is about them: then it is about other workloads.
func (sub *subject) concerned(s *mesh.Snapshot, effects []policies.Effect) []policies.Effect {
	var out []policies.Effect
	for _, e := range effects {
		if e.EnforcedBy != policies.Nobody && sub.concerns(s, e) {
			out = append(out, e)
		}
	}
	outside := slices.ContainsFunc(sub.workloads, func(w *mesh.Workload) bool { return w.Mode == mesh.ModeNone || w.Mode == mesh.ModeUnknown })
	for _, e := range effects {
		if e.EnforcedBy != policies.Nobody || !sub.concerns(s, e) {
			continue
		}
		carried := slices.ContainsFunc(out, func(c policies.Effect) bool { return c.Target.String() == e.Target.String() })
		if !carried || outside {
			out = append(out, e)
		}
	}
	return out
}

// captures is which workloads an enforcer stands before.
var captures = map[policies.EnforcedBy]mesh.Mode{
	policies.Ztunnel: mesh.ModeAmbient, policies.Sidecar: mesh.ModeSidecar, policies.Gateway: mesh.ModeGateway,
}

func (sub *subject) concerns(s *mesh.Snapshot, e policies.Effect) bool {
	t := e.Target
	isGateway := func(gw *mesh.Object) bool { return gw.Namespace == t.Namespace && gw.Name == t.Name }
	switch t.Kind {
	case policies.ScopeSelector, policies.ScopeNamespace, policies.ScopeMesh:
		if e.EnforcedBy == policies.Waypoint {
			return sub.atWaypoint(e)
		}
		return slices.ContainsFunc(sub.workloads, func(w *mesh.Workload) bool { return inScope(w, t) && stands(e.EnforcedBy, w) })
	case "Gateway":
		return slices.ContainsFunc(sub.gateways, isGateway)
	case "GatewayClass":
		return slices.ContainsFunc(sub.gateways, func(gw *mesh.Object) bool {
			return gw.Spec.(*mesh.GatewayBody).Spec.GatewayClassName == t.Name
		})
	}
	if sub.alone && e.By == nil { // what waits for the Gateway
		return e.Verdict == policies.Pending && e.At != nil && slices.ContainsFunc(sub.gateways, func(gw *mesh.Object) bool { return gw.Namespace == e.At.Namespace && gw.Name == e.At.Name })
	}
	if sub.alone {
		return slices.ContainsFunc(sub.gateways, func(gw *mesh.Object) bool { return gw.Namespace == e.By.Namespace && gw.Name == e.By.Name })
	}
	return slices.ContainsFunc(sub.services, func(svc *mesh.Object) bool {
		if svc.Kind.String() == t.Kind {
			return svc.Namespace == t.Namespace && svc.Name == t.Name
		}
		// A host that names the Service.
		return t.Name != "" && slices.Contains(s.HostsOf(svc), t.Name)
	})
}

// atWaypoint is whether a waypoint that the subject's calls pass carries the effect out.
func (sub *subject) atWaypoint(e policies.Effect) bool {
	return slices.ContainsFunc(sub.gateways, func(gw *mesh.Object) bool {
		return e.By == nil && (e.Target.Kind == policies.ScopeMesh || e.Target.Name == gw.Namespace || e.Target.Namespace == gw.Namespace) ||
			e.By != nil && e.By.Namespace == gw.Namespace && e.By.Name == gw.Name
	})
}

func stands(by policies.EnforcedBy, w *mesh.Workload) bool {
	mode, ok := captures[by]
	return !ok || w.Mode == mode
}

func inScope(w *mesh.Workload, t policies.Target) bool {
	switch t.Kind {
	case policies.ScopeMesh:
		return true
	case policies.ScopeNamespace:
		return w.Namespace == t.Name
	}
	return (t.Namespace == "" || t.Namespace == w.Namespace) && carries(w.Labels, t.Labels)
}
