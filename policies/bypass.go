package policies

import (
	"cmp"
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A waypoint enforces only what passes through it, and nothing at the destination makes calls pass
// through it. Bypasses lists the paths round a Service's waypoint that stored objects show; that
// any pod can call another by its IP is not news and not listed here.

// Bypass is a path round a Service's waypoint.
type Bypass struct {
	Reason string       // IngressBypass, OtherWaypoint, ExposedBypass or SidecarBypass; of [Ways] those of other ways too
	Via    *mesh.Object // the route, Service or workload that shows the path
	Caller string       // the principal of who comes by it, without spiffe://, as far as [Ways] knows it
	Text   string       // as a clause
	Remedy string

	who func() direct // finds the Caller, where that takes a search that most do not need
}

// Bypasses are the paths round the waypoint of a bound Service or ServiceEntry that nothing closes.
func Bypasses(s *mesh.Snapshot, svc *mesh.Object) []Bypass {
	b := s.Binding(svc)
	if !b.Bound {
		return nil
	}
	behind, _ := s.Backends(svc)
	var out []Bypass
	if spec, ok := svc.Spec.(*mesh.ServiceSpec); ok && (spec.Type == "NodePort" || spec.Type == "LoadBalancer") && (direct{plaintext: true}).open(s, behind) {
		out = append(out, Bypass{ExposedBypass, svc, "",
			fmt.Sprintf("%s is of type %s, so callers from outside reach its pods without passing the waypoint", svc, spec.Type),
			"Make it a ClusterIP Service behind a Gateway.", nil})
	}
	for _, route := range s.RoutesTo(svc) {
		if in, ok := ingressOf(s, route, svc); ok && !b.Ingress && in.open(s, behind) {
			out = append(out, Bypass{IngressBypass, route, "",
				fmt.Sprintf("%s leads from %s to %s, and ingress gateways do not send through the waypoint", route, in.name, svc),
				fmt.Sprintf("Set label %s=true on %s.", label.IoIstioIngressUseWaypoint.Name, svc), in.who})
		}
		if other := otherWaypoint(s, route, svc, b.Gateway); other != nil && (direct{principal: s.Identity(other)}).open(s, behind) {
			out = append(out, Bypass{OtherWaypoint, route, s.Identity(other),
				fmt.Sprintf("%s leads to %s from waypoint %s, and a waypoint never sends through a second one", route, svc, other.Key()),
				"Bind both Services to the same waypoint, or enforce the policy at both.", nil})
		}
	}
	return append(out, sidecarBypasses(s, svc, behind)...)
}

// otherWaypoint is the waypoint that executes a mesh route to svc and is not svc's own.
func otherWaypoint(s *mesh.Snapshot, route, svc, own *mesh.Object) *mesh.Object {
	for _, parent := range MeshParents(s, route) {
		if b := s.Binding(parent); parent != svc && b.Bound && b.Gateway != own {
			return b.Gateway
		}
	}
	return nil
}

// MeshParents are the Services and ServiceEntries whose calls a route handles inside the mesh, by itself or by what delegates to it.
func MeshParents(s *mesh.Snapshot, route *mesh.Object) []*mesh.Object {
	var out []*mesh.Object
	switch r := route.Spec.(type) {
	case *mesh.Route:
		for _, p := range r.ParentRefs {
			group, kind := p.GroupKind()
			k, ok := map[string]mesh.Kind{"/Service": mesh.Service, "networking.istio.io/ServiceEntry": mesh.ServiceEntry}[group+"/"+kind]
			if !ok {
				continue
			}
			if o := s.Get(k, cmp.Or(p.Namespace, route.Namespace), p.Name); o != nil {
				out = append(out, o)
			}
		}
	case *mesh.VirtualServiceSpec:
		if len(r.Gateways) > 0 && !slices.Contains(r.Gateways, "mesh") {
			return nil
		}
		if len(r.Hosts) == 0 {
			for _, root := range delegating(s, route) {
				out = append(out, MeshParents(s, root)...)
			}
		}
		for _, h := range r.Hosts {
			out = append(out, s.ServicesFor(h, route.Namespace)...)
		}
	}
	return out
}

// judgeBypass turns the verdict of a policy that a waypoint enforces into Bypassable where the
// mesh shows a path round it.
func judgeBypass(s *mesh.Snapshot, a *attachment, e *Effect) {
	for _, svc := range a.services {
		ways := Bypasses(s, svc)
		if b, ok := canaryBypass(s, a.policy, svc, e); ok {
			ways = append(ways, b)
		}
		for _, b := range ways {
			e.Causes = append(e.Causes, Cause{Reason: b.Reason, Verdict: Bypassable, Field: e.Field, Text: b.Text})
			if e.Verdict == Bypassable {
				continue
			}
			e.Verdict, e.Reason = Bypassable, b.Reason
			e.Message = fmt.Sprintf("calls can get round it: %s. %s", b.Text, b.Remedy)
		}
	}
}

func backendsOf(s *mesh.Snapshot, services []*mesh.Object) []*mesh.Workload {
	var out []*mesh.Workload
	for _, svc := range services {
		behind, _ := s.Backends(svc)
		out = append(out, behind...)
	}
	return out
}
