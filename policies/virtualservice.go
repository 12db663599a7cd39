package policies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// virtualService judges a VirtualService: at the gateways that it names, at the sidecars of callers,
// and at the waypoint of each Service that one of its hosts covers
// (pilot/pkg/networking/core/listener_waypoint.go getVirtualServiceForWaypoint).
func virtualService(s *mesh.Snapshot, o *mesh.Object) []Effect {
	v := o.Spec.(*mesh.VirtualServiceSpec)
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	if len(v.Hosts) == 0 {
		return delegated(s, o)
	}
	var effects []Effect
	for i, host := range v.Hosts {
		field := "spec.hosts[" + strconv.Itoa(i) + "]"
		var own []Effect
		if forMesh(v) {
			own = virtualServiceHost(s, o, v, host, field)
		}
		effects = append(effects, atIstioGateways(s, o, v, host, field, own)...)
		effects = append(effects, own...)
	}
	return join(effects)
}

// forMesh is whether a VirtualService is about calls inside the mesh, and not only at gateways.
func forMesh(v *mesh.VirtualServiceSpec) bool {
	return len(v.Gateways) == 0 || slices.Contains(v.Gateways, "mesh")
}

// delegating are the VirtualServices that delegate to one without hosts: those with hosts, as Istio knows one level of delegation
// (pilot/pkg/model/virtualservice_controller.go mergeVirtualServices).
func delegating(s *mesh.Snapshot, o *mesh.Object) []*mesh.Object {
	return slices.DeleteFunc(slices.Clone(s.Delegators(o)), func(root *mesh.Object) bool { return len(root.Spec.(*mesh.VirtualServiceSpec).Hosts) == 0 })
}

// delegated is a VirtualService without hosts: what the VirtualServices that delegate to it do.
func delegated(s *mesh.Snapshot, o *mesh.Object) []Effect {
	var effects []Effect
	for _, root := range delegating(s, o) {
		for _, e := range virtualService(s, root) {
			e.Message = fmt.Sprintf("through %s, which delegates to it: %s", root, e.Message)
			e.Field, e.Causes = "metadata.name", nil
			effects = append(effects, e)
		}
	}
	if len(effects) == 0 {
		t := Target{Kind: ScopeNamespace, Name: o.Namespace}
		e := nobody(t, Unknown, NotInInput, "spec.hosts", "it cannot be judged: it has no hosts, and no VirtualService in the input delegates to it. Add the one that does.")
		return []Effect{e}
	}
	return join(effects)
}

// virtualServiceHost is one host inside the mesh.
func virtualServiceHost(s *mesh.Snapshot, o *mesh.Object, v *mesh.VirtualServiceSpec, host, field string) []Effect {
	exportTo := v.ExportTo
	if len(exportTo) == 0 {
		exportTo = s.Settings().VirtualServiceExportTo
	}
	services := s.ServicesFor(host, o.Namespace)
	if len(services) == 0 {
		return unresolved(s, o, host, field, exportTo, len(v.Gateways) > 1)
	}
	var effects []Effect
	for _, svc := range services {
		who := audienceOf(s, o, svc, exportTo)
		n := len(effects)
		if who.sidecar {
			effects = append(effects, bySidecars(objectTarget(svc)))
		}
		if who.ambient {
			a := waypointFor(s, svc, field)
			a.refuseAgentgateway(s)
			a.refuseNamespace(o, svc)
			a.refuseExport(o, v.ExportTo, exportTo)
			e := byWaypoint(a, "VirtualService")
			if a.applied() {
				rulesAt{s.Ports(svc), s.HostsOf(svc), a.by}.judge(v, &e)
			}
			effects = append(effects, e)
		}
		if len(effects) == n {
			effects = append(effects, uncalled(objectTarget(svc), "VirtualService", field, who))
		}
	}
	return fold(host, effects)
}

// unresolved is a host that is no Service and no ServiceEntry. Sidecars serve it all the same, a
// waypoint cannot. elsewhere is whether gateways are named too: then the host is theirs.
func unresolved(s *mesh.Snapshot, o *mesh.Object, host, field string, exportTo []string, elsewhere bool) []Effect {
	t := hostTarget(s.Hostname(host, o.Namespace))
	who := audienceOf(s, o, nil, exportTo)
	var effects []Effect
	if who.sidecar {
		effects = append(effects, bySidecars(t))
	}
	switch {
	case elsewhere:
	case who.ambient && strings.HasPrefix(host, "*"):
		effects = append(effects, nobody(t, Unknown, NotInInput, field, "it cannot be judged: the input has no Service and no ServiceEntry that host "+host+" covers. Add them, or use --live."))
	case who.ambient:
		effects = append(effects, nameless(s, t, o, field))
	case len(effects) == 0:
		effects = append(effects, uncalled(t, o.Kind.String(), field, who))
	}
	return effects
}

// nameless is what ambient pods see of a policy for a host that nothing in the input describes.
func nameless(s *mesh.Snapshot, t Target, o *mesh.Object, field string) Effect {
	ref := mesh.Ref{APIVersion: mesh.ServiceEntry.APIVersion(), Kind: "ServiceEntry", Namespace: o.Namespace}
	what, remedy := "ServiceEntry describes", "Describe the host with a ServiceEntry that is bound to a waypoint."
	if short, ok := strings.CutSuffix(t.Name, ".svc."+s.Settings().ClusterDomain); ok {
		name, ns, _ := strings.Cut(short, ".")
		ref = mesh.Ref{APIVersion: "v1", Kind: "Service", Namespace: ns, Name: name}
		what, remedy = "Service is called", "Correct the host."
		if !s.Known(ns) {
			e := nobody(t, Unknown, NotInInput, field, fmt.Sprintf("it cannot be judged: %s is not in the input. Add it, or use --live.", ref))
			e.WaitsFor = []Wait{{Object: &ref}}
			return e
		}
	}
	if ref.Kind == "ServiceEntry" && len(s.Clients().Unknown) > 0 {
		// It may stand in a namespace that the input does not show.
		return nobody(t, Unknown, NotInInput, field, fmt.Sprintf("it cannot be judged: no ServiceEntry in the input describes %s, and the input does not show every namespace. Add it, or use --live.", t.Name))
	}
	e := nobody(t, NotEnforced, TargetNotFound, field, fmt.Sprintf(
		"this %s has no effect on calls from ambient pods: no %s %s, so no waypoint takes the calls. %s", o.Kind, what, t.Name, remedy))
	e.WaitsFor = []Wait{{Object: &ref}}
	return e
}

// atIstioGateways is what the gateways that a VirtualService names do with one host. inMesh are the
// host's effects inside the mesh; of several that nobody carries out, one is told.
func atIstioGateways(s *mesh.Snapshot, o *mesh.Object, v *mesh.VirtualServiceSpec, host, field string, inMesh []Effect) []Effect {
	var (
		found, absent []mesh.Ref
		unknown       []mesh.Ref
	)
	t := hostTarget(host)
	if len(inMesh) > 0 {
		t = inMesh[0].Target
	} else if !strings.HasPrefix(host, "*") {
		if services := s.ServicesFor(host, o.Namespace); len(services) == 1 {
			t = objectTarget(services[0])
		}
	}
	for _, g := range v.Gateways {
		if g == "mesh" {
			continue
		}
		ref := gatewayRef(g, o.Namespace)
		switch gw := s.Get(mesh.IstioGateway, ref.Namespace, ref.Name); {
		case gw != nil && servesHost(s, gw, o, host):
			found = append(found, ref)
		case gw == nil && !s.Known(ref.Namespace):
			unknown = append(unknown, ref)
		default:
			absent = append(absent, ref)
		}
	}
	e := Effect{Target: t, EnforcedBy: Gateway, Verdict: Enforced, Reason: Accepted}
	switch {
	case len(found) > 0:
		e.By = &found[0]
		e.Message = fmt.Sprintf("%s applies it.", found[0])
		return []Effect{e}
	case len(inMesh) > 0 || len(unknown)+len(absent) == 0:
		return nil
	case len(unknown) > 0:
		e = nobody(t, Unknown, NotInInput, "spec.gateways", fmt.Sprintf("it cannot be judged: %s is not in the input. Add it, or use --live.", unknown[0]))
		e.WaitsFor = []Wait{{Object: &unknown[0]}}
		return []Effect{e}
	}
	e = nobody(t, NotEnforced, NoMatchingParent, "spec.gateways", fmt.Sprintf("this VirtualService has no effect: there is no %s. Correct the name.", absent[0]))
	e.WaitsFor = []Wait{{Object: &absent[0]}}
	if s.Get(mesh.IstioGateway, absent[0].Namespace, absent[0].Name) != nil {
		e = nobody(t, NotEnforced, NoMatchingListenerHostname, "spec.gateways", fmt.Sprintf(
			"this VirtualService has no effect for host %s: %s has no server for it, and calls inside the mesh are left out. Add \"mesh\" to spec.gateways, or a server for the host.", host, absent[0]))
	}
	return []Effect{e}
}

func gatewayRef(name, ns string) mesh.Ref {
	if in, n, ok := strings.Cut(name, "/"); ok {
		name = n
		if in != "." {
			ns = in
		}
	}
	return mesh.Ref{APIVersion: mesh.IstioGateway.APIVersion(), Kind: "Gateway", Namespace: ns, Name: name}
}

// servesHost is whether a server of Istio's Gateway takes the host from the VirtualService's namespace.
func servesHost(s *mesh.Snapshot, gw, o *mesh.Object, host string) bool {
	fq := s.Hostname(host, o.Namespace)
	for _, server := range gw.Spec.(*mesh.IstioGatewaySpec).Servers {
		for _, h := range server.Hosts {
			ns, name, scoped := strings.Cut(h, "/")
			switch {
			case !scoped:
				name = ns
			case ns == "." && o.Namespace != gw.Namespace, ns != "." && ns != "*" && ns != o.Namespace:
				continue
			}
			if mesh.HostMatches(name, fq) || mesh.HostMatches(name, host) {
				return true
			}
		}
	}
	return false
}
