package plan

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A route of a Service that is bound sends its calls to the pods of other Services, which see the waypoint and not the client. The
// calls pass the chain of the Service that was called and of no other, so what is said of clients at those pods has to be said there.

// routed stops where a route of the Service would carry callers past what is said of clients at the pods of another.
func (r *restating) routed() {
	for _, route := range slices.Concat(r.after.RoutesFrom(r.svc), r.after.VirtualServicesFor(r.svc)) {
		others := slices.DeleteFunc(r.destinations(route), func(to *mesh.Object) bool { return to == r.svc })
		if len(others) == 0 || !r.applies(route) {
			continue
		}
		for _, to := range others {
			r.sent(route, to)
		}
	}
}

// applies is whether the waypoint would apply a route to calls to the Service.
func (r *restating) applies(route *mesh.Object) bool {
	return slices.Contains(policies.MeshParents(r.after, route), r.svc) && slices.ContainsFunc(policies.Effects(r.after, route), func(e policies.Effect) bool {
		return e.EnforcedBy == policies.Waypoint && e.Verdict != policies.NotEnforced
	})
}

// destinations are the Services and ServiceEntries to which a route sends, by itself or by what it delegates to.
func (r *restating) destinations(route *mesh.Object) []*mesh.Object {
	var out []*mesh.Object
	switch spec := route.Spec.(type) {
	case *mesh.Route:
		for _, b := range spec.Backends() {
			if o := r.after.Get(mesh.Service, cmp.Or(b.Namespace, route.Namespace), b.Name); o != nil {
				out = append(out, o)
			}
		}
	case *mesh.VirtualServiceSpec:
		for _, d := range spec.Destinations() {
			out = append(out, r.after.ServicesFor(d.Host, route.Namespace)...)
		}
		for i := range spec.HTTP {
			if to := delegate(r.after, route, &spec.HTTP[i]); to != nil {
				for _, d := range to.Spec.(*mesh.VirtualServiceSpec).Destinations() {
					out = append(out, r.after.ServicesFor(d.Host, to.Namespace)...)
				}
			}
		}
	}
	return out
}

// sent stops where what policies over the pods of a Service say of clients is not said on the chain of this one.
func (r *restating) sent(route, to *mesh.Object) {
	pods := enrolled(r.after, to)
	ports, exact := portMap(r.after, to, pods)
	for _, o := range attachedTo(r.after, pods, policies.DeniesAt) {
		for _, x := range rulesOf(o) {
			if _, possible := x.translated(ports); !x.asksWho() || x.onlyTells(r.id) || exact && !possible {
				continue
			}
			switch {
			case x.of(r.id) != never:
				r.stop(o, "%s would deny calls to %s that %s sends to %s, whoever makes them. Its owner has to except %s.", o, r.svc, route, to, r.id.principal)
			case !r.repeatedHere(o, x) && !slices.ContainsFunc(r.chain(policies.Deny), x.anyPort().equal):
				r.stop(o, "%s would carry calls to %s past %s: it sends them to %s, whose pods would see the waypoint and not the client. Repeat the rule, without a port, in a policy with targetRefs to %s, or let the route send elsewhere.", route, r.svc, o, to, r.svc)
			}
		}
	}
	allows := attachedTo(r.after, pods, policies.AllowsAt)
	rules, asks := entry(allows)
	if !asks {
		return
	}
	if telling := r.telling(allows); len(telling) > 0 && !r.sameHere(telling) && !r.narrower(telling) {
		r.stop(telling[0], "%s would carry calls to %s past %s: it sends them to %s, whose pods would see the waypoint and not the client. Bind an ALLOW with the same rules to %s with targetRefs, or let the route send elsewhere.", route, r.svc, telling[0], to, r.svc)
		return
	}
	if !r.admittedAt(to, pods, rules) {
		r.stop(allows[0], "%s would shut out calls to %s that %s sends to %s. Let %s in.", allows[0], r.svc, route, to, r.id.principal)
	}
}

// telling are the ALLOWs that say more of clients than whether they are the waypoint.
func (r *restating) telling(allows []*mesh.Object) []*mesh.Object {
	return slices.DeleteFunc(slices.Clone(allows), func(o *mesh.Object) bool { return r.onlyTells(rulesOf(o)) })
}

// sameHere is whether the Service's own twin says what those ALLOWs say: they are all that say it here too, and of no port, which would
// be another one here.
func (r *restating) sameHere(allows []*mesh.Object) bool {
	rules, _ := entry(allows)
	return slices.Equal(r.telling(r.attached(policies.AllowsAt)), allows) && !slices.ContainsFunc(rules, rule.asksPort)
}

// entry are the rules of ALLOWs; asks is whether any of them decides by who calls.
func entry(allows []*mesh.Object) (rules []rule, asks bool) {
	for _, o := range allows {
		own := rulesOf(o)
		rules = append(rules, own...)
		asks = asks || len(own) == 0 || slices.ContainsFunc(own, rule.asksWho)
	}
	return rules, asks && !slices.ContainsFunc(rules, func(x rule) bool { return len(x) == 0 })
}

// repeatedHere is whether the Service's own twin says a rule: the policy is over its pods too, and the rule is of no port, which would
// be another one here.
func (r *restating) repeatedHere(o *mesh.Object, x rule) bool {
	return !x.asksPort() && slices.Contains(r.attached(policies.DeniesAt), o)
}

// chain are the rules of policies of people with an action on the Service's chain, without one on that of calls to pods by their own
// addresses. Those of a DENY are left out that have more to ask than ztunnel compares: they hold of fewer calls.
func (r *restating) chain(action string) []rule {
	var out []rule
	at := policies.OnWaypoint(r.after, mesh.AuthorizationPolicy, r.gateway)
	if r.svc != nil {
		at = policies.OnChain(r.after, mesh.AuthorizationPolicy, r.svc)
	}
	for _, o := range at {
		spec := o.Spec.(*mesh.AuthorizationPolicySpec)
		if policies.Action(spec) != action || policies.Tries(o) {
			continue
		}
		for i := range spec.Rules {
			only := &mesh.AuthorizationPolicySpec{Rules: spec.Rules[i : i+1]}
			if action != policies.Deny || !asksTrust(&spec.Rules[i]) && len(policies.L7Attributes(only)) == 0 {
				out = append(out, ruleOf(&spec.Rules[i], o.Namespace))
			}
		}
	}
	return out
}

// asksTrust is whether a rule has a condition on trust domains, which ztunnel leaves out.
func asksTrust(r *mesh.Rule) bool {
	for i := range r.From {
		if s := &r.From[i].Source; len(s.TrustDomains)+len(s.NotTrustDomains) > 0 {
			return true
		}
	}
	return false
}

// narrower is whether ALLOWs on the Service's chain let in nobody whom none of those over pods lets in.
func (r *restating) narrower(allows []*mesh.Object) bool {
	rules, _ := entry(allows)
	here := r.chain(policies.Allow)
	return len(here) > 0 && !slices.ContainsFunc(here, func(x rule) bool {
		return !slices.ContainsFunc(rules, x.equal) || r.svc != nil && x.asksPort() // which is another one at the pods
	})
}

func (r rule) equal(o rule) bool { return reflect.DeepEqual(r, o) }

// admittedAt is whether ztunnel lets the waypoint in at pods to which a route sends.
func (r *restating) admittedAt(to *mesh.Object, pods []*mesh.Workload, rules []rule) bool {
	b := r.after.Binding(to)
	return r.after.Settings().Flag("PILOT_AUTO_ALLOW_WAYPOINT_POLICY", false) || b.Bound && b.Gateway == r.gateway ||
		slices.ContainsFunc(rules, func(x rule) bool { return x.of(r.id) == always }) ||
		!slices.ContainsFunc(pods, func(w *mesh.Workload) bool { return !slices.Contains(r.behind, w) })
}

// opened stops where the admission that the Service needs would let in what a route sends there by the same waypoint already, from
// another Service.
func (r *restating) opened(before *mesh.Snapshot) {
	i := slices.IndexFunc(r.policies, func(p Policy) bool { return p.Role == Admission })
	if i < 0 {
		return
	}
	allows := r.telling(r.attached(policies.AllowsAt))
	for _, route := range r.after.RoutesTo(r.svc) {
		for _, parent := range policies.MeshParents(r.after, route) {
			from := restating{after: r.after, svc: parent, gateway: r.after.Binding(parent).Gateway}
			was := before.Binding(before.Get(parent.Kind, parent.Namespace, parent.Name))
			if parent == r.svc || from.gateway != r.gateway || !was.Bound || from.narrower(allows) {
				continue // one that is bound now is looked at itself
			}
			of := find(r.after, r.policies[i].Of[0])
			r.stop(of, "%s would no longer keep out whom %s sends from %s to %s: the waypoint has to be let in. Bind an ALLOW with the same rules to %s with targetRefs, or let the route send elsewhere.", of, route, parent, r.svc, parent)
		}
	}
}
