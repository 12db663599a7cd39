package plan

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Calls to pods by their own addresses go through a waypoint that is for workloads. Policies are applied to them there that name the
// Gateway or its class, which are over all that it serves, so nothing of ours says for some pods what a policy says of their clients.

// direct finds a policy on clients that is in the way of binding pods to a waypoint.
func (m *maker) direct(gw *mesh.Object, after *mesh.Snapshot) (*mesh.Workload, restated) {
	r := restating{after: after, gateway: gw, id: identity{after.Identity(gw)}}
	for _, w := range after.WorkloadsBoundTo(gw) {
		if w.Mode != mesh.ModeAmbient || m.snapshot.WorkloadBinding(mesh.Pod, w).Bound {
			continue
		}
		if r.asked(w); r.why != "" {
			return w, r.restated
		}
	}
	return nil, restated{}
}

// asked stops where a policy over a pod asks who calls, and nobody says so at the waypoint.
func (r *restating) asked(w *mesh.Workload) {
	const remedy = "Repeat it in a policy with targetRefs to %s, or take label %s off."
	for _, o := range policies.DeniesAt(r.after, w) {
		for _, x := range rulesOf(o) {
			switch {
			case !x.asksWho() || x.onlyTells(r.id):
			case x.of(r.id) != never:
				r.stop(o, "%s would deny the waypoint, by which pods of %s are called by their own addresses. Its owner has to except %s.", o, w.Namespace, r.id.principal)
			case !slices.ContainsFunc(r.chain(policies.Deny), func(at rule) bool { return at.equal(x) || at.equal(x.anyPort()) }):
				r.stop(o, "whom %s denies would get through the waypoint, by which pods of %s are called by their own addresses. "+remedy, o, w.Namespace, r.gateway, label.IoIstioUseWaypoint.Name)
			}
		}
	}
	allows := policies.AllowsAt(r.after, w)
	rules, asks := entry(allows)
	if !asks {
		return
	}
	if telling := r.telling(allows); len(telling) > 0 && !r.narrower(telling) {
		r.stop(telling[0], "whom %s lets in could not be told at the waypoint, by which pods of %s are called by their own addresses. "+remedy, telling[0], w.Namespace, r.gateway, label.IoIstioUseWaypoint.Name)
		return
	}
	if !r.after.Settings().Flag("PILOT_AUTO_ALLOW_WAYPOINT_POLICY", false) && !slices.ContainsFunc(rules, func(x rule) bool { return x.of(r.id) == always }) {
		r.stop(allows[0], "%s would shut the waypoint out, by which pods of %s are called by their own addresses. Let %s in.", allows[0], w.Namespace, r.id.principal)
	}
}

// obstructPods deals with pods that must not be bound. It is true where the plan changed.
func (m *maker) obstructPods(w *Waypoint, pod *mesh.Workload, r restated) bool {
	_, own := pod.Labels[label.IoIstioUseWaypoint.Name]
	i := slices.IndexFunc(m.plan.Labels, func(l Label) bool {
		return l.On.Kind == mesh.Namespace.String() && l.On.Name == pod.Namespace && l.Waypoint() == w.Ref()
	})
	if own || i < 0 {
		return m.withdraw(w, r.why) // somebody labelled it already: it would be bound as soon as there is a waypoint
	}
	l := m.plan.Labels[i]
	if m.isStored(l) {
		m.blockAll(l.Needs, r.why)
		return false
	}
	if m.staysAt(i, r.why) {
		return true
	}
	m.plan.Labels = slices.Delete(m.plan.Labels, i, i+1)
	m.labelObjects(w, l.Needs, fmt.Sprintf("on %s it would also bind pods by their own addresses: %s", l.On, r.why))
	sortLabels(m.plan.Labels)
	m.drop(l.Waypoint())
	return true
}
