package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// requestAuthentication judges a RequestAuthentication (docs/semantics.md): by its targetRefs at
// waypoints and gateways, else by its scope at sidecars and gateways. ztunnel never reads one, and
// a waypoint only one that names it, its Services or its class.
func requestAuthentication(s *mesh.Snapshot, o *mesh.Object) []Effect {
	spec := o.Spec.(*mesh.RequestAuthenticationSpec)
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	if len(spec.Attachment().Refs()) > 0 {
		return requestTargets(s, o, spec)
	}
	r := reachOf(s, o, spec.Selector)
	var effects []Effect
	if len(r.sidecar) > 0 {
		effects = append(effects, Effect{Target: r.target, EnforcedBy: Sidecar, Verdict: Enforced, Reason: Accepted, Workloads: count(r.sidecar),
			Message: "the sidecars validate tokens as written."})
	}
	if len(r.gateway) > 0 {
		effects = append(effects, Effect{Target: r.target, EnforcedBy: Gateway, By: onlyGateway(r.gateway), Verdict: Enforced, Reason: Accepted,
			Workloads: count(r.gateway), Message: "the gateways validate tokens as written."})
	}
	if len(r.ambient) > 0 {
		e := nobody(r.target, NotEnforced, NeedsTargetRefs, scopeField(spec.Selector, "selector"),
			"no token is validated on the way to the enrolled pods: ztunnel does not read RequestAuthentications, and a waypoint only those with targetRefs. Bind it to the Services with targetRefs, and the AuthorizationPolicies that need its tokens with it.")
		e.Workloads = count(r.ambient)
		effects = append(effects, e)
	}
	captured := len(effects)
	r.gateway = nil // judged above
	if e, ok := elsewhere(s, r, "this RequestAuthentication", scopeField(spec.Selector, "selector"), captured); ok {
		if e.Reason == NotEnrolled {
			e.WaitsFor = nil // enrolled, they would still have no waypoint that reads it
			e.Message = fmt.Sprintf("no token is validated for all of its pods: %s. Enrol them and bind it to their Services with targetRefs, or leave them out.", whyOutside(gaps(s, r, captured)))
		}
		effects = mergeNobody(effects, e)
	}
	return effects
}

// requestTargets judges one with targetRefs, one effect a target.
func requestTargets(s *mesh.Snapshot, o *mesh.Object, spec *mesh.RequestAuthenticationSpec) []Effect {
	var out []Effect
	for _, a := range attach(s, o, spec.Attachment()) {
		e := a.effect("this RequestAuthentication")
		if a.applied() {
			judgeRequestAt(s, a, &e)
		}
		out = mergeTargets(out, e)
	}
	return out
}

// judgeRequestAt judges one that a waypoint or gateway gets. Tokens are validated where requests are
// seen, on HTTP chains; a waypoint's chains for pods find out for themselves.
func judgeRequestAt(s *mesh.Snapshot, a *attachment, e *Effect) {
	if a.gateway {
		e.Message = "Gateway " + a.by.Key() + " validates tokens as written."
		return
	}
	by := "the waypoints validate"
	if a.by != nil {
		by = "waypoint " + a.by.Key() + " validates"
	}
	chains := chainsOf(s, a.services)
	var opaque []string
	for _, c := range chains {
		if c.port.OpaqueToHTTP() {
			opaque = append(opaque, fmt.Sprintf("port %d of %s is %s", c.port.Number, c.service.Ref(), c.port.Protocol))
		}
	}
	if len(opaque) == len(chains) && !a.direct {
		why := "no port of the target passes a waypoint"
		if len(opaque) > 0 {
			why = strings.Join(opaque, ", ")
		}
		e.EnforcedBy, e.By, e.Verdict, e.Reason = Nobody, nil, NotEnforced, Protocol
		e.Causes = []Cause{{Reason: Protocol, Verdict: NotEnforced, Field: a.field, Text: why}}
		e.Message = fmt.Sprintf("no token is validated: %s, and a waypoint looks for tokens in HTTP only. Declare the ports' protocol (appProtocol: http).", why)
		return
	}
	e.Message = by + " tokens as written."
	if len(opaque) > 0 {
		e.Message = fmt.Sprintf("%s tokens in HTTP as written; %s, where there are none.", by, strings.Join(opaque, ", "))
	}
	judgeBypass(s, a, e)
}

// ValidatesTokens are the RequestAuthentications that a waypoint applies to a bound Service's calls.
func ValidatesTokens(s *mesh.Snapshot, svc *mesh.Object) []*mesh.Object {
	var out []*mesh.Object
	b := s.Binding(svc)
	if !b.Bound {
		return nil
	}
	for _, ns := range []string{s.RootNamespace(), b.Gateway.Namespace, svc.Namespace} {
		for _, o := range s.List(mesh.RequestAuthentication, ns) {
			if s.OtherRevision(o) {
				continue
			}
			for _, a := range attach(s, o, o.Spec.(*mesh.RequestAuthenticationSpec).Attachment()) {
				if a.applied() && slices.Contains(a.services, svc) && !slices.Contains(out, o) {
					out = append(out, o)
				}
			}
		}
	}
	return out
}
