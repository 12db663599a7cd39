package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A guard is a DENY at ztunnel of everybody but the waypoints. It selects pods, while a binding is a Service's, so it has to
// name every waypoint that may send to them, and there must be no other way in that anybody uses.

// guards lists the known ways round the waypoints of what the plan binds, and of what labels of somebody else's bind to them, and adds the
// guards that settings ask for: of what is bound (bypass), and of what waits for its waypoint (pending). Where a way is known that a
// guard would close, and that is no exception, or there is nothing to select pods by, there is none, and a notice says why.
func (m *maker) guards(after *mesh.Snapshot) {
	m.left = m.leftWaypoints()
	binds := map[mesh.Ref]bool{}
	for _, l := range m.plan.Labels {
		for _, ref := range l.Binds {
			binds[ref] = true
			m.guardOne(after, find(after, ref), l)
		}
	}
	for i := range m.plan.Waypoints {
		w := &m.plan.Waypoints[i]
		w.Asked = nil
		for _, svc := range after.BoundTo(after.Get(mesh.Gateway, w.Namespace, w.Name)) {
			if ref := svc.Ref(); !binds[ref] && !m.snapshot.Binding(find(m.snapshot, ref)).Bound {
				w.Asked = append(w.Asked, ref)
				m.guardOne(after, svc, Label{Needs: w.Needs})
			}
		}
	}
	m.holdBlocked()
}

// guardOne is about one Service or ServiceEntry, and the label that binds it.
func (m *maker) guardOne(after *mesh.Snapshot, svc *mesh.Object, l Label) {
	setting := m.settings.Of(svc.Namespace)
	ways := m.ways(after, svc)
	for _, w := range ways {
		if w.Reason == policies.HeadlessWay && w.Via == svc {
			continue // nobody comes by a waypoint to it, so it is no way round one
		}
		m.plan.Notices = append(m.plan.Notices, Notice{svc.Ref(), ClassPath, "known path that goes round: " + told(w, svc, setting.Exceptions)})
	}
	hold := m.holds(l, svc, setting)
	if setting.Bypass != Guard && hold == "" {
		return
	}
	if why := unselective(svc); why != "" {
		if setting.Bypass == Guard || hold == agreedHold {
			m.plan.Notices = append(m.plan.Notices, Notice{svc.Ref(), ClassGuard, "it is not guarded: a guard selects pods as its Service does, and " + why})
		}
		return
	}
	p := m.guard(after, svc, hold, setting.Exceptions)
	p.Temporary, p.Held = setting.Bypass != Guard, hold
	if why := closes(ways, svc, p, setting.Exceptions); why != "" {
		m.plan.Notices = append(m.plan.Notices, Notice{svc.Ref(), ClassGuard, "it is not guarded: " + why})
		return
	}
	m.plan.Policies = append(m.plan.Policies, p)
}

// unselective is why no guard can be over what is behind a Service or ServiceEntry, as a clause and what to do; "" where one can.
func unselective(svc *mesh.Object) string {
	switch spec, ok := svc.Spec.(*mesh.ServiceSpec); {
	case !ok:
		return "this is a ServiceEntry. Keep callers from its endpoints by other means, such as NetworkPolicies."
	case len(spec.Selector) == 0:
		return "this one has no selector. Give it one, or keep callers from its endpoints yourself."
	}
	return ""
}

// ways are the known ways to the pods of a Service that go round its waypoint.
func (m *maker) ways(after *mesh.Snapshot, svc *mesh.Object) []policies.Bypass {
	return policies.Ways(after, svc, m.scrapers())
}

// scrapers are those of the mesh, looked for once.
func (m *maker) scrapers() []*mesh.Workload {
	if !m.looked {
		m.scraping, m.looked = policies.Scrapers(m.stored), true
	}
	return m.scraping
}

// holds is why a Service is closed while it waits for its waypoint, "" where it is not: its owner agrees to that, or when it
// was closed no endpoint of it was ready, so that nobody was cut off. It stays closed then: pods that become ready before the
// waypoint does are what it is closed for. What a label binds too, and no need is about, waits for nothing. Once it is bound it is not
// closed anew, and the hold that there is lasts until every ztunnel knows the label: one that does not would send round the waypoint.
func (m *maker) holds(l Label, svc *mesh.Object, setting Setting) string {
	if setting.Pending != Guard {
		return ""
	}
	stored, held := find(m.stored, refOf(svc)), ""
	if own := find(m.stored, guardOf(refOf(svc))); m.managed.Made(own) {
		held = own.Annotations[HeldAnnotation]
	}
	switch bound := m.stored.Binding(stored).Bound; {
	case bound && setting.Bypass == Guard:
		return "" // the guard stays, whatever it was set for
	case bound:
		return held
	case !l.asksFor(svc):
		return ""
	case held == unservedHold:
		return held
	case stored.Annotations[HoldAnnotation] != "":
		return agreedHold
	}
	if ready, known := m.stored.ReadyEndpoints(stored); known && ready == 0 {
		return unservedHold
	}
	return ""
}

// Why a Service is held, as it is written on its guard.
const (
	agreedHold   = "agreed"
	unservedHold = "no endpoint was ready"
)

func (m *maker) guard(after *mesh.Snapshot, svc *mesh.Object, held string, exceptions []Exception) Policy {
	r := restating{after: after, svc: svc, gateway: after.Binding(svc).Gateway, sign: m.signer(svc.Namespace)}
	in, why := m.senders(after, svc), "only the waypoint may call the pods"
	var excepted []string
	for _, e := range exceptions {
		excepted = append(excepted, e.Principals...)
		why += fmt.Sprintf(", and %s (%s)", strings.Join(e.Principals, ", "), e.Reason)
	}
	in = sorted(slices.Concat(in, excepted))
	r.add(Policy{Role: Guarding, For: []mesh.Ref{refOf(svc)}, Why: why}, guardName(svc.Name), map[string]any{
		"selector": map[string]any{"matchLabels": anyMap(svc.Spec.(*mesh.ServiceSpec).Selector)}, "action": policies.Deny,
		"rules": []any{map[string]any{"from": []any{map[string]any{"source": map[string]any{
			"notPrincipals": anyList(in)}}}}}})
	p := r.policies[0]
	if held != "" {
		p.Manifest = noted(p.Manifest, HeldAnnotation, held)
	}
	p.Admits, p.Excepted = in, sorted(excepted)
	return p
}

func guardName(service string) string { return short("waywarden-guard-"+service, maxName) }

func guardOf(svc mesh.Ref) mesh.Ref {
	return RefOf(mesh.AuthorizationPolicy, svc.Namespace, guardName(svc.Name))
}

// senders are the identities of the waypoints that may send to the pods of a Service: those of all Services over them, of
// their canaries, of routes that lead there, and those that it has left.
func (m *maker) senders(after *mesh.Snapshot, svc *mesh.Object) []string {
	var out []string
	take := func(s *mesh.Snapshot, gw *mesh.Object) {
		if gw != nil {
			out = append(out, s.Identity(gw))
		}
	}
	behind, _ := after.Backends(svc)
	for _, s := range []*mesh.Snapshot{after, m.stored} {
		for _, w := range behind {
			for _, other := range s.ServicesOf(w) {
				take(s, s.Binding(other).Gateway)
				take(s, s.Canary(other).Gateway)
			}
			take(s, s.WorkloadBinding(mesh.Pod, w).Gateway)
		}
		for _, route := range s.RoutesTo(svc) {
			for _, parent := range policies.MeshParents(s, route) {
				take(s, s.Binding(parent).Gateway)
			}
		}
	}
	for _, key := range leftFor(m.stored, m.managed, refOf(svc)) {
		ns, name, _ := cutKey(key)
		take(m.stored, m.stored.Get(mesh.Gateway, ns, name))
	}
	for _, gw := range m.left[svc.Namespace] {
		take(m.stored, gw)
	}
	return sorted(out)
}

// leftWaypoints are those of ours that are drained, or that the plan has no more, by namespace. A Service in another one says itself
// which it has left: whoever owns a namespace with a Gateway that looks like ours is not let in elsewhere by it.
func (m *maker) leftWaypoints() map[string][]*mesh.Object {
	planned := map[mesh.Ref]bool{}
	for i := range m.plan.Waypoints {
		planned[m.plan.Waypoints[i].Ref()] = true
	}
	out := map[string][]*mesh.Object{}
	for gw := range m.stored.All(mesh.Gateway) {
		if m.managed.Made(gw) && (gw.Annotations[DrainingSinceAnnotation] != "" || !planned[refOf(gw)]) {
			out[gw.Namespace] = append(out[gw.Namespace], gw)
		}
	}
	return out
}

// sorted are the values, each once, in order. It writes to them.
func sorted(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}

// closes says which known way to the pods of a Service a guard would close that is no exception; "" where it closes none.
func closes(ways []policies.Bypass, svc *mesh.Object, guard Policy, exceptions []Exception) string {
	for _, w := range ways {
		if excepted(w, svc, exceptions) == nil && !(w.Caller != "" && slices.Contains(guard.Admits, w.Caller)) {
			return w.Text + ". " + unless(w)
		}
	}
	return ""
}

// unless is what would have to be done before a guard can be there.
func unless(w policies.Bypass) string {
	if w.Reason == policies.ScraperWay {
		return w.Remedy
	}
	if w.Caller != "" {
		return fmt.Sprintf("Let it come by the waypoint, or name %s as an exception.", w.Caller)
	}
	return "Let it come by the waypoint, or name those who come as an exception, with the Service."
}

// excepted is the exception for a way: for who comes by it, or, where that cannot be told, for the Service by which it goes.
func excepted(w policies.Bypass, svc *mesh.Object, exceptions []Exception) *Exception {
	by := svc
	if w.Via.Kind == mesh.Service {
		by = w.Via
	}
	for i := range exceptions {
		e := &exceptions[i]
		if w.Caller != "" && slices.Contains(e.Principals, w.Caller) || w.Caller == "" && slices.Contains(e.Services, by.Key()) {
			return e
		}
	}
	return nil
}

// told is a way for people.
func told(w policies.Bypass, svc *mesh.Object, exceptions []Exception) string {
	if e := excepted(w, svc, exceptions); e != nil {
		return fmt.Sprintf("%s. It is an exception: %s.", w.Text, strings.TrimRight(e.Reason, "."))
	}
	return w.Text + ". " + w.Remedy
}
