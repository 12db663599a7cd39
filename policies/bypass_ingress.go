package policies

import (
	"cmp"
	"slices"
	"strings"

	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies/mesh"
)

// ingress is a gateway from which a route leads into the mesh.
type ingress struct {
	name string        // for messages
	who  func() direct // who it is to ztunnel; a search through the mesh for a classic gateway
}

// open is whether ztunnel lets the gateway in to any of the workloads.
func (in ingress) open(s *mesh.Snapshot, workloads []*mesh.Workload) bool {
	guarded := slices.ContainsFunc(workloads, func(w *mesh.Workload) bool {
		return len(AllowsAt(s, w)) > 0 || len(DeniesAt(s, w)) > 0
	})
	return !guarded || in.who().open(s, workloads)
}

// ingressOf is a gateway of Istio's from which a route leads to a Service. A route that its gateway
// does not take, or that may not send to another namespace, leads nowhere.
func ingressOf(s *mesh.Snapshot, route, svc *mesh.Object) (ingress, bool) {
	switch r := route.Spec.(type) {
	case *mesh.Route:
		if svc.Namespace != route.Namespace && !s.Granted(route, svc.Kind, svc.Namespace, svc.Name) {
			return ingress{}, false
		}
		for _, p := range r.ParentRefs {
			if _, kind := p.GroupKind(); kind != "Gateway" {
				continue
			}
			gw := s.Get(mesh.Gateway, cmp.Or(p.Namespace, route.Namespace), p.Name)
			if gw != nil && s.ClassOf(gw) == mesh.ClassGateway && takes(s, gw, p, route.Namespace) {
				return ingress{gw.String(), func() direct { return direct{principal: gatewayIdentity(s, gw)} }}, true
			}
		}
	case *mesh.VirtualServiceSpec:
		for _, g := range r.Gateways {
			if in, ok := classicIngress(s, g, route.Namespace); ok {
				return in, true
			}
		}
	}
	return ingress{}, false
}

// takes is whether a listener of the gateway takes routes of a namespace.
func takes(s *mesh.Snapshot, gw *mesh.Object, p mesh.ParentRef, ns string) bool {
	return slices.ContainsFunc(gw.Spec.(*mesh.GatewayBody).Spec.Listeners, func(l mesh.Listener) bool {
		return (p.SectionName == "" || p.SectionName == l.Name) && (p.Port == 0 || p.Port == l.Port) && s.ListenerAdmits(&l, gw.Namespace, ns)
	})
}

// gatewayIdentity is the principal of a gateway that istiod deploys; "" where it does not deploy it.
func gatewayIdentity(s *mesh.Snapshot, gw *mesh.Object) string {
	spec := gw.Spec.(*mesh.GatewayBody).Spec
	if slices.ContainsFunc(spec.Addresses, func(a mesh.Address) bool { return a.Type == "Hostname" }) {
		return ""
	}
	sa := cmp.Or(gw.Annotations[annotation.GatewayServiceAccount.Name], gw.Name+"-"+spec.GatewayClassName)
	return s.Settings().TrustDomain + "/ns/" + gw.Namespace + "/sa/" + sa
}

// classicIngress is a Gateway of networking.istio.io, by the name that a VirtualService gives it.
func classicIngress(s *mesh.Snapshot, name, ns string) (ingress, bool) {
	if name == "mesh" {
		return ingress{}, false
	}
	in := ingress{name: "Gateway " + name, who: func() direct { return direct{} }}
	if before, after, ok := strings.Cut(name, "/"); ok {
		ns, name = before, after
	}
	gw := s.Get(mesh.IstioGateway, ns, name)
	if gw == nil {
		return in, !s.Known(ns)
	}
	in.who = func() direct { return classicIdentity(s, gw.Spec.(*mesh.IstioGatewaySpec).Selector) }
	return in, true
}

// classicIdentity is that of the gateway pods that a Gateway of networking.istio.io selects, in
// whatever namespace; nobody known where none is in the input.
func classicIdentity(s *mesh.Snapshot, sel map[string]string) direct {
	for _, w := range s.Clients().Gateways {
		if w.Carries(sel) {
			return direct{principal: principalOf(s, w)}
		}
	}
	return direct{}
}
