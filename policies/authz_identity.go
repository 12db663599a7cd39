package policies

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Behind a waypoint ztunnel sees the waypoint's identity and address, never the client's
// (docs/semantics.md §3.5). So a rule on who calls has one and the same answer for every call that
// comes through the waypoint.

// caller is how a waypoint's traffic looks to ztunnel.
type caller struct {
	waypoint  *mesh.Object
	principal string // without spiffe://
	namespace string
	account   string // "namespace/name"
	addresses []netip.Addr
}

func callerOf(s *mesh.Snapshot, gw *mesh.Object) caller {
	id := s.Identity(gw)
	_, sa, _ := strings.Cut(id, "/sa/")
	c := caller{waypoint: gw, principal: id, namespace: gw.Namespace, account: gw.Namespace + "/" + sa}
	for _, w := range s.Workloads(gw.Namespace) {
		if w.Labels["gateway.networking.k8s.io/gateway-name"] == gw.Name {
			for _, p := range prefixes(w.IPs) {
				c.addresses = append(c.addresses, p.Addr())
			}
		}
	}
	return c
}

// waypointsBefore are the callers through which traffic reaches the workloads: the waypoints of
// their Services and their own.
func waypointsBefore(s *mesh.Snapshot, workloads []*mesh.Workload) []caller {
	seen := map[*mesh.Object]bool{}
	services := map[*mesh.Object]bool{}
	var out []caller
	take := func(b mesh.Binding) {
		if b.Bound && !seen[b.Gateway] && !s.Sandwiched(b.Gateway) {
			seen[b.Gateway] = true
			out = append(out, callerOf(s, b.Gateway))
		}
	}
	for _, w := range workloads {
		for _, svc := range s.ServicesOf(w) {
			if services[svc] || mesh.Headless(svc) {
				continue
			}
			services[svc] = true
			take(s.Binding(svc))
		}
		take(s.WorkloadBinding(mesh.Pod, w))
	}
	slices.SortFunc(out, func(a, b caller) int { return strings.Compare(a.waypoint.Key(), b.waypoint.Key()) })
	return out
}

// identityAnswer is what a rule says of a waypoint's traffic.
type identityAnswer int

const (
	asksNothing   identityAnswer = iota // it does not ask who calls, or asks only whether there is an identity
	namesWaypoint                       // it names the waypoint itself, so its author knows
	admits                              // true of the waypoint, without naming it
	refuses                             // false of the waypoint
)

func (c caller) answer(r *mesh.Rule, ns string) identityAnswer {
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
func (c caller) match(m Match) identityAnswer {
	res := asksNothing
	test := func(values []string, subject string, negated bool) {
		if len(values) == 0 || slices.Contains(values, "*") { // "*" asks only for some identity
			return
		}
		hit := slices.ContainsFunc(values, func(v string) bool { return stringMatch(v, subject) })
		named := slices.Contains(values, subject) && subject != c.namespace
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
		if len(ip.nets) > 0 && !everything(ip.nets) {
			res = c.combine(res, c.within(ip.nets), false, ip.negated)
		}
	}
	return res
}

func (c caller) combine(res identityAnswer, hit, named, negated bool) identityAnswer {
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

func (c caller) within(nets []netip.Prefix) bool {
	for _, a := range c.addresses {
		if slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return true
		}
	}
	return false
}

// stringMatch is istiod's: exact, "*" for presence, one leading or trailing "*".
func stringMatch(pattern, s string) bool {
	pattern = strings.TrimPrefix(pattern, "spiffe://")
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

// identity judges what the waypoints before the workloads make of a policy's rules on who calls.
func identity(s *mesh.Snapshot, o *mesh.Object, workloads []*mesh.Workload, fates []fate) (judgement, bool) {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	if unconditional(p) || !asksWho(p) {
		return judgement{}, false
	}
	for _, c := range waypointsBefore(s, workloads) {
		if j, ok := c.judge(s, o, workloads, fates); ok {
			return j, true
		}
	}
	return judgement{}, false
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

func (c caller) judge(s *mesh.Snapshot, o *mesh.Object, workloads []*mesh.Workload, fates []fate) (judgement, bool) {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	first := map[identityAnswer]int{}
	for i := range p.Rules {
		if fates[i].never {
			continue
		}
		a := c.answer(&p.Rules[i], o.Namespace)
		if _, ok := first[a]; !ok {
			first[a] = i
		}
	}
	because := func(v Verdict, a identityAnswer, text string) (judgement, bool) {
		return judgement{v, []Cause{{WaypointIdentity, v, rulePath(first[a]), text}}}, true
	}
	_, refused := first[refuses]
	_, admitted := first[admits]
	_, named := first[namesWaypoint]
	_, open := first[asksNothing]
	sees := "behind waypoint " + c.waypoint.Key() + " ztunnel sees " + c.principal + ", not the client"
	switch {
	case Action(p) == Deny && refused:
		return because(PartiallyEnforced, refuses, sees+", so the callers it names get through")
	case Action(p) == Deny && admitted:
		return because(OverDenies, admits, sees+", so every call through the waypoint is denied")
	case Action(p) == Deny:
		return judgement{}, false
	case admitted && !named && !open:
		return because(PartiallyEnforced, admits, sees+", which it admits, so every client of the waypoint is admitted")
	case refused && !admitted && !named && !open && !c.admittedElsewhere(s, o, workloads):
		return because(OverDenies, refuses, sees+", which it does not admit, so every call through the waypoint is denied")
	}
	return judgement{}, false
}

// admittedElsewhere is whether another ALLOW over the same workloads lets the waypoint in: then it
// is not this policy's doing if calls are denied.
func (c caller) admittedElsewhere(s *mesh.Snapshot, o *mesh.Object, workloads []*mesh.Workload) bool {
	return !slices.ContainsFunc(workloads, func(w *mesh.Workload) bool {
		return !slices.ContainsFunc(AllowsAt(s, w), func(other *mesh.Object) bool {
			return other != o && c.admittedBy(s, other)
		})
	})
}

func (c caller) admittedBy(s *mesh.Snapshot, o *mesh.Object) bool {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	for i := range p.Rules {
		if len(l7Fields(&p.Rules[i], "")) == 0 && c.answer(&p.Rules[i], o.Namespace) != refuses {
			return true
		}
	}
	return false
}

// AllowsAt are the ALLOW policies that ztunnel applies to a workload.
func AllowsAt(s *mesh.Snapshot, w *mesh.Workload) []*mesh.Object { return attachedAt(s, w, Allow) }

// DeniesAt are the DENY policies that ztunnel applies to a workload.
func DeniesAt(s *mesh.Snapshot, w *mesh.Workload) []*mesh.Object { return attachedAt(s, w, Deny) }

func attachedAt(s *mesh.Snapshot, w *mesh.Workload, action string) []*mesh.Object {
	var out []*mesh.Object
	root := s.RootNamespace()
	for _, ns := range []string{root, w.Namespace} {
		for _, o := range s.List(mesh.AuthorizationPolicy, ns) {
			p := o.Spec.(*mesh.AuthorizationPolicySpec)
			if Action(p) == action && len(p.Attachment().Refs()) == 0 && !DryRun(s, o) && Selects(p.Selector, w) {
				out = append(out, o)
			}
		}
		if root == w.Namespace {
			break
		}
	}
	return out
}

// Selects is whether a policy's selector attaches it to a workload at ztunnel. `selector: {}`
// attaches it to nothing; `selector: {matchLabels: {}}` to everything (docs/semantics.md §3.1).
func Selects(sel *mesh.WorkloadSelector, w *mesh.Workload) bool {
	if sel == nil {
		return true
	}
	if sel.MatchLabels == nil {
		return false
	}
	for k, v := range sel.MatchLabels {
		if w.Labels[k] != v {
			return false
		}
	}
	return true
}
