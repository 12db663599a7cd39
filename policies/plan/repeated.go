package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A twin is at whatever waypoint its Service is bound to, and while a Service moves its twin is written with the waypoint to which it
// goes. Each of the waypoints that send to its pods meanwhile has an admission of its own. None of those may be there before the twin:
// it would let in by one waypoint, as that waypoint, whoever is to be kept out.

// awaitTwinsElsewhere waits for the twins that are written with other waypoints, of Services that this waypoint is to be let in to. Where
// one cannot be written it is not let in.
func (c *course) awaitTwinsElsewhere(of func(mesh.Ref) bool) outcome {
	out := settled
	for _, admission := range c.policies {
		if admission.Role != Admission || !slices.ContainsFunc(admission.For, of) || c.stored(admission) {
			continue
		}
		for _, twin := range c.Plan.Policies {
			if twin.Role != Twin || twin.Waypoint == c.ref || !overlap(twin.For, admission.For) {
				continue
			}
			out = max(out, c.awaitTwin(twin, admission))
		}
	}
	return out
}

func (c *course) awaitTwin(twin, admission Policy) outcome {
	with := c.courses[twin.Waypoint]
	stored := find(c.snapshot, twin.Ref())
	switch _, refused := c.Evidence.Refused[twin.Ref()]; {
	case with != nil && c.Evidence.Managed.Made(stored) && applied(stored, sealed(with.withTimes(twin))):
		return c.converged(MakeTwin, twin.Ref())
	case refused || with == nil || stored != nil && !c.Evidence.Managed.Made(stored):
		c.cannot = append(c.cannot, admission.Ref()) // said where the twin was to be written
		return settled
	}
	return c.wait(MakeTwin, twin.Ref(), time.Time{}, "what it says of clients is said at the waypoint before that is let in")
}

// unrepeated is whether an admission is for a Service of which what is said of clients cannot be said at the waypoint.
func (c *course) unrepeated(admission Policy) bool {
	return slices.ContainsFunc(c.policies, func(twin Policy) bool {
		return twin.Role == Twin && slices.Contains(c.cannot, twin.Ref()) && overlap(twin.For, admission.For)
	})
}

// overlap is whether two policies are for a Service in common.
func overlap(a, b []mesh.Ref) bool {
	return slices.ContainsFunc(a, func(svc mesh.Ref) bool { return slices.Contains(b, svc) })
}

// unreplaced is whether a twin that is planned for a Service which is bound is not written, as where the API server refuses it: it may
// say what another one says until then.
func (c *course) unreplaced(svc mesh.Ref) bool {
	return c.boundAt(svc) && slices.ContainsFunc(c.Plan.Policies, func(twin Policy) bool {
		_, refused := c.Evidence.Refused[twin.Ref()]
		return twin.Role == Twin && slices.Contains(twin.For, svc) && (refused || !c.stored(twin))
	})
}

// clearTwins removes twins that nothing asks for any more of what is not bound yet, before it is: an ALLOW among them would let somebody in.
// What is bound is looked after when what takes their place is in force. One that has to stay for now, or that the API server does not let
// go, keeps its own Service from being bound, and nothing else.
func (c *course) clearTwins() outcome {
	for _, o := range c.own {
		svc := isFor(o)
		if Role(o.Annotations[RoleAnnotation]) != Twin || c.order.planned[refOf(o)] || c.bindingOf(svc) || c.unseen() != "" ||
			!slices.ContainsFunc(c.labels, func(l Label) bool { return slices.Contains(l.Binds, svc) }) {
			continue
		}
		step := c.out.Step
		if c.removeTwin(o, "what it repeats is gone, or said otherwise") == busy && c.out.Step != step {
			return busy
		}
		c.uncleared = append(c.uncleared, svc)
	}
	return settled
}

// awaitsTwins keeps what a label binds from being bound while one of its Services has a twin that is to be gone first: it is there still, which
// is said where it was to be removed, or not every proxy knows that it is gone. Whoever has begun to look just now does not know what went
// before, and waits for what the proxies know since, but where the waypoint is newer than that: its pods never knew a twin that is gone.
func (c *course) awaitsTwins(l Label) bool {
	takes := c.takes(l)
	if overlap(takes, c.uncleared) {
		return true
	}
	if !c.Evidence.Acknowledged.After(c.Evidence.Since) && c.gateway.Created.Before(c.Evidence.Since.Truncate(time.Second)) {
		c.wait(MakeBinding, canonical(l.On), time.Time{}, "not every ztunnel and waypoint has acknowledged a push since this replica leads, and a twin may have been deleted before of which it does not know")
		return true
	}
	for _, ref := range c.goneTwins() {
		if slices.ContainsFunc(takes, func(svc mesh.Ref) bool { return mayBeTwinOf(ref, svc) }) {
			c.converged(RemoveTwin, ref)
			return true
		}
	}
	return false
}

// goneTwins are what may have been twins, and is gone without every proxy knowing that. They are looked for once: what was written lately can
// be much, and so can what is to be bound.
func (o *order) goneTwins() []mesh.Ref {
	if !o.lookedForTwins {
		o.lookedForTwins = true
		for ref := range o.Evidence.Written {
			if ref.Kind == mesh.AuthorizationPolicy.String() && strings.HasPrefix(ref.Name, twinStem) && find(o.snapshot, ref) == nil && !o.Evidence.Converged(ref) {
				o.twinsGone = append(o.twinsGone, ref)
			}
		}
		slices.SortFunc(o.twinsGone, mesh.Ref.Compare)
	}
	return o.twinsGone
}

// mayBeTwinOf is whether a policy that is gone may have been a twin for a Service, by its name. A name that is not whole may have been one for
// any Service of its namespace: what that costs is a wait.
func mayBeTwinOf(policy, svc mesh.Ref) bool {
	return policy.Namespace == svc.Namespace &&
		(strings.HasSuffix(policy.Name, "."+svc.Name) || strings.Contains(policy.Name, ".hash.") || len(policy.Name) > maxName-len(hashOf("")))
}
