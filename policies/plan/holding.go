package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// hold closes what waits for its waypoint, where its owner agreed, or nobody is served yet. It is the guard itself, so that nothing
// opens between the two. Where the way to the waypoint has stopped nothing is closed without agreement that is not closed already: it
// would be closed each time that the last pod fails, and opened when the next one is ready.
func (c *course) hold() outcome {
	waiting := slices.DeleteFunc(c.guardsOf(), func(p Policy) bool { return p.Held == "" || !c.waits(p.For[0]) })
	anew := func(p Policy) bool { return p.Held == unservedHold && !c.stored(p) }
	var stops []Stop
	if slices.ContainsFunc(waiting, anew) {
		stops = c.ahead()
	}
	for _, p := range waiting {
		if anew(p) && slices.ContainsFunc(stops, func(s Stop) bool { return c.bars(s, p.For[0]) }) {
			continue
		}
		if out := c.ensure(Hold, p.Manifest, holdSays[p.Held], c.needsFor(p.For)); out == busy {
			return busy
		}
	}
	return settled
}

var holdSays = map[string]string{
	agreedHold:   "it waits for its waypoint, and its owner agreed that it is closed until then",
	unservedHold: "it waits for its waypoint, and no endpoint of it is ready, so that nobody is cut off",
}

// endHolds says which Services are shut to whom nobody agreed to shut out: those of which no endpoint was ready when they were
// closed, and some are now. They stay closed as long as their waypoint is on its way, which is what they were closed for. Where
// that has stopped they are opened: for how long it would be is for somebody to decide. A write that was refused is tried again, and
// so is on its way, until it is refused for longer than patience.
func (c *course) endHolds() {
	for _, p := range c.guardsOf() {
		svc := find(c.snapshot, p.For[0])
		if p.Held != unservedHold || svc == nil || !c.stored(p) || !c.waits(p.For[0]) {
			continue
		}
		if ready, known := c.snapshot.ReadyEndpoints(svc); !known || ready == 0 {
			continue
		}
		c.out.Shut = append(c.out.Shut, Notice{svc.Ref(), ClassShut, fmt.Sprintf("nobody gets in to it until waypoint %s serves, and its pods are ready: it was closed when none of them was, without its owner's agreement. Agree to it with annotation %s, or have the Guardrail say pending: Open.", c.ref.Name, HoldAnnotation)})
		ends := slices.ContainsFunc(c.out.Stopped, func(s Stop) bool {
			return !c.mayBeTaken(s.Object) && c.bars(s, p.For[0])
		})
		if ends && c.out.Step == nil {
			c.delete(RemoveGuard, find(c.snapshot, p.Ref()), "its pods are ready, nobody agreed that it is closed, and what it waits for has stopped")
		}
	}
}

// patience is for how long a write can be refused before nobody waits for it any more with a Service shut: long enough for a webhook that
// is rolled out or a quota that is raised, and tried five times in it.
const patience = 15 * time.Minute

// mayBeTaken is whether a write was refused and is tried again in good time.
func (c *course) mayBeTaken(ref mesh.Ref) bool {
	if _, refused := c.Evidence.Refused[ref]; !refused {
		return false
	}
	since, known := c.Evidence.RefusedSince[ref]
	return !known || c.Now.Sub(since) < patience
}

// ahead is what stops the waypoint, as far as it is found without anything being closed anew.
func (c *course) ahead() []Stop {
	look := *c
	look.out, look.cannot = Course{Waypoint: c.ref}, nil
	look.follow(slices.DeleteFunc(slices.Clone(c.tables().making), func(s stage) bool { return s.name == "hold" }))
	return look.out.Stopped
}

// bars is whether a stop keeps a Service from its waypoint: one of the waypoint itself, of a policy for the Service, or of the label
// that is to bind it. What stops another Service does not.
func (c *course) bars(s Stop, svc mesh.Ref) bool {
	switch s.Row {
	case MakeParameters, MakeGateway:
		return true
	case MakeTwin, MakeAdmission:
		return slices.ContainsFunc(c.policies, func(p Policy) bool { return p.Ref() == s.Object && slices.Contains(p.For, svc) })
	case MakeCanary, MakeBinding:
		return c.gateway == nil || slices.ContainsFunc(c.labels, func(l Label) bool { // where there is no Gateway, none is made
			return canonical(l.On) == s.Object && slices.ContainsFunc(l.Binds, func(b mesh.Ref) bool { return canonical(b) == svc })
		})
	}
	return false
}
