package policies

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Behind a waypoint ztunnel sees the waypoint's identity and address, never the client's
// (docs/semantics.md). So a rule on who calls has one and the same answer for every call that
// comes through the waypoint.

// caller is how a waypoint's traffic looks to ztunnel, and where it arrives.
type caller struct {
	waypoint  *mesh.Object
	principal string // without spiffe://
	namespace string
	// dedicated is whether nothing but waypoints runs in that namespace, so that to name it is to name them.
	dedicated bool
	account   string       // "namespace/name"
	addresses []netip.Addr // empty where its pods are not in the input

	behind   []*mesh.Workload // the workloads that it sends to
	services []*mesh.Object   // the Services by which it does
}

func callerOf(s *mesh.Snapshot, gw *mesh.Object) *caller {
	id := s.Identity(gw)
	_, sa, _ := strings.Cut(id, "/sa/")
	c := &caller{waypoint: gw, principal: id, namespace: gw.Namespace, account: gw.Namespace + "/" + sa}
	c.dedicated = s.Known(gw.Namespace) && !s.HasWorkloads(gw.Namespace) && len(s.Workloads(gw.Namespace)) > 0
	for _, w := range s.Workloads(gw.Namespace) {
		if w.Labels[label.IoK8sNetworkingGatewayGatewayName.Name] == gw.Name {
			for _, p := range prefixes(w.IPs) {
				c.addresses = append(c.addresses, p.Addr())
			}
		}
	}
	return c
}

// sendsTo adds a workload, all of whose Services are told one after another.
func (c *caller) sendsTo(w *mesh.Workload) {
	if c != nil && (len(c.behind) == 0 || c.behind[len(c.behind)-1] != w) {
		c.behind = append(c.behind, w)
	}
}

// waypointsBefore are the callers through which traffic reaches the workloads: the waypoints of
// their Services and their own. What a sandwiched waypoint or somebody else's looks like is not known.
func waypointsBefore(s *mesh.Snapshot, workloads []*mesh.Workload) []*caller {
	var (
		found = map[*mesh.Object]*caller{}
		by    = map[*mesh.Object][]*caller{} // Services, of which many workloads share some
	)
	at := func(gw *mesh.Object) *caller {
		if gw == nil || s.Sandwiched(gw) || !s.ClassOf(gw).Waypoint() && s.ClassOf(gw) != mesh.ClassRemote {
			return nil
		}
		if found[gw] == nil {
			found[gw] = callerOf(s, gw)
		}
		return found[gw]
	}
	var (
		last     *mesh.Workload // pods of one owner follow one another, and are alike
		services []*mesh.Object // of last
		own      *caller        // of last
	)
	for _, w := range workloads {
		if last == nil || w.Namespace != last.Namespace || !maps.Equal(w.Labels, last.Labels) {
			last, services, own = w, s.ServicesOf(w), at(boundTo(s.WorkloadBinding(mesh.Pod, w)))
		}
		for _, svc := range services {
			senders, known := by[svc]
			if !known && !mesh.Headless(svc) {
				gw := boundTo(s.Binding(svc))
				canary, _ := shareOf(s, svc, gw)
				for _, c := range []*caller{at(gw), at(canary)} {
					if c != nil {
						c.services, senders = append(c.services, svc), append(senders, c)
					}
				}
				by[svc] = senders
			}
			for _, c := range senders {
				c.sendsTo(w)
			}
		}
		own.sendsTo(w)
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *caller) int { return strings.Compare(a.waypoint.Key(), b.waypoint.Key()) })
}

// boundTo is the waypoint of a binding, nil where it binds to none.
func boundTo(b mesh.Binding) *mesh.Object {
	if !b.Bound {
		return nil
	}
	return b.Gateway
}

// identityAnswer is what a rule says of a waypoint's traffic.
type identityAnswer int

const (
	asksNothing   identityAnswer = iota // it does not ask who calls, or asks only whether there is an identity
	namesWaypoint                       // it names the waypoint itself, so its author knows
	admits                              // true of the waypoint, without naming it
	refuses                             // false of the waypoint
)

func (c *caller) answer(r *mesh.Rule, ns string) identityAnswer {
	res := asksNothing
	note := func(a identityAnswer) {
		if res == asksNothing || a == refuses || res == namesWaypoint && a == admits {
			res = a
		}
	}
	if len(r.From) > 0 {
		best := refuses
		for i := range r.From {
			a := c.match(convertSource(&r.From[i].Source, ns))
			if a == asksNothing || a == namesWaypoint {
				best = a
				break
			}
			best = min(best, a)
		}
		note(best)
	}
	for i := range r.When {
		if m := convertCondition(&r.When[i]); strings.HasPrefix(r.When[i].Key, "source.") {
			note(c.match(m))
		}
	}
	return res
}

// match compares one source. Fields are ANDed: one that is false of the waypoint decides.
func (c *caller) match(m Match) identityAnswer {
	res := asksNothing
	test := func(values []string, subject string, negated bool) {
		if len(values) == 0 || slices.Contains(values, "*") { // "*" asks only for some identity
			return
		}
		hit := slices.ContainsFunc(values, func(v string) bool { return MatchString(v, subject) })
		named := slices.Contains(values, subject) && (subject != c.namespace || c.dedicated)
		res = c.combine(res, hit, named, negated)
	}
	test(m.Principals, c.principal, false)
	test(m.NotPrincipals, c.principal, true)
	test(m.Namespaces, c.namespace, false)
	test(m.NotNamespaces, c.namespace, true)
	test(m.ServiceAccounts, c.account, false)
	test(m.NotServiceAccounts, c.account, true)
	for _, ip := range []struct {
		nets    []netip.Prefix
		negated bool
	}{{m.SourceIPs, false}, {m.NotSourceIPs, true}} {
		if len(ip.nets) > 0 && !everything(ip.nets) && (len(c.addresses) > 0 || OutsideCluster(ip.nets)) {
			res = c.combine(res, c.within(ip.nets), false, ip.negated)
		}
	}
	return res
}

func (c *caller) combine(res identityAnswer, hit, named, negated bool) identityAnswer {
	switch {
	case res == refuses && !named:
		return refuses
	case named:
		return namesWaypoint
	case hit == negated:
		return refuses
	case res == asksNothing:
		return admits
	}
	return res
}

func everything(nets []netip.Prefix) bool {
	return slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Bits() == 0 })
}

// OutsideCluster is whether no pod can have any of the addresses: they are public. Of private ones
// nobody can tell without the waypoint's pods.
func OutsideCluster(nets []netip.Prefix) bool {
	return !slices.ContainsFunc(nets, func(p netip.Prefix) bool {
		a := p.Addr()
		return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedAddresses.Overlaps(p) || p.Bits() < 8
	})
}

// sharedAddresses are those of carrier-grade NAT (RFC 6598), which clusters use for pods.
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

func (c *caller) within(nets []netip.Prefix) bool {
	for _, a := range c.addresses {
		if slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return true
		}
	}
	return false
}

// MatchString is how istiod compares a name with a pattern: exact, "*" for presence, one leading or trailing "*".
func MatchString(pattern, s string) bool {
	pattern = PlainPrincipal(pattern)
	switch {
	case pattern == "*":
		return s != ""
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(s, pattern[1:])
	case strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(s, pattern[:len(pattern)-1])
	}
	return pattern == s
}

// identity judges what the waypoints before the workloads make of a policy's rules on who calls: the
// worst of them, with the causes of all.
func identity(s *mesh.Snapshot, o *mesh.Object, workloads []*mesh.Workload, fates []fate) judgement {
	out := judgement{verdict: Enforced}
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	if unconditional(p) || !asksWho(p) {
		return out
	}
	for _, c := range waypointsBefore(s, workloads) {
		j, ok := c.judge(s, o, fates)
		switch {
		case !ok:
		case j.verdict.Worse(out.verdict):
			out.verdict, out.causes = j.verdict, append(j.causes, out.causes...)
		default:
			out.causes = append(out.causes, j.causes...)
		}
	}
	return out
}

// AsksWho is whether an AuthorizationPolicy has a rule on who calls.
func AsksWho(o *mesh.Object) bool { return asksWho(o.Spec.(*mesh.AuthorizationPolicySpec)) }

func asksWho(p *mesh.AuthorizationPolicySpec) bool {
	for i := range p.Rules {
		if len(p.Rules[i].From) > 0 || slices.ContainsFunc(p.Rules[i].When, func(w mesh.Condition) bool { return strings.HasPrefix(w.Key, "source.") }) {
			return true
		}
	}
	return false
}

func (c *caller) judge(s *mesh.Snapshot, o *mesh.Object, fates []fate) (judgement, bool) {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	first := map[identityAnswer]int{}
	for i := range p.Rules {
		if fates[i].never || Action(p) == Deny && c.passesBy(s, &p.Rules[i], o.Namespace) {
			continue
		}
		a := c.answer(&p.Rules[i], o.Namespace)
		if a == refuses && Action(p) == Deny && c.enforces(s, o, &p.Rules[i]) {
			a = namesWaypoint
		}
		if _, ok := first[a]; !ok {
			first[a] = i
		}
	}
	because := func(v Verdict, a identityAnswer, text string) (judgement, bool) {
		return judgement{v, []Cause{{Reason: WaypointIdentity, Verdict: v, Field: rulePath(first[a]), Text: text}}}, true
	}
	_, refused := first[refuses]
	_, admitted := first[admits]
	_, named := first[namesWaypoint]
	_, open := first[asksNothing]
	sees := "behind waypoint " + c.waypoint.Key() + " ztunnel sees " + c.principal + ", not the client"
	switch {
	case Action(p) == Deny && refused:
		return because(PartiallyEnforced, refuses, sees+", so whom it means to deny gets through the waypoint")
	case Action(p) == Deny && admitted:
		return because(OverDenies, admits, sees+", so it denies calls through the waypoint whoever makes them")
	case Action(p) == Deny:
		return judgement{}, false
	case admitted && !named && !open && !c.hasAllow(s):
		return because(PartiallyEnforced, admits, sees+", and admits that, so every client of the waypoint gets in")
	case refused && !admitted && !named && !open && !c.admittedElsewhere(s, o):
		return because(OverDenies, refuses, sees+", and does not admit that, so calls through the waypoint are denied whoever makes them")
	}
	return judgement{}, false
}

// hasAllow is whether an ALLOW at the waypoint decides about every call that passes it.
func (c *caller) hasAllow(s *mesh.Snapshot) bool {
	return c.everyChain(s, func(o *mesh.Object) bool { return Action(o.Spec.(*mesh.AuthorizationPolicySpec)) == Allow })
}

// everyChain is whether on the chain of every Service the waypoint applies a policy that is so.
func (c *caller) everyChain(s *mesh.Snapshot, so func(*mesh.Object) bool) bool {
	has := func(policies []*mesh.Object) bool {
		return slices.ContainsFunc(policies, func(o *mesh.Object) bool {
			return !Tries(o) && so(o)
		})
	}
	if len(c.services) == 0 {
		return has(OnWaypoint(s, mesh.AuthorizationPolicy, c.waypoint))
	}
	return !slices.ContainsFunc(c.services, func(svc *mesh.Object) bool { return !has(OnChain(s, mesh.AuthorizationPolicy, svc)) })
}

// admittedElsewhere is whether something else over the same workloads lets the waypoint in: then it
// is not this policy's doing if calls are denied.
func (c *caller) admittedElsewhere(s *mesh.Snapshot, o *mesh.Object) bool {
	if s.Settings().Flag("PILOT_AUTO_ALLOW_WAYPOINT_POLICY", false) {
		return true
	}
	return !slices.ContainsFunc(c.behind, func(w *mesh.Workload) bool {
		return !slices.ContainsFunc(AllowsAt(s, w), func(other *mesh.Object) bool { return other != o && c.admittedBy(other) })
	})
}

func (c *caller) admittedBy(o *mesh.Object) bool {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	for i := range p.Rules {
		if len(l7Fields(&p.Rules[i], "")) == 0 && c.answer(&p.Rules[i], o.Namespace) != refuses {
			return true
		}
	}
	return false
}
