package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// authzTargets judges an AuthorizationPolicy with targetRefs, one effect a target.
func authzTargets(s *mesh.Snapshot, o *mesh.Object, p *mesh.AuthorizationPolicySpec) []Effect {
	var out []Effect
	for _, a := range attach(s, o, p.Attachment()) {
		e := a.effect("this " + Action(p))
		if a.applied() {
			judgeAuthzAt(s, o, p, a, &e)
		}
		out = mergeTargets(out, e)
	}
	return out
}

// mergeTargets keeps one effect a target where a policy names the same target twice.
func mergeTargets(effects []Effect, e Effect) []Effect {
	for i := range effects {
		if effects[i].Target.compare(e.Target) == 0 && effects[i].EnforcedBy == e.EnforcedBy {
			return effects
		}
	}
	return append(effects, e)
}

// effect is what follows from the attachment alone.
func (a *attachment) effect(what string) Effect {
	e := Effect{Target: a.target, EnforcedBy: Waypoint, Verdict: Enforced, Reason: Accepted, Field: a.field}
	if a.by != nil {
		ref := a.by.Ref()
		e.By = &ref
	}
	if a.gateway {
		e.EnforcedBy = Gateway
	}
	if !a.applied() {
		e.EnforcedBy, e.Verdict, e.Reason, e.WaitsFor = Nobody, a.verdict, a.reason, a.waits
		e.Causes = []Cause{{Reason: cmp.Or(a.cause, a.reason), Verdict: a.verdict, Field: a.field, Text: a.why}}
		consequence := what + " is not enforced"
		if a.verdict == Unknown {
			consequence = "it cannot be judged"
		}
		e.Message = fmt.Sprintf("%s: %s. %s", consequence, a.why, a.remedy)
	}
	return e
}

// judgeAuthzAt judges a policy that a waypoint or gateway applies.
func judgeAuthzAt(s *mesh.Snapshot, o *mesh.Object, p *mesh.AuthorizationPolicySpec, a *attachment, e *Effect) {
	by := "the waypoints"
	if a.by != nil {
		by = "waypoint " + a.by.Key()
		if a.gateway {
			by = "Gateway " + a.by.Key()
		}
	}
	e.Message = asWritten(o, by, a.by == nil)
	if Tries(o) {
		return
	}
	if a.gateway {
		judgeProvider(s, p, nil, e)
		return
	}
	w := waypointRules{action: Action(p), chains: chainsOf(s, a.services), direct: a.direct}
	if j := w.judge(p); j.verdict != Enforced || len(j.causes) > 0 {
		e.Verdict, e.Causes = j.verdict, j.causes
		if j.verdict != Enforced && len(j.causes) > 0 {
			e.Reason, e.Field = j.causes[0].Reason, j.causes[0].Field
			e.Message = waypointMessage(Action(p), by, e)
		}
		if j.verdict == NotEnforced {
			e.EnforcedBy, e.By = Nobody, nil
		}
	}
	judgeProvider(s, p, a.services, e)
	if e.EnforcedBy == Waypoint && e.Verdict != PartiallyEnforced && Action(p) != Audit {
		judgeSidecarCallers(s, o, a.services, e)
		judgeBypass(s, a.services, e)
	}
}

// judgeProvider judges a CUSTOM policy by its provider: without it, or with another one on the same
// chains of a waypoint, its rules become a DENY.
func judgeProvider(s *mesh.Snapshot, p *mesh.AuthorizationPolicySpec, services []*mesh.Object, e *Effect) {
	if Action(p) != Custom || e.EnforcedBy == Nobody {
		return
	}
	name := providerOf(p)
	settings := s.Settings()
	other := providerConflict(s, name, services)
	switch {
	case other != nil:
		text := fmt.Sprintf("%s sends the same calls to another provider, and a proxy takes only one", other)
		e.Verdict, e.Reason, e.Field = OverDenies, ProviderConflict, "spec.provider.name"
		e.Message = "every call that its rules match is denied: " + text + ". Use one provider, or set PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS on istiod."
		e.Causes = append(e.Causes, Cause{Reason: e.Reason, Verdict: e.Verdict, Field: e.Field, Text: text})
	case !settings.MeshConfigKnown:
		e.By, e.EnforcedBy, e.Verdict, e.Reason, e.Field = nil, Nobody, Unknown, ProviderUnknown, "spec.provider.name"
		e.Message = fmt.Sprintf("it cannot be judged: whether the mesh has the extension provider %q is in ConfigMap %s/istio, which is not in the input. Add it, or use --live.", name, s.RootNamespace())
		e.WaitsFor = []Wait{{Object: &mesh.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: s.RootNamespace(), Name: "istio"}}}
	case !slices.Contains(settings.AuthorizationProviders, name):
		e.Verdict, e.Reason, e.Field = OverDenies, ProviderNotFound, "spec.provider.name"
		e.Message = fmt.Sprintf("every call that its rules match is denied: the mesh has no authorization provider %q. Add it to extensionProviders of the mesh configuration, or correct the name.", name)
	}
	switch e.Reason {
	case ProviderNotFound, ProviderUnknown:
		e.Causes = append(e.Causes, Cause{Reason: e.Reason, Verdict: e.Verdict, Field: e.Field})
	}
}

func waypointMessage(action, by string, e *Effect) string {
	consequence := fmt.Sprintf("this %s does less than it says at %s", action, by)
	switch {
	case e.Verdict == NotEnforced:
		consequence = fmt.Sprintf("this %s has no effect at %s, because no rule can match", action, by)
	case e.Verdict == DeniesAll:
		consequence = fmt.Sprintf("this ALLOW admits nobody at %s, so everything that no other ALLOW admits is denied", by)
	case e.Verdict == OverDenies && action == Deny:
		consequence = fmt.Sprintf("this DENY denies more than it says at %s", by)
	case e.Verdict == OverDenies:
		consequence = fmt.Sprintf("this %s admits less than it says at %s", action, by)
	}
	remedy := "Declare the port's protocol (appProtocol), or limit the rule to HTTP ports."
	switch {
	case e.Reason == PortNeverMatches:
		remedy = "Name the Service's own ports and addresses, which are what a waypoint sees."
	case e.Verdict == NotEnforced && e.Reason == Protocol:
		remedy = "Guard UDP with a NetworkPolicy: nothing else in the mesh sees it."
	}
	return fmt.Sprintf("%s: %s. %s", consequence, firstText(e.Causes, e.Reason), remedy)
}

// chain is one port of one Service at a waypoint.
type chain struct {
	service *mesh.Object
	port    mesh.Port
	ips     []string
}

// chainsOf are the chains that a waypoint builds for Services; UDP has none.
func chainsOf(s *mesh.Snapshot, services []*mesh.Object) []chain {
	var out []chain
	for _, svc := range services {
		if mesh.Headless(svc) || dynamicInside(svc) {
			continue // its placeholder address never matches
		}
		ips := addressesOf(svc)
		for _, p := range s.Ports(svc) {
			if p.Protocol != mesh.UDP {
				out = append(out, chain{svc, p, ips})
			}
		}
	}
	return out
}

func addressesOf(svc *mesh.Object) []string {
	switch b := svc.Spec.(type) {
	case *mesh.ServiceSpec:
		if len(b.ClusterIPs) > 0 {
			return b.ClusterIPs
		}
		if b.ClusterIP != "" {
			return []string{b.ClusterIP}
		}
	case *mesh.ServiceEntrySpec:
		return b.Addresses
	}
	return nil
}

// waypointRules judges the rules of a policy on a waypoint's chains. An endpoint of the chains
// knows all ports there are, in contrast to pods.
type waypointRules struct {
	action string
	chains []chain
	direct bool // pods are reached too, on ports that nobody lists
}

func (w waypointRules) judge(p *mesh.AuthorizationPolicySpec) judgement {
	if len(w.chains) == 0 && !w.direct {
		return judgement{NotEnforced, []Cause{{Reason: Protocol, Verdict: NotEnforced, Field: "spec.targetRefs", Text: "no port of the target passes a waypoint"}}}
	}
	fates := make([]fate, len(p.Rules))
	for i := range p.Rules {
		fates[i] = w.rule(&p.Rules[i], rulePath(i))
	}
	return weigh(w.action, fates, unconditional(p))
}

func (w waypointRules) rule(r *mesh.Rule, path string) fate {
	var parts []fate
	narrowed := w.when(r)
	if len(r.To) > 0 {
		alternatives := make([]fate, len(r.To))
		for i := range r.To {
			op, at := &r.To[i].Operation, path+".to["+strconv.Itoa(i)+"].operation"
			alternatives[i] = portFate(w, op.Ports, op.NotPorts, at+".ports", at+".notPorts")
			if !alternatives[i].never {
				w.http(&alternatives[i], l7Operation(op, at), narrowed.matching(ports(op.Ports), ports(op.NotPorts)))
			}
		}
		parts = append(parts, anyOf(alternatives))
	}
	reachable := narrowed.reachable(r)
	if len(r.From) > 0 {
		alternatives := make([]fate, len(r.From))
		for i := range r.From {
			w.http(&alternatives[i], httpSource(&r.From[i].Source, path+".from["+strconv.Itoa(i)+"].source"), reachable)
		}
		parts = append(parts, anyOf(alternatives))
	}
	for i := range r.When {
		parts = append(parts, w.condition(&r.When[i], path+".when["+strconv.Itoa(i)+"]", reachable))
	}
	return allOf(parts)
}

// httpSource are the attributes of a source that only HTTP has; remote IPs are known of any connection.
func httpSource(src *mesh.Source, at string) []Attribute {
	return present(at, []string{"requestPrincipals", "notRequestPrincipals"}, src.RequestPrincipals, src.NotRequestPrincipals)
}

func (w waypointRules) condition(c *mesh.Condition, at string, reachable []chain) fate {
	switch {
	case c.Key == "destination.port":
		return portFate(w, c.Values, c.NotValues, at+".values", at+".notValues")
	case c.Key == "destination.ip":
		return addressFate(w, c, at+".values")
	case strings.HasPrefix(c.Key, "request."):
		var f fate
		w.http(&f, []Attribute{{c.Key, at + ".key"}}, reachable)
		return f
	}
	return fate{}
}

// http judges attributes that only HTTP has on the chains that the rule reaches. On a TCP chain an
// ALLOW rule with one is dropped, and a DENY rule loses it and matches without
// (pilot/pkg/security/authz/builder; docs/semantics.md).
func (w waypointRules) http(f *fate, attributes []Attribute, reachable []chain) {
	if len(attributes) == 0 {
		return
	}
	var opaque []chain
	for _, c := range reachable {
		if c.port.OpaqueToHTTP() {
			opaque = append(opaque, c)
		}
	}
	if len(opaque) == 0 {
		return
	}
	c := opaque[0]
	text := fmt.Sprintf("port %d of %s is %s, where nothing can compare %s", c.port.Number, c.service.Ref(), c.port.Protocol, Names(attributes))
	f.add(Protocol, attributes[0].Field, text)
	if w.action == Deny {
		f.wide = true
		return
	}
	f.never = f.never || len(opaque) == len(reachable) && !w.direct
	f.lost = f.lost || !f.never
}

// when leaves only the chains that the rule's conditions on the port let it reach.
func (w waypointRules) when(r *mesh.Rule) waypointRules {
	for i := range r.When {
		if c := &r.When[i]; c.Key == "destination.port" {
			w.chains = w.matching(ports(c.Values), ports(c.NotValues))
		}
	}
	return w
}

// reachable are the chains that the rule's own ports leave it.
func (w waypointRules) reachable(r *mesh.Rule) []chain {
	if len(r.To) == 0 {
		return w.chains
	}
	var out []chain
	for i := range r.To {
		for _, c := range w.matching(ports(r.To[i].Operation.Ports), ports(r.To[i].Operation.NotPorts)) {
			if !slices.ContainsFunc(out, func(o chain) bool { return o.service == c.service && o.port == c.port }) {
				out = append(out, c)
			}
		}
	}
	return out
}

func (w waypointRules) matching(list, not []uint16) []chain {
	var out []chain
	for _, c := range w.chains {
		n := uint16(c.port.Number)
		if (len(list) == 0 || slices.Contains(list, n)) && !slices.Contains(not, n) {
			out = append(out, c)
		}
	}
	return out
}

func (w waypointRules) port(n uint16, listed []uint16) (bool, string) {
	if w.direct || len(w.matching([]uint16{n}, nil)) > 0 {
		return false, ""
	}
	for _, c := range w.chains {
		if c.port.Target.Int == int32(n) {
			if slices.Contains(listed, uint16(c.port.Number)) {
				return false, "" // the Service's port is listed as well
			}
			return true, fmt.Sprintf("%d is the pods' port, and the waypoint sees the Service's port %d", n, c.port.Number)
		}
	}
	return true, fmt.Sprintf("no port of the target is %d, and the waypoint sees the Service's ports", n)
}

func (w waypointRules) excluded(not []uint16) bool {
	return !w.direct && len(w.matching(nil, not)) == 0
}

func (w waypointRules) address(values []string) (bool, string) {
	if w.direct {
		return false, ""
	}
	nets := prefixes(values)
	for _, c := range w.chains {
		if len(c.ips) == 0 {
			return false, ""
		}
		for _, ip := range prefixes(c.ips) {
			for _, n := range nets {
				if n.Contains(ip.Addr()) {
					return false, ""
				}
			}
		}
	}
	return true, "the waypoint sees the Service's address, and that is another"
}
