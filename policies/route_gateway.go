package policies

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// gatewayParent is a route whose parent is a Gateway: in force at an ingress gateway, and silently
// nothing at a waypoint of Envoy's.
func gatewayParent(s *mesh.Snapshot, o *mesh.Object, p mesh.ParentRef, field string) Effect {
	ref := mesh.Ref{APIVersion: mesh.Gateway.APIVersion(), Kind: "Gateway", Namespace: cmp.Or(p.Namespace, o.Namespace), Name: p.Name}
	t := Target{Kind: "Gateway", Namespace: ref.Namespace, Name: ref.Name}
	gw := s.Get(mesh.Gateway, ref.Namespace, ref.Name)
	if gw == nil {
		e := nobody(t, NotEnforced, NoMatchingParent, field, fmt.Sprintf("this %s has no effect: there is no Gateway %s/%s. Correct the parentRef.", o.Kind, ref.Namespace, ref.Name))
		if !s.Known(ref.Namespace) {
			e = nobody(t, Unknown, NotInInput, field, fmt.Sprintf("it cannot be judged: Gateway %s/%s is not in the input. Add it, or use --live.", ref.Namespace, ref.Name))
		}
		e.WaitsFor = []Wait{{Object: &ref}}
		return e
	}
	a := &attachment{field: field, target: t, by: gw}
	class := s.ClassOf(gw)
	switch {
	case class == mesh.ClassUnknown:
		name := gw.Spec.(*mesh.GatewayBody).Spec.GatewayClassName
		a.not(Unknown, NotInInput, "GatewayClass "+name+" is not in the input", "Add it, or use --live.",
			Wait{Object: &mesh.Ref{APIVersion: mesh.GatewayClass.APIVersion(), Kind: "GatewayClass", Name: name}})
	case class == mesh.ClassWaypoint && !s.Sandwiched(gw):
		a.not(NotEnforced, WaypointParent, fmt.Sprintf("%s is a waypoint, and istiod makes nothing of a route whose parent is a waypoint, nor says so", gw),
			"Name the Services whose calls are meant as parents instead.")
	case class != mesh.ClassGateway && class != mesh.ClassAgentIngress && class != mesh.ClassAgentgateway:
		a.not(Unknown, ForeignGateway, fmt.Sprintf("%s is run by somebody else's controller", gw), "Ask its maker.")
	default:
		judgeListeners(s, o, p, gw, a)
	}
	a.gateway = class != mesh.ClassAgentgateway
	e := a.effect("this " + o.Kind.String())
	if a.applied() {
		e.Message = fmt.Sprintf("%s applies it.", gw)
		judgeBackends(s, o, true, &e)
	}
	return e
}

// judgeListeners is whether a listener of a gateway takes the route
// (pilot/pkg/config/kube/gateway/conversion.go referenceAllowed).
func judgeListeners(s *mesh.Snapshot, o *mesh.Object, p mesh.ParentRef, gw *mesh.Object, a *attachment) {
	named, refused, unsure := false, false, false
	r := o.Spec.(*mesh.Route)
	listeners := gw.Spec.(*mesh.GatewayBody).Spec.Listeners
	for i := range listeners {
		l := &listeners[i]
		if p.SectionName != "" && p.SectionName != l.Name || p.Port != 0 && p.Port != l.Port {
			continue
		}
		named = true
		if l.Hostname != "" && len(r.Hostnames) > 0 && !slices.ContainsFunc(r.Hostnames, func(h string) bool { return mesh.HostMatches(l.Hostname, h) }) {
			continue // istiod looks at hostnames first
		}
		ok, known := allowsRoute(s, l, gw, o)
		unsure = unsure || !known
		if ok {
			if !mesh.Ready(gw) {
				a.not(Pending, mesh.WaypointIsNotReady, fmt.Sprintf("%s has no address yet", gw), "Find out why it is not ready.")
			}
			return
		}
		refused = true
	}
	switch {
	case !named:
		a.not(NotEnforced, NoMatchingParent, fmt.Sprintf("%s has no listener of that sectionName and port", gw), "Correct the parentRef.")
	case unsure:
		a.not(Unknown, NotInInput, fmt.Sprintf("Namespace %s is not in the input, and the listeners of %s choose namespaces by label", o.Namespace, gw), "Add it, or use --live.", waitFor("Namespace "+o.Namespace)...)
	case refused:
		a.not(NotEnforced, NotAllowedByListeners, fmt.Sprintf("no listener of %s takes routes of kind %s from Namespace %s", gw, o.Kind, o.Namespace), "Give the Gateway a listener of the route's protocol whose allowedRoutes take it, or move the route.")
	default:
		a.not(NotEnforced, NoMatchingListenerHostname, fmt.Sprintf("no listener of %s has one of the route's hostnames", gw), "Correct spec.hostnames, or add a listener.")
	}
}

// allowsRoute is whether a listener lets a route attach; known is false where labels decide that are
// not in the input.
func allowsRoute(s *mesh.Snapshot, l *mesh.Listener, gw, o *mesh.Object) (ok, known bool) {
	if !carries(l, o.Kind) {
		return false, true
	}
	if l.AllowedRoutes == nil {
		return gw.Namespace == o.Namespace, true
	}
	if kinds := l.AllowedRoutes.Kinds; len(kinds) > 0 {
		found := false
		for _, k := range kinds {
			found = found || k.Kind == o.Kind.String()
		}
		if !found {
			return false, true
		}
	}
	bySelector := l.AllowedRoutes.Namespaces != nil && l.AllowedRoutes.Namespaces.From == "Selector"
	return s.ListenerAdmits(l, gw.Namespace, o.Namespace), !bySelector || s.Known(o.Namespace)
}

// carries is whether routes of a kind can be attached to a listener of that protocol at all
// (pilot/pkg/config/kube/gatewaycommon/conversion.go GenerateGatewaySupportedKinds). HBONE is
// agentgateway's, which takes them all.
func carries(l *mesh.Listener, kind mesh.Kind) bool {
	switch l.Protocol {
	case "HTTP", "HTTPS":
		return kind == mesh.HTTPRoute || kind == mesh.GRPCRoute
	case "TCP":
		return kind == mesh.TCPRoute
	case "TLS":
		return kind == mesh.TLSRoute || kind == mesh.TCPRoute && l.TLS != nil && l.TLS.Mode == "Terminate"
	}
	return l.Protocol == "HBONE"
}
