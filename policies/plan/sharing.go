package plan

import (
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A waypoint that several namespaces share says in its listener which. One that is no longer named there is no longer bound, whatever
// its labels say, and is called round the waypoint. So a namespace is named as long as anything in it is bound, and until every proxy
// knows that nothing is.

// attached are the namespaces other than its own of what is bound to a Gateway, sorted.
func attached(s *mesh.Snapshot, gw *mesh.Object) []string {
	if len(letIn(gw)) == 0 {
		return nil
	}
	var out []string
	for _, o := range s.BoundTo(gw) {
		out = append(out, o.Namespace)
	}
	for _, w := range s.WorkloadsBoundTo(gw) {
		out = append(out, w.Namespace)
	}
	return slices.DeleteFunc(sorted(out), func(ns string) bool { return ns == gw.Namespace })
}

// letIn are the namespaces that a Gateway of ours names in its listener.
func letIn(gw *mesh.Object) []string {
	var out []string
	for _, l := range gw.Spec.(*mesh.GatewayBody).Spec.Listeners {
		if l.AllowedRoutes == nil || l.AllowedRoutes.Namespaces == nil || l.AllowedRoutes.Namespaces.Selector == nil {
			continue
		}
		for _, r := range l.AllowedRoutes.Namespaces.Selector.MatchExpressions {
			if r.Key == namespaceName {
				out = append(out, r.Values...)
			}
		}
	}
	return out
}

// leaves is something in a namespace that the Gateway is to name no more, of which not every proxy knows that it has left.
func (c *course) leaves() (mesh.Ref, bool) {
	if c.gateway == nil || !c.ours() {
		return mesh.Ref{}, false
	}
	for _, ns := range letIn(c.gateway) {
		if ns == c.ref.Namespace || slices.Contains(c.planned.from, ns) {
			continue
		}
		on := []mesh.Ref{RefOf(mesh.Namespace, "", ns)}
		for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry, mesh.Pod} {
			for _, o := range c.snapshot.List(kind, ns) {
				on = append(on, refOf(o))
			}
		}
		for _, ref := range on {
			if !c.Evidence.Converged(ref) {
				return ref, true
			}
		}
	}
	return mesh.Ref{}, false
}
