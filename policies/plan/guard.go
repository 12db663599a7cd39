package plan

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A guard is a DENY at ztunnel of everybody but the waypoints. It selects pods, while a binding is a Service's, so it has to
// name every waypoint that may send to them, and there must be no other way in that anybody uses.

// guards adds the guards that settings ask for: of what is bound (bypass), and of what waits for its waypoint where its owner
// agrees to that (pending). Where a path is known that a guard would close there is none, and a notice says why.
func (m *maker) guards(after *mesh.Snapshot) {
	for _, l := range m.plan.Labels {
		setting := m.settings.Of(home(l.On))
		for _, ref := range l.Binds {
			svc := find(after, ref)
			hold := setting.Pending == Guard && svc.Annotations[HoldAnnotation] != ""
			spec, ok := svc.Spec.(*mesh.ServiceSpec)
			if !ok || len(spec.Selector) == 0 || setting.Bypass != Guard && !hold {
				continue
			}
			p := m.guard(after, svc)
			p.Temporary, p.Held = setting.Bypass != Guard, hold && !m.stored.Binding(find(m.stored, ref)).Bound
			if why := closes(after, svc, p); why != "" {
				m.plan.Notices = append(m.plan.Notices, Notice{svc.Ref(), ClassGuard, "it is not guarded, and calls can get round its waypoint: " + why})
				continue
			}
			m.plan.Policies = append(m.plan.Policies, p)
		}
	}
	sortPolicies(m.plan.Policies)
}

func (m *maker) guard(after *mesh.Snapshot, svc *mesh.Object) Policy {
	r := restating{after: after, svc: svc, gateway: after.Binding(svc).Gateway, sign: m.signer(svc.Namespace)}
	r.add(Policy{Role: Guarding, For: []mesh.Ref{refOf(svc)}, Why: "only the waypoint may call the pods"}, guardName(svc.Name), map[string]any{
		"selector": map[string]any{"matchLabels": anyMap(svc.Spec.(*mesh.ServiceSpec).Selector)}, "action": policies.Deny,
		"rules": []any{map[string]any{"from": []any{map[string]any{"source": map[string]any{
			"notPrincipals": anyList(m.senders(after, svc))}}}}}})
	return r.policies[0]
}

func guardName(service string) string { return short("waywarden-guard-"+service, maxName) }

func guardOf(svc mesh.Ref) mesh.Ref {
	return RefOf(mesh.AuthorizationPolicy, svc.Namespace, guardName(svc.Name))
}

// senders are the identities of the waypoints that may send to the pods of a Service: those of all Services over them, of
// their canaries, of routes that lead there, and those that are being left.
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
	for _, gw := range m.stored.List(mesh.Gateway, svc.Namespace) {
		if m.managed.Made(gw) && (gw.Annotations[DrainingSinceAnnotation] != "" || !m.inPlan(refOf(gw))) {
			take(m.stored, gw)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// closes says which known way to the pods of a Service a guard would close; "" where it closes none.
func closes(after *mesh.Snapshot, svc *mesh.Object, guard Policy) string {
	behind, _ := after.Backends(svc)
	for _, w := range behind {
		for _, other := range after.ServicesOf(w) {
			switch {
			case mesh.Headless(other):
				return fmt.Sprintf("%s is headless and over the same pods, so that its callers do not come by the waypoint. Part the pods.", other)
			case !after.Binding(other).Bound:
				return fmt.Sprintf("%s is over the same pods and bound to no waypoint. Bind it too.", other)
			}
		}
	}
	still := policies.Bypasses(after.With(decode(guard.Manifest)), svc)
	for _, b := range policies.Bypasses(after, svc) {
		if !slices.ContainsFunc(still, func(o policies.Bypass) bool { return o.Reason == b.Reason && o.Via == b.Via }) {
			return b.Text + ". Let it come by the waypoint."
		}
	}
	return ""
}
