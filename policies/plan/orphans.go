package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// removeOrphans removes policies of ours that nothing asks for any more, when what took their place is in force everywhere.
// One for what is no longer bound stays until the waypoint is drained: connections that are open still pass it.
// ALLOWs go before DENYs: a DENY may keep out whom an ALLOW of the same time lets in.
func (c *course) removeOrphans() outcome { return c.removeOrphansAmong(c.own) }

// clearStopped removes twins that nothing asks for any more of what is bound, where the waypoint has stopped before that row, as where its
// Gateway cannot be made: at the waypoint where their Services are meanwhile they stop calls of which nothing is said.
func (c *course) clearStopped() {
	if c.out.Step != nil || len(c.out.Waiting) > 0 || len(c.out.Stopped) == 0 {
		return
	}
	c.removeOrphansAmong(slices.DeleteFunc(slices.Clone(c.own), func(o *mesh.Object) bool {
		return Role(o.Annotations[RoleAnnotation]) != Twin || !c.boundAt(isFor(o))
	}))
}

func (c *course) removeOrphansAmong(own []*mesh.Object) outcome {
	for _, o := range allowsFirst(own) {
		role := Role(o.Annotations[RoleAnnotation])
		svc := isFor(o)
		if c.order.planned[refOf(o)] || role == Guarding || c.unseen() != "" || c.Settings.Of(o.Namespace).Mode != Provision {
			continue
		}
		if c.draining(svc, role) {
			continue
		}
		if role == Twin && c.unreplaced(svc) {
			continue // that is told where the other one is to be written
		}
		if role == Admission && c.asks(svc) && c.onlyOursBeside(o) {
			continue // it is the last one when those are gone, and that is told
		}
		if on, ok := c.pending(svc); ok {
			return c.wait(RemoveTwin, on, time.Time{}, fmt.Sprintf("%s is no longer needed, and goes when every proxy knows why", o))
		}
		out := settled
		switch role {
		case Twin:
			out = c.removeTwin(o, "what it repeats is gone, or said otherwise")
		case Copy:
			if c.gateway == nil || !c.original(o) || c.planned != nil && !c.planned.Idle {
				out = c.delete(RemoveTwin, o, "what it repeats is gone, or is bound otherwise")
			}
		case Admission:
			out = c.removeAdmission(o)
		}
		if out == busy {
			return busy
		}
	}
	return settled
}

// sayLast says which admissions of ours are the last ALLOWs over pods, as soon as the one beside which they stood is gone: but for the
// waypoint nobody gets in until somebody decides, whatever else is done or may be there unseen meanwhile.
func (c *course) sayLast() outcome {
	for _, o := range c.own {
		if Role(o.Annotations[RoleAnnotation]) != Admission || c.order.planned[refOf(o)] || c.Settings.Of(o.Namespace).Mode != Provision {
			continue
		}
		if c.lastAllow(o) || !c.asks(isFor(o)) && c.onlyOursBeside(o) {
			c.stop(RemoveAdmit, refOf(o), nil, c.lastAllowSays(o))
		}
	}
	return settled
}

// allowsFirst are policies with the DENYs at the end.
func allowsFirst(own []*mesh.Object) []*mesh.Object {
	denies := func(o *mesh.Object) int {
		if spec, ok := o.Spec.(*mesh.AuthorizationPolicySpec); ok && spec.Action == policies.Deny {
			return 1
		}
		return 0
	}
	return slices.SortedStableFunc(slices.Values(own), func(a, b *mesh.Object) int { return denies(a) - denies(b) })
}

// draining is whether connections through this waypoint may still rest on a policy of ours for a Service that is no longer bound
// to it. A twin is at whatever waypoint its Service is bound to.
func (c *course) draining(svc mesh.Ref, role Role) bool {
	o := find(c.snapshot, svc)
	if o == nil || c.asks(svc) {
		return false
	}
	return role == Admission || !c.snapshot.Binding(o).Bound
}

// pending is something that decides about a Service and that not every proxy knows as it is: its labels, its Namespace's, or a
// policy of a kind that we write.
func (c *course) pending(svc mesh.Ref) (mesh.Ref, bool) {
	near := []string{svc.Namespace, c.ref.Namespace, c.snapshot.RootNamespace()}
	for _, ref := range slices.SortedFunc(maps.Keys(c.Evidence.Written), mesh.Ref.Compare) {
		if kind, ok := mesh.KindOf(ref.APIVersion, ref.Kind); ok && slices.Contains(copiedKinds, kind) && slices.Contains(near, ref.Namespace) && !c.Evidence.Converged(ref) {
			return ref, true
		}
	}
	for _, ref := range []mesh.Ref{svc, RefOf(mesh.Namespace, "", svc.Namespace)} {
		if !c.Evidence.Converged(ref) {
			return ref, true
		}
	}
	return mesh.Ref{}, false
}

// isFor is the Service or ServiceEntry that a policy of ours is for. Its annotation has no kind; the targetRefs of a twin do, and all else
// selects pods, as only a Service does.
func isFor(o *mesh.Object) mesh.Ref {
	ns, name, _ := cutKey(o.Annotations[ForAnnotation])
	if spec, ok := o.Spec.(interface{ Attachment() mesh.Attachment }); ok {
		for _, ref := range spec.Attachment().Refs() {
			if ref.Kind == mesh.ServiceEntry.String() {
				return RefOf(mesh.ServiceEntry, ns, name)
			}
		}
	}
	return RefOf(mesh.Service, ns, name)
}
