package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// makeGateway makes the Gateway. It takes off again what was noted for a removal that a need has cancelled.
func (c *course) makeGateway() outcome {
	if out := c.keepLabels(); out != settled || c.planned.Existing {
		return out
	}
	row, why := MakeGateway, "it is needed, and nothing refers to it yet"
	if _, idle := since(c.gateway, UnneededSinceAnnotation); idle {
		row, why = Keep, "it is needed again"
	} else if c.gateway != nil {
		why = "it is not as its profile says"
	}
	manifest, leaving := c.planned.Manifest, c.leaves()
	if len(leaving) > 0 {
		manifest = gatewayManifest(c.planned.letting(slices.Sorted(maps.Keys(leaving))))
	}
	if over := c.goOver(); over != "" {
		manifest = noted(manifest, GoOverAnnotation, over)
	}
	out := c.ensure(row, manifest, why, c.planned.Needs)
	for _, ns := range slices.Sorted(maps.Keys(leaving)) {
		if out == settled { // nothing else waits for that
			c.wait(MakeBinding, leaving[ns], time.Time{}, "it has left the waypoint, and its namespace is let attach until every proxy knows")
		}
	}
	return out
}

// awaitReady waits for the waypoint before anything is bound to it. What is bound already was looked after before.
func (c *course) awaitReady() outcome {
	if c.ready() || !slices.ContainsFunc(c.labels, func(l Label) bool { return !c.has(l) }) {
		return settled
	}
	return c.awaitWaypoint()
}

func (c *course) awaitWaypoint() outcome {
	why := c.Evidence.Waypoints[c.ref].Why
	if why == "" {
		why = "it is not Programmed with an address and enough ready pods of its current ReplicaSet"
	}
	return c.wait(MakeGateway, c.ref, time.Time{}, why)
}

func (c *course) ready() bool { return c.gateway != nil && c.Evidence.Waypoints[c.ref].Ready }

// has is whether an object has the label that is planned for it.
func (c *course) has(l Label) bool {
	return slices.ContainsFunc(c.bound, func(b Label) bool { return b.On == l.On })
}

// awaited is what is to be labelled for this waypoint and is not yet.
func (c *course) awaited() []mesh.Ref {
	var out []mesh.Ref
	for _, l := range c.labels {
		on := find(c.snapshot, l.On)
		barred := func(s Stop) bool {
			return slices.ContainsFunc(l.Binds, func(svc mesh.Ref) bool { return c.bars(s, canonical(svc)) })
		}
		if on == nil || on.Terminating || c.has(l) || c.ready() && slices.ContainsFunc(c.out.Stopped, barred) {
			continue
		}
		out = append(out, refOf(on))
	}
	return out
}

// makePolicies sees to our policies of a role for some Services. A policy that cannot be written bars its Services from
// being bound, and nothing else.
func (c *course) makePolicies(role Role, row Row, for_ func(mesh.Ref) bool) outcome {
	for _, p := range c.policies {
		if !p.plays(role) || !slices.ContainsFunc(p.For, for_) || slices.Contains(c.cannot, p.Ref()) {
			continue
		}
		if role == Admission && !c.stored(p) && c.unrepeated(p) {
			c.cannot = append(c.cannot, p.Ref()) // it would let in whom the twin is to keep out
			continue
		}
		switch c.ensure(row, c.withTimes(p), p.Why, c.needsFor(p.For)) {
		case busy:
			return busy
		case stopped:
			c.cannot = append(c.cannot, p.Ref())
		}
	}
	return settled
}

// withTimes is our policy with the time that is written down on it, as long as nothing needs the waypoint.
func (c *course) withTimes(p Policy) map[string]any {
	stored := find(c.snapshot, p.Ref())
	if c.planned != nil && !c.planned.Idle || stored == nil || stored.Annotations[DrainingSinceAnnotation] == "" {
		return p.Manifest
	}
	return noted(p.Manifest, DrainingSinceAnnotation, stored.Annotations[DrainingSinceAnnotation])
}

// awaitPolicies waits until every proxy knows those policies.
func (c *course) awaitPolicies(role Role, row Row, for_ func(mesh.Ref) bool) outcome {
	out := settled
	for _, p := range c.policies {
		if p.plays(role) && slices.ContainsFunc(p.For, for_) && !slices.Contains(c.cannot, p.Ref()) {
			out = max(out, c.converged(row, p.Ref()))
		}
	}
	return out
}

func (c *course) needsFor(services []mesh.Ref) []Need {
	var out []Need
	for _, l := range c.labels {
		if slices.ContainsFunc(services, func(r mesh.Ref) bool { return slices.Contains(l.Binds, r) }) {
			out = append(out, l.Needs...)
		}
	}
	return out
}

// plays is whether a policy is written with those of a role: a copy is with the twins.
func (p Policy) plays(role Role) bool { return p.Role == role || p.Role == Copy && role == Twin }

func anything(mesh.Ref) bool { return true }

// asks is whether a Service asks for this waypoint already, by a label of whoever it is: then it is bound as soon as there is
// a waypoint.
func (c *course) asks(svc mesh.Ref) bool {
	o := find(c.snapshot, svc)
	if o == nil {
		return false
	}
	b := c.snapshot.Binding(o)
	return b.Opt == mesh.Asks && b.Namespace == c.ref.Namespace && b.Name == c.ref.Name
}

// A twin is at whatever waypoint its Service is bound to, and so comes first also where that is another one still.
func (c *course) makeTwinsOfBound() outcome { return c.makePolicies(Twin, MakeTwin, c.bindingOf) }
func (c *course) awaitTwinsOfBound() outcome {
	return max(c.awaitPolicies(Twin, MakeTwin, c.bindingOf), c.awaitTwinsElsewhere(c.asks))
}
func (c *course) makeAdmissionsOfBound() outcome {
	return c.makePolicies(Admission, MakeAdmission, c.asks)
}
func (c *course) awaitAdmissionsOfBound() outcome {
	return c.awaitPolicies(Admission, MakeAdmission, c.asks)
}
func (c *course) makeTwins() outcome { return c.makePolicies(Twin, MakeTwin, anything) }
func (c *course) awaitTwins() outcome {
	return max(c.awaitPolicies(Twin, MakeTwin, anything), c.awaitTwinsElsewhere(anything))
}
func (c *course) makeAdmissions() outcome { return c.makePolicies(Admission, MakeAdmission, anything) }
func (c *course) awaitAdmissions() outcome {
	return c.awaitPolicies(Admission, MakeAdmission, anything)
}
