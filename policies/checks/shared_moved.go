package checks

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// saidWhereTheyWent is whether what an AuthorizationPolicy no longer does at a Gateway is done by another one that says the same, at
// every Gateway to which what was bound there has moved. Then nothing is lost, whoever wrote the other one. What stays bound to the
// Gateway has not moved, and what is no longer done for it is lost.
func saidWhereTheyWent(c *policies.Change, r policies.Regression) bool {
	t := r.After.Target
	if t.Kind != mesh.Gateway.String() || r.After.Object.Kind != mesh.AuthorizationPolicy.String() {
		return false
	}
	gw := c.Before.Get(mesh.Gateway, t.Namespace, t.Name)
	policy := c.After.Get(mesh.AuthorizationPolicy, r.After.Object.Namespace, r.After.Object.Name)
	if gw == nil || policy == nil || len(c.Before.WorkloadsBoundTo(gw)) > 0 {
		return false // pods that are called by their address are told apart by no Gateway's policies here
	}
	bound := c.Before.BoundTo(gw)
	return len(bound) > 0 && !slices.ContainsFunc(bound, func(was *mesh.Object) bool {
		svc := c.After.Get(was.Kind, was.Namespace, was.Name)
		if svc == nil {
			return false // nothing is left to guard
		}
		b := c.After.Binding(svc)
		return !b.Bound || b.Gateway.Key() == gw.Key() || !policies.SaidAt(c.After.Snapshot, b.Gateway, policy)
	})
}
