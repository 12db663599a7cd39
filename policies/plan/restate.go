package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Behind a waypoint ztunnel sees the waypoint, and the waypoint ignores policies without targetRefs. What those say of
// clients has to be said at the waypoint before anything is bound to it, and the waypoint let in at ztunnel.

// restated is what it takes to bind one Service without letting anybody in or shutting anybody out.
type restated struct {
	policies []Policy
	// why the Service cannot be bound, "" where it can, and the policy that is in the way.
	why string
	of  *mesh.Object
	// notices are what is to be said first.
	notices []Notice
}

// restating finds what it takes for one Service.
type restating struct {
	after   *mesh.Snapshot // bound, without policies of ours
	svc     *mesh.Object
	gateway *mesh.Object
	asking  bool // whether svc asks for gateway already
	sign    func(metadata map[string]any, annotations map[string]string)

	id     identity
	behind []*mesh.Workload // enrolled
	ports  map[string]string
	exact  bool // of ports
	restated
}

// restate says what policies without targetRefs need beside a Service that is bound in after, and was not in before.
func restate(before, after *mesh.Snapshot, svc *mesh.Object, sign func(map[string]any, map[string]string)) restated {
	b := after.Binding(svc)
	if !b.Bound {
		return restated{}
	}
	r := restating{after: after, svc: svc, gateway: b.Gateway, asking: asksFor(before, refOf(svc), b.Waypoint()), sign: sign, id: identity{after.Identity(b.Gateway)}}
	r.behind = enrolled(after, svc)
	r.routed()
	r.layered()
	if len(r.behind) == 0 {
		return r.restated
	}
	r.ports, r.exact = portMap(after, svc, r.behind)
	for _, o := range r.attached(policies.DeniesAt) {
		r.deny(o)
	}
	r.allow(r.attached(policies.AllowsAt))
	r.opened(before)
	return r.restated
}

// enrolled are the pods of a Service before which a ztunnel is.
func enrolled(s *mesh.Snapshot, svc *mesh.Object) []*mesh.Workload {
	all, _ := s.Backends(svc)
	return slices.DeleteFunc(slices.Clone(all), func(w *mesh.Workload) bool { return w.Mode != mesh.ModeAmbient })
}

// attached are the policies over any of the pods, sorted.
func (r *restating) attached(at func(*mesh.Snapshot, *mesh.Workload) []*mesh.Object) []*mesh.Object {
	return attachedTo(r.after, r.behind, at)
}

func attachedTo(s *mesh.Snapshot, pods []*mesh.Workload, at func(*mesh.Snapshot, *mesh.Workload) []*mesh.Object) []*mesh.Object {
	found := map[*mesh.Object]bool{}
	for _, w := range pods {
		for _, o := range at(s, w) {
			found[o] = true
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b *mesh.Object) int { return strings.Compare(a.Key(), b.Key()) })
}

// stop is where a policy is in the way; the first one is told.
func (r *restating) stop(o *mesh.Object, format string, args ...any) {
	if r.why == "" {
		r.of, r.why = o, fmt.Sprintf(format, args...)
	}
}

// everywhere is whether the policy is over all of the pods. At the waypoint there is no telling them apart.
func (r *restating) everywhere(o *mesh.Object) bool {
	sel := o.Spec.(*mesh.AuthorizationPolicySpec).Selector
	return !slices.ContainsFunc(r.behind, func(w *mesh.Workload) bool { return !policies.Selects(sel, w) })
}

// repeatable says why rules of a policy cannot be said at the waypoint as they are at ztunnel; "" where they can.
func (r *restating) repeatable(o *mesh.Object, rules []rule) string {
	switch {
	case !r.everywhere(o):
		return fmt.Sprintf("it is over some pods of %s only, and the waypoint cannot tell them apart. Give those a Service of their own.", r.svc)
	case !r.exact && slices.ContainsFunc(rules, rule.asksPort):
		return fmt.Sprintf("it names container ports, and which ports of %s lead there is not shown, or differs between its pods. Let the rule name no port.", r.svc)
	case slices.ContainsFunc(rules, rule.asksWhere):
		return "it names addresses of pods, and the waypoint sees the Service's. Leave destination.ip out."
	case r.aliases() && slices.ContainsFunc(policies.Effects(r.after, o), func(e policies.Effect) bool { return e.Has(policies.TrustDomainNever) }):
		return "it names a trust domain by an alias, which ztunnel does not know and the waypoint does. Name the trust domain itself."
	}
	return ""
}

// aliases is whether a trust domain can be named by another name than its own.
func (r *restating) aliases() bool {
	t := r.after.Settings()
	return t.TrustDomain != "cluster.local" || len(t.TrustDomainAliases) > 0
}

// deny repeats a DENY on clients at the waypoint.
func (r *restating) deny(o *mesh.Object) {
	var repeated []rule
	for _, x := range rulesOf(o) {
		if !x.asksWho() {
			continue // ztunnel denies it to the waypoint as it does to anybody
		}
		if _, possible := x.translated(r.ports); r.exact && !possible {
			continue // no port of the Service leads there, so nobody comes there by the waypoint
		}
		switch x.of(r.id) {
		case never:
		case maybe:
			if !r.onlyByPort(x) {
				r.stop(o, "%s would deny the waypoint, if its pods have an address that it means, and no ALLOW overrules a DENY. Its owner has to leave the waypoint's addresses out.", o)
				continue
			}
			fallthrough
		default:
			r.stop(o, "%s would deny the waypoint, as it does not except %s, and no ALLOW overrules a DENY. Its owner has to except it, or to bind the rule to %s with targetRefs.", o, r.id.principal, r.svc)
			continue
		}
		switch {
		case x.names(r.id) && r.told(): // its author knows of the waypoint, and says there who gets in
		case x.onlyTells(r.id):
			r.leaves(o)
		default:
			repeated = append(repeated, x)
		}
	}
	if len(repeated) == 0 {
		return
	}
	if why := r.repeatable(o, repeated); why != "" {
		r.stop(o, "what %s denies to clients would get through the waypoint: %s", o, why)
		return
	}
	var rules []rule
	for _, x := range repeated {
		if t, possible := x.translated(r.ports); possible {
			rules = append(rules, t)
		}
	}
	if len(rules) > 0 {
		r.twin(policies.Deny, rules, []*mesh.Object{o}, "ztunnel would see the waypoint and not the clients that it denies")
	}
}

// onlyByPort is whether a rule may or may not hold of the waypoint only because of the port.
func (r *restating) onlyByPort(x rule) bool { return x.anyPort().of(r.id) == always }

// told is whether policies at the waypoint say by identity who gets in.
func (r *restating) told() bool {
	allows := r.chain(policies.Allow)
	return len(allows) > 0 && !slices.ContainsFunc(allows, func(x rule) bool { return !x.asksWho() }) ||
		slices.ContainsFunc(r.chain(policies.Deny), func(x rule) bool {
			return x.has(func(field string, _ []string) bool {
				return strings.HasPrefix(field, "not") && field != negated(portsField)
			})
		})
}

// leaves tells of a policy that lets in the waypoint and says nothing else of clients: it is left to the waypoint who gets in.
func (r *restating) leaves(o *mesh.Object) {
	n := Notice{r.svc.Ref(), ClassOpens, fmt.Sprintf("calls that the waypoint lets in get to the pods: %s names %s, and nothing at the waypoint says by identity who gets in. Bind an ALLOW to %s that does.", o, r.id.principal, r.svc)}
	if !r.told() && !slices.Contains(r.notices, n) {
		r.notices = append(r.notices, n)
	}
}

// allow repeats what ALLOWs say of clients, and lets the waypoint in beside them. They are one set: who is in one of them
// gets in.
func (r *restating) allow(allows []*mesh.Object) {
	admitting, asks := entry(allows)
	if !asks {
		return
	}
	repeated := r.ofClients(allows)
	rules, asks := entry(repeated)
	if !asks {
		return
	}
	for _, o := range repeated {
		if why := r.repeatable(o, rulesOf(o)); why != "" {
			r.stop(o, "whom %s lets in could not be told at the waypoint: %s", o, why)
			return
		}
	}
	var said []rule
	for _, x := range rules {
		if t, possible := x.translated(r.ports); possible {
			said = append(said, t)
		}
	}
	if slices.ContainsFunc(said, func(x rule) bool { return len(x) == 0 }) {
		said = []rule{{}}
	}
	if r.admitWaypoint(repeated, admitting) {
		r.repeatAllows(repeated, said)
	}
}

// onlyTells is whether rules say of clients nothing but whether they are the waypoint.
func (r *restating) onlyTells(rules []rule) bool {
	return slices.ContainsFunc(rules, func(x rule) bool { return x.names(r.id) }) &&
		!slices.ContainsFunc(rules, func(x rule) bool { return x.asksWho() && !x.onlyTells(r.id) })
}

// ofClients are the ALLOWs that have to be repeated, because they say of clients who gets in. Those of one who names the waypoint are
// left alone where policies there say it, and where they say nothing else.
func (r *restating) ofClients(allows []*mesh.Object) []*mesh.Object {
	var out, knowing []*mesh.Object
	for _, o := range allows {
		own := rulesOf(o)
		switch {
		case r.onlyTells(own):
			r.leaves(o)
		case slices.ContainsFunc(own, func(x rule) bool { return x.names(r.id) }) && r.told():
			knowing = append(knowing, o)
		default:
			out = append(out, o)
		}
	}
	if slices.ContainsFunc(out, func(o *mesh.Object) bool { return len(rulesOf(o)) > 0 }) {
		// A DENY of all whom the others do not let in would be one of those whom these do.
		out = append(out, knowing...)
		slices.SortFunc(out, func(a, b *mesh.Object) int { return strings.Compare(a.Key(), b.Key()) })
	}
	return out
}

// repeatAllows says at the waypoint whom ALLOWs let in: by an ALLOW where it is the only one there, else by a DENY of all
// others, because ALLOWs add up.
func (r *restating) repeatAllows(repeated []*mesh.Object, said []rule) {
	why := "ztunnel would see the waypoint and not the clients that it lets in"
	others := slices.DeleteFunc(policies.OnChain(r.after, mesh.AuthorizationPolicy, r.svc), func(o *mesh.Object) bool {
		return policies.Action(o.Spec.(*mesh.AuthorizationPolicySpec)) != policies.Allow || policies.Tries(o)
	})
	nobody := !slices.ContainsFunc(repeated, func(o *mesh.Object) bool { return len(o.Spec.(*mesh.AuthorizationPolicySpec).Rules) > 0 })
	switch {
	case nobody:
		// They let in nobody, so that others do. So does an ALLOW of nobody at the waypoint: it leaves those there to decide, and
		// keeps it closed when the last of them goes.
		r.twin(policies.Allow, nil, repeated, why)
		if len(others) > 0 {
			r.notices = append(r.notices, Notice{r.svc.Ref(), ClassOpens, fmt.Sprintf("calls that %s lets in get to the pods: %s lets in nobody itself, and leaves it to other ALLOWs who gets in. Delete that ALLOW if they must not.", others[0], repeated[0])})
		}
	case len(others) == 0:
		r.twin(policies.Allow, said, repeated, why)
	default:
		rest, ok := complement(said)
		if !ok {
			r.stop(repeated[0], "whom %s lets in cannot be said at the waypoint: %s is an ALLOW there, ALLOWs add up, and its complement cannot be written. Bind it to %s with targetRefs.", repeated[0], others[0], r.svc)
			return
		}
		if len(rest) > 0 {
			r.twin(policies.Deny, rest, repeated, why+", and beside "+others[0].String()+" only a DENY of all others says so")
		}
	}
}
