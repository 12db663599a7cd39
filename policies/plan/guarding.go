package plan

import (
	"fmt"
	"slices"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// guardsOf are the planned guards.
func (c *course) guardsOf() []Policy {
	return slices.DeleteFunc(slices.Clone(c.policies), func(p Policy) bool { return p.Role != Guarding })
}

// stored is whether a policy of the plan is there, and ours.
func (c *course) stored(p Policy) bool { return c.Evidence.Managed.Made(find(c.snapshot, p.Ref())) }

// knows is whether every proxy knows that a Service is bound to this waypoint. A label of somebody else's may be there before the waypoint
// is; then they have to know that too.
func (c *course) knows(svc mesh.Ref) bool {
	if c.theirs(svc) && !(c.boundAt(svc) && c.ready() && c.Evidence.Converged(c.ref)) {
		return false
	}
	return c.asks(svc) && c.Evidence.Converged(svc) && c.Evidence.Converged(RefOf(mesh.Namespace, "", svc.Namespace))
}

// theirs is whether a label of somebody else's binds a Service to this waypoint, as soon as that is ready.
func (c *course) theirs(svc mesh.Ref) bool {
	if !c.asks(svc) {
		return false
	}
	on := find(c.snapshot, svc)
	if c.snapshot.Binding(on).By == mesh.Namespace.String() {
		on = c.snapshot.Get(mesh.Namespace, "", svc.Namespace)
	}
	_, ours := storedLabel(c.Evidence.Managed, on)
	return !ours
}

// waits is whether a Service is to be bound here and is not. What is bound by a label of ours, to a waypoint that is not ready now, has
// been.
func (c *course) waits(svc mesh.Ref) bool {
	return !c.bindingOf(svc) || c.theirs(svc) && !c.boundAt(svc)
}

// removeStaleGuards removes guards that are not planned, of what has lost its binding, and that were to last only until there
// is one. It comes first: a guard without a binding is an outage.
func (c *course) removeStaleGuards() outcome {
	for _, o := range c.own {
		if Role(o.Annotations[RoleAnnotation]) != Guarding || c.Settings.Of(o.Namespace).Mode != Provision {
			continue
		}
		i := slices.IndexFunc(c.policies, func(p Policy) bool { return p.Ref() == refOf(o) })
		why := ""
		switch {
		case i < 0 && c.order.planned[refOf(o)]:
			continue // another waypoint takes it over
		case i < 0 && c.unseen() != "" && c.guards(o):
			continue // what asks for it may be there
		case i < 0:
			why = "it is no longer asked for, or a way is known that it would close"
		case c.policies[i].Temporary && c.knows(c.policies[i].For[0]):
			why = "the waypoint serves, and it was to last until then"
		case !c.boundAt(c.policies[i].For[0]) && c.policies[i].Held == "":
			why = "nothing is bound that it could guard"
		case c.shutsIngress(c.policies[i]):
			why = "ingress gateways do not send through the waypoint, as the label for that is refused, and it shuts them out"
		default:
			continue
		}
		if out := c.delete(RemoveGuard, o, why); out == busy {
			return busy
		}
	}
	return settled
}

// guards is whether a stored guard is of a Service that is bound.
func (c *course) guards(o *mesh.Object) bool {
	ns, name, _ := cutKey(o.Annotations[ForAnnotation])
	return c.boundAt(RefOf(mesh.Service, ns, name))
}

// bindingOf is whether a Service is bound to any waypoint, or asks for this one.
func (c *course) bindingOf(svc mesh.Ref) bool {
	o := find(c.snapshot, svc)
	return o != nil && (c.snapshot.Binding(o).Bound || c.asks(svc))
}

// boundAt is whether a Service is bound to a waypoint that is there.
func (c *course) boundAt(svc mesh.Ref) bool {
	o := find(c.snapshot, svc)
	return o != nil && c.snapshot.Binding(o).Bound
}

// widenGuards lets the waypoint in at guards that are there, before anything is bound to it.
func (c *course) widenGuards() outcome {
	for _, p := range c.guardsOf() {
		if !c.stored(p) || c.asks(p.For[0]) {
			continue
		}
		switch c.ensure(MakeGuard, p.Manifest, "it has to let the waypoint in to which its Service is to be bound", nil) {
		case busy:
			return busy
		case stopped:
			c.cannot = append(c.cannot, p.Ref()) // it would shut out what is bound
			continue
		}
		if out := c.converged(MakeGuard, p.Ref()); out == busy {
			return busy
		}
	}
	return settled
}

// Guarding are the guards that are set next, or wait for the last to come round the waypoint: their Services are bound.
func (w World) Guarding() []Policy {
	var out []Policy
	for _, p := range w.Plan.Policies {
		if p.Role != Guarding || p.Temporary || w.Settings.Of(p.Ref().Namespace).Mode != Provision || w.Evidence.Managed.Made(find(w.View.Snapshot, p.Ref())) {
			continue
		}
		if svc := find(w.View.Snapshot, p.For[0]); svc != nil && w.View.Binding(svc).Bound {
			out = append(out, p)
		}
	}
	return out
}

// awaitQuiet waits until, as far as is read, nobody has come round the waypoint for a while.
func (c *course) awaitQuiet(svc mesh.Ref) outcome {
	last, watched := c.Evidence.Direct[svc]
	until := last.Add(c.Settings.Of(svc.Namespace).Profile.quiet())
	if !watched || !c.Evidence.Metered.Before(until) {
		return settled
	}
	if !c.Now.Before(until) {
		until = c.Now.Add(blindness) // the next reading ends it earlier
	}
	return c.wait(MakeGuard, svc, until, "connections come round the waypoint, or it is not known yet that none do")
}

func (c *course) makeGuards() outcome {
	for _, p := range c.guardsOf() {
		if p.Temporary || !c.boundAt(p.For[0]) {
			continue
		}
		if !c.asks(p.For[0]) {
			// It is to be bound here, and that is refused. Until it can be it is guarded where it is: the guard lets both in.
			if out := c.awaitKnownWhere(p.For[0]); out != settled {
				return out
			}
		}
		if c.theirs(p.For[0]) {
			if !c.ready() {
				continue
			}
			if out := c.awaitKnownWhere(p.For[0]); out != settled {
				return out
			}
		}
		if on := c.ingressAwaited(p.For[0]); on != nil {
			c.out.Unguarded = append(c.out.Unguarded, Notice{p.For[0], ClassGuard, fmt.Sprintf("it is not guarded: ingress gateways send through the waypoint once %s has label %s=true, and a guard would shut them out until then. Set it.", on, label.IoIstioIngressUseWaypoint.Name)})
			continue
		}
		if !c.stored(p) {
			if out := c.awaitQuiet(p.For[0]); out != settled {
				return out
			}
		}
		why := p.Why
		if c.Evidence.Unmetered != "" {
			why += "; unverified, whether anybody still comes round it: " + c.Evidence.Unmetered
		}
		if out := c.ensure(MakeGuard, p.Manifest, why, c.needsFor(p.For)); out == busy {
			return busy
		}
	}
	return settled
}

// awaitKnownWhere waits until every proxy knows to which waypoint a Service is bound.
func (c *course) awaitKnownWhere(svc mesh.Ref) outcome {
	at := refOf(c.snapshot.Binding(find(c.snapshot, svc)).Gateway)
	for _, ref := range []mesh.Ref{at, svc, RefOf(mesh.Namespace, "", svc.Namespace)} {
		if out := c.converged(MakeGuard, ref); out != settled {
			return out
		}
	}
	return settled
}

func (c *course) awaitGuards() outcome {
	for _, p := range c.guardsOf() {
		if c.stored(p) {
			if out := c.converged(MakeGuard, p.Ref()); out == busy {
				return busy
			}
		}
	}
	return settled
}

// removeGuards removes the guards of what is to be released, whichever waypoint was let in when they were written last.
func (c *course) removeGuards() outcome {
	remove := func(o *mesh.Object) outcome { return c.delete(RemoveGuard, o, "its Service is to be released") }
	out := settled
	for _, l := range c.bound {
		for _, svc := range c.under(l) {
			o := find(c.snapshot, guardOf(svc))
			if !c.Evidence.Managed.Made(o) || slices.Contains(c.own, o) {
				continue
			}
			if out = max(out, remove(o)); out == busy {
				return busy
			}
		}
	}
	if own := c.removeOwn(Guarding, remove); own != settled {
		return own
	}
	return out
}

// awaitGuardsRemoved waits until every ztunnel knows that the guards are gone. In one push with the label the label goes first, and
// everybody is shut out.
func (c *course) awaitGuardsRemoved() outcome {
	for _, l := range c.bound {
		if out := c.awaitUnguarded(l); out == busy {
			return busy
		}
	}
	return settled
}

// awaitUnguarded waits until every ztunnel knows that the guards are gone of what a label binds, but for those that stay.
func (c *course) awaitUnguarded(l Label) outcome {
	for _, svc := range c.under(l) {
		guard := guardOf(svc)
		if c.Evidence.Managed.Made(find(c.snapshot, guard)) && !c.order.planned[guard] {
			return c.wait(RemoveGuard, guard, time.Time{}, "it goes before the label does")
		}
		if out := c.converged(RemoveGuard, guard); out == busy {
			return busy
		}
	}
	return settled
}

// under are the Services that a label binds as it is stored.
func (c *course) under(l Label) []mesh.Ref {
	if l.On.Kind != mesh.Namespace.String() {
		return []mesh.Ref{RefOf(mesh.Service, l.On.Namespace, l.On.Name)}
	}
	var out []mesh.Ref
	for _, o := range c.snapshot.Inheriting(l.On.Name) {
		out = append(out, refOf(o))
	}
	return out
}
