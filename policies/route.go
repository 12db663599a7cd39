package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// route judges an HTTPRoute, GRPCRoute, TCPRoute or TLSRoute, one effect a parent and enforcer. istiod
// makes a VirtualService in the route's namespace of each parent that is a Service or ServiceEntry,
// and from there on the rules of VirtualServices hold; of a parent that is a waypoint it makes nothing
// (pilot/pkg/config/kube/gateway/conversion.go, gateway_collection.go).
func route(s *mesh.Snapshot, o *mesh.Object) []Effect {
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	r := o.Spec.(*mesh.Route)
	var effects []Effect
	for i, p := range r.ParentRefs {
		field := "spec.parentRefs[" + strconv.Itoa(i) + "]"
		group, kind := p.GroupKind()
		t := Target{Kind: kind, Namespace: cmp.Or(p.Namespace, o.Namespace), Name: p.Name}
		switch group + "/" + kind {
		case "/Service":
			effects = append(effects, meshParent(s, o, p, mesh.Service, field)...)
		case "networking.istio.io/ServiceEntry":
			effects = append(effects, meshParent(s, o, p, mesh.ServiceEntry, field)...)
		case "gateway.networking.k8s.io/Gateway":
			effects = append(effects, gatewayParent(s, o, p, field))
		default:
			effects = append(effects, nobody(t, Unknown, ForeignGateway, field, fmt.Sprintf(
				"it cannot be judged: what a route does at a %s is not known here. Name a Service or a Gateway, or ask who implements it.", kind)))
		}
	}
	if len(effects) == 0 {
		t := Target{Kind: ScopeNamespace, Name: o.Namespace}
		effects = append(effects, nobody(t, NotEnforced, NoMatchingParent, "spec.parentRefs", "this "+o.Kind.String()+" has no effect: it names no parent. Name one in spec.parentRefs."))
	}
	return keepBest(effects)
}

// keepBest keeps one effect a target and enforcer: a route may name a parent once a listener or port,
// and is in force there if one of them takes it.
func keepBest(effects []Effect) []Effect {
	var out []Effect
	for _, e := range effects {
		i := slices.IndexFunc(out, func(x Effect) bool {
			return x.Target.compare(e.Target) == 0 && (x.EnforcedBy == Sidecar) == (e.EnforcedBy == Sidecar)
		})
		switch {
		case i < 0:
			out = append(out, e)
		case out[i].Verdict.Worse(e.Verdict):
			out[i] = e
		}
	}
	return out
}

// meshParent is a route for the calls to a Service or ServiceEntry.
func meshParent(s *mesh.Snapshot, o *mesh.Object, p mesh.ParentRef, kind mesh.Kind, field string) []Effect {
	ref := mesh.Ref{APIVersion: kind.APIVersion(), Kind: kind.String(), Namespace: cmp.Or(p.Namespace, o.Namespace), Name: p.Name}
	t := Target{Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name}
	svc := s.Get(kind, ref.Namespace, ref.Name)
	if svc == nil {
		return []Effect{notThere(s, ref, nobody(t, NotEnforced, NoMatchingParent, field, fmt.Sprintf("this %s has no effect: there is no %s. Correct the parentRef.", o.Kind, ref)))}
	}
	if kind == mesh.ServiceEntry && s.OtherRevision(svc) {
		return []Effect{nobody(t, NotEnforced, NoMatchingParent, field, fmt.Sprintf(
			"this %s has no effect: %s of %s names a revision that no istiod in the input has, so that to istiod it is not there. Remove the label of the ServiceEntry.", o.Kind, label.IoIstioRev.Name, ref))}
	}
	who := audienceOf(s, o, svc, nil)
	if o.Namespace != svc.Namespace {
		who.sidecar = s.Clients().Sidecar[o.Namespace] // a consumer's route holds for its own namespace
	}
	var effects []Effect
	other := s.LeavesRoutesTo(svc)
	if who.sidecar && other == nil {
		e := bySidecars(t)
		judgeBackends(s, o, false, &e)
		effects = append(effects, e)
	}
	switch {
	case who.sidecar && other != nil && !who.ambient:
		effects = append(effects, nobody(t, NotEnforced, ForeignGateway, field, fmt.Sprintf(
			"this %s has no effect: label %s makes istiod leave the routes of %s to the controller of %s, and sidecars get none of them. Remove the label from what only sidecars call.",
			o.Kind, label.IoIstioUseWaypoint.Name, ref, other)))
	case who.ambient:
		effects = append(effects, routeAtWaypoint(s, o, p, svc, field))
	case len(effects) == 0:
		effects = append(effects, uncalled(t, o.Kind.String(), field, who))
	}
	return effects
}

func routeAtWaypoint(s *mesh.Snapshot, o *mesh.Object, p mesh.ParentRef, svc *mesh.Object, field string) Effect {
	a := waypointFor(s, svc, field)
	if a.applied() {
		switch s.ClassOf(a.by) {
		case mesh.ClassAgentgateway:
			return byWaypoint(a, o.Kind.String()) // it reads the Gateway API itself
		case mesh.ClassRemote:
			// conversion.go waypointManagedByAnotherController leaves the parent to whoever runs it.
			a.not(Unknown, ForeignGateway, fmt.Sprintf("waypoint %s is run elsewhere, and istiod leaves the route to whoever runs it", a.by.Key()), "Judge the route in the cluster that runs the waypoint.")
		default:
			a.refuseNamespace(o, svc)
		}
	} else {
		a.refuseNamespace(o, svc)
	}
	e := byWaypoint(a, o.Kind.String())
	if a.applied() {
		judgeRoute(s, o, p, svc, &e)
		judgeBackends(s, o, false, &e)
	}
	return e
}

// judgeRoute judges a route on the chains of its parent's waypoint: HTTPRoutes and GRPCRoutes need
// a port that speaks HTTP, the others one that does not, and a TLSRoute the Service's own host as SNI.
func judgeRoute(s *mesh.Snapshot, o *mesh.Object, p mesh.ParentRef, svc *mesh.Object, e *Effect) {
	kind := map[mesh.Kind]string{mesh.HTTPRoute: "http", mesh.GRPCRoute: "http", mesh.TCPRoute: "tcp", mesh.TLSRoute: "tls"}[o.Kind]
	at := rulesAt{s.Ports(svc), s.HostsOf(svc), nil}
	c, ok := at.port(kind, e.Field, p.Port)
	if r := o.Spec.(*mesh.Route); ok && kind == "tls" && (len(r.Hostnames) != 1 || !slices.Contains(at.hosts, r.Hostnames[0])) {
		c, ok = Cause{SNINeverMatches, NotEnforced, "spec.hostnames", fmt.Sprintf("a waypoint only knows the Service's own host, so spec.hostnames can be nothing but [%s]", at.hosts[0])}, false
	}
	if ok {
		return
	}
	e.Causes = []Cause{c}
	e.Message = fmt.Sprintf("this %s has no effect at waypoint %s: %s. %s", o.Kind, e.By.Namespace+"/"+e.By.Name, c.Text, ruleRemedy[c.Reason])
	e.EnforcedBy, e.By, e.Verdict, e.Reason, e.Field = Nobody, nil, NotEnforced, c.Reason, c.Field
}
