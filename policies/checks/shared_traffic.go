package checks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// routing are the kinds that say where calls go; shaping the kinds that say how connections are made.
var (
	routing = []mesh.Kind{mesh.VirtualService, mesh.HTTPRoute, mesh.GRPCRoute, mesh.TCPRoute, mesh.TLSRoute}
	shaping = []mesh.Kind{mesh.DestinationRule, mesh.BackendTLSPolicy, mesh.XBackendTrafficPolicy}
)

// effectsFor are the effects of the pass's object for one of these reasons that are known to be less
// than what the object says.
func effectsFor(p *policies.Pass, reasons ...string) []policies.Effect {
	var out []policies.Effect
	for _, e := range p.Effects(p.Object) {
		if slices.Contains(reasons, e.Reason) && e.Verdict != policies.Unknown && e.Verdict != policies.Enforced {
			out = append(out, e)
		}
	}
	return out
}

// told is the finding that repeats an effect's message: consequence and cause, and the remedy.
func told(e policies.Effect) policies.Finding {
	message, remedy, _ := strings.Cut(e.Message, ". ")
	return policies.Finding{Verdict: e.Verdict, Field: e.Field, Message: strings.TrimSuffix(message, ".") + ".", Remedy: remedy}
}

// enforcedBy is whether somebody of that sort enforces the object at a target.
func enforcedBy(p *policies.Pass, t policies.Target, by policies.EnforcedBy) bool {
	return slices.ContainsFunc(p.Effects(p.Object), func(e policies.Effect) bool {
		return e.EnforcedBy == by && e.Target.Kind == t.Kind && e.Target.Namespace == t.Namespace && e.Target.Name == t.Name
	})
}

// targetOf is the Service or ServiceEntry that is an effect's target; nil for other targets.
func targetOf(p *policies.Pass, t policies.Target) *mesh.Object {
	switch t.Kind {
	case "Service":
		return p.Get(mesh.Service, t.Namespace, t.Name)
	case "ServiceEntry":
		return p.Get(mesh.ServiceEntry, t.Namespace, t.Name)
	}
	return nil
}

// waypointOf is the waypoint that takes the calls to an effect's target, whether or not it carries the
// object out; nil if none does.
func waypointOf(p *policies.Pass, t policies.Target) *mesh.Object {
	if svc := targetOf(p, t); svc != nil {
		if b := p.Binding(svc); b.Bound {
			return b.Gateway
		}
	}
	return nil
}

// backend is one place to which a route sends.
type backend struct {
	service *mesh.Object
	field   string
}

// backendsOf are the Services and ServiceEntries to which a VirtualService or route sends, as far as
// they are in the input.
func backendsOf(p *policies.Pass, o *mesh.Object) []backend {
	var out []backend
	switch r := o.Spec.(type) {
	case *mesh.VirtualServiceSpec:
		for i, h := range r.HTTP {
			one := mesh.VirtualServiceSpec{HTTP: []mesh.HTTPRule{h}}
			out = append(out, destinations(p, o, &one, "spec.http["+strconv.Itoa(i)+"]")...)
		}
		out = append(out, destinations(p, o, &mesh.VirtualServiceSpec{TCP: r.TCP}, "spec.tcp")...)
		out = append(out, destinations(p, o, &mesh.VirtualServiceSpec{TLS: r.TLS}, "spec.tls")...)
	case *mesh.Route:
		for i := range r.Rules {
			one := mesh.Route{Rules: r.Rules[i : i+1]}
			for _, b := range one.Backends() {
				ns := b.Namespace
				if ns == "" {
					ns = o.Namespace
				}
				if svc := p.Get(mesh.Service, ns, b.Name); svc != nil {
					out = append(out, backend{svc, "spec.rules[" + strconv.Itoa(i) + "]"})
				}
			}
		}
	}
	return out
}

func destinations(p *policies.Pass, o *mesh.Object, v *mesh.VirtualServiceSpec, field string) []backend {
	var out []backend
	for _, d := range v.Destinations() {
		for _, svc := range p.ServicesFor(d.Host, o.Namespace) {
			out = append(out, backend{svc, field})
		}
	}
	return out
}

// safeAt is whether a VirtualService or route can be put in force at a waypoint without a call being
// lost or led past another waypoint: each list of HTTP rules ends in one that takes every call, no
// pod with a sidecar sees any of it, and no backend has a waypoint of its own.
func safeAt(p *policies.Pass, o, waypoint *mesh.Object) bool {
	if len(p.Clients().Sidecar) > 0 {
		return false
	}
	for _, b := range backendsOf(p, o) {
		if at := p.Binding(b.service); at.Reason == mesh.ReasonUnknown || at.Bound && at.Gateway != waypoint {
			return false
		}
	}
	switch r := o.Spec.(type) {
	case *mesh.VirtualServiceSpec:
		return len(r.HTTP) == 0 || slices.ContainsFunc(r.HTTP, func(h mesh.HTTPRule) bool { return len(h.Match) == 0 })
	case *mesh.Route:
		if o.Kind == mesh.TCPRoute || o.Kind == mesh.TLSRoute {
			return true
		}
		for _, rule := range r.Rules {
			if len(rule.Matches) == 0 {
				return true
			}
		}
	}
	return false
}
