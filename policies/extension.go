package policies

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/waywarden/waywarden/policies/mesh"
)

// extension judges a WasmPlugin or a TrafficExtension; istiod turns the one into the other
// (docs/semantics.md). A waypoint runs them only by targetRefs, always as the server's side, and
// tells HTTP extensions of no port (pilot/pkg/networking/core/listener_waypoint.go
// buildWaypointHTTPFilters; pilot/pkg/model/extensions.go).
func extension(s *mesh.Snapshot, o *mesh.Object) []Effect {
	p := o.Spec.(*mesh.ExtensionSpec)
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	what := "this " + o.Kind.String()
	at := p.Attachment()
	if len(at.Refs()) == 0 {
		r := reachOf(s, o, p.Selector)
		r.waypointPods(s)
		return scopePolicy{what: what, field: scopeField(p.Selector, "selector"), sidecars: true, gateways: true,
			reason: NeedsTargetRefs, why: fmt.Sprintf("ztunnel runs no extensions, and a waypoint runs a %s only where targetRefs name it", o.Kind),
			remedy: "Bind it with targetRefs to the Services, or to the waypoint's Gateway.",
		}.effects(r)
	}
	var out []Effect
	for _, a := range attach(s, o, at) {
		e := a.effect(what)
		if a.applied() {
			e.Message = proxyOf(a) + " runs it."
			if !a.gateway {
				judgeExtension(s, what, p, a, &e)
			}
		}
		out = mergeTargets(out, e)
	}
	return out
}

// judgeExtension judges an extension that a waypoint gets by the chains on which it can run.
func judgeExtension(s *mesh.Snapshot, what string, p *mesh.ExtensionSpec, a *attachment, e *Effect) {
	chains := chainsOf(s, a.services)
	kind, other := "HTTP", "HTTP rules and extensions never run on TCP or TLS ports"
	runs := func(port mesh.Port) bool { return port.Protocol == mesh.HTTP || port.Protocol == mesh.Sniff }
	if p.IsNetwork() {
		kind, other = "TCP", "a waypoint runs extensions of type NETWORK only on TCP and TLS ports"
		runs = func(port mesh.Port) bool { return port.Protocol != mesh.HTTP }
	}
	suitable := slices.DeleteFunc(slices.Clone(chains), func(c chain) bool { return !runs(c.port) })
	if len(suitable) == 0 && !a.direct {
		e.limit(NotEnforced, Protocol, a.field, what+" never runs at "+proxyOf(a),
			fmt.Sprintf("no port of the target speaks %s, and %s", kind, other), "Declare the port's protocol (appProtocol), or use an extension of the other type.")
		return
	}
	if field, why := extensionNever(p, suitable); why != "" {
		e.limit(NotEnforced, MatchNeverMatches, field, what+" never runs at "+proxyOf(a), why, "Leave the match out, or set its mode to SERVER without ports.")
		return
	}
	if p.IsNetwork() && len(suitable) < len(chains) && len(p.Match) == 0 {
		c := chains[slices.IndexFunc(chains, func(c chain) bool { return !runs(c.port) })]
		e.limit(PartiallyEnforced, Protocol, a.field, what+" sees only a part of the calls",
			fmt.Sprintf("port %d of %s is HTTP, and %s", c.port.Number, c.service.Ref(), other), "Use an extension of type HTTP for the HTTP ports.")
		return
	}
	judgeBypass(s, a, e)
}

// extensionNever says why no entry of match can ever hold at a waypoint; "" where one can. On the chains for what is
// addressed to pods no entry of ports does: to istiod their port is 0 (listener_waypoint.go buildWaypointInternal).
func extensionNever(p *mesh.ExtensionSpec, suitable []chain) (field, why string) {
	for i := range p.Match {
		m := &p.Match[i]
		at := "spec.match[" + strconv.Itoa(i) + "]"
		switch {
		case m.Mode == "CLIENT":
			field, why = at+".mode", "a waypoint is the server's side of every call, and mode is CLIENT"
		case len(m.Ports) == 0:
			return "", ""
		case !p.IsNetwork():
			field, why = at+".ports", "a waypoint tells HTTP extensions of no port, so no entry of ports ever matches"
		case meets(m, suitable):
			return "", ""
		default:
			field, why = at+".ports", "no TCP port of the target has one of the numbers, and a waypoint sees the Service's ports"
		}
	}
	return field, why
}

func meets(m *mesh.ExtensionMatch, chains []chain) bool {
	for _, p := range m.Ports {
		if slices.ContainsFunc(chains, func(c chain) bool { return c.port.Number == p.Number }) {
			return true
		}
	}
	return false
}
