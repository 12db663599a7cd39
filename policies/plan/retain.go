package plan

import (
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Times are written down on what is ours, so that a restart does not start them again: on the Gateway, and where that is somebody else's,
// on what goes last of what they are about. Since when nothing needs it is beside each label of ours: nothing else is there as long as anything is bound.

// retain writes down since when nothing needs the waypoint, and waits. Where nothing is bound any more, as after a move, it is
// over.
func (c *course) retain() outcome {
	if len(c.bound) == 0 {
		return settled
	}
	at, ok := since(c.gateway, UnneededSinceAnnotation)
	switch {
	case !c.ours():
		var out outcome
		if at, out = c.unneededSince(); out != settled {
			return out
		}
	case !ok:
		return c.ensure(Retain, noted(manifestOf(c.gateway), UnneededSinceAnnotation, instant(c.Now)), "nothing needs it any more"+c.fading(), nil)
	}
	if until := at.Add(c.setting().Profile.RetainFor); c.Now.Before(until) {
		return c.wait(Retain, c.ref, until, "nothing needs it since "+at.UTC().Format(time.RFC3339)+c.fading())
	}
	return settled
}

// unneededSince is since when nothing needs a waypoint of somebody else's, by what is written beside all of our labels: one that has gone
// takes no time with it. Where it is not written beside one, it is now.
func (c *course) unneededSince() (last time.Time, out outcome) {
	for _, l := range c.bound {
		on := find(c.snapshot, l.On)
		if on.Terminating || c.Settings.Of(on.Home()).Mode != Provision {
			continue
		}
		at, ok := since(on, UnneededSinceAnnotation)
		if !ok {
			manifest := noted(c.relabel(on, c.labelsOn(on)), UnneededSinceAnnotation, instant(c.Now))
			return last, c.step(Step{Action: Bind, Row: Retain, Object: refOf(on), Manifest: manifest, Preconditions: c.preconditions(on),
				Why: "nothing needs its waypoint any more" + c.fading()})
		}
		if at.After(last) {
			last = at
		}
	}
	return last, settled
}

// keepLabels takes off again what was noted beside labels for a removal that a need has cancelled.
func (c *course) keepLabels() outcome {
	for _, l := range c.labels {
		on := find(c.snapshot, l.On)
		if on == nil || on.Terminating || !c.has(l) {
			continue
		}
		if _, unneeded := since(on, UnneededSinceAnnotation); !unneeded {
			continue
		}
		if out := c.step(Step{Action: Bind, Row: Keep, Object: refOf(on), Manifest: c.relabel(on, c.labelsOn(on)),
			Preconditions: c.preconditions(on), Why: "its waypoint is needed again", Needs: l.Needs}); out == busy {
			return busy
		}
	}
	return settled
}

// labelsOn are the labels of ours that an object has.
func (o *order) labelsOn(on *mesh.Object) map[string]string {
	out := map[string]string{}
	for _, key := range o.Evidence.Managed.Labelled(on) {
		out[key] = on.Labels[key]
	}
	return out
}

// ledger is the object of ours on which it is written down since when nothing is bound: the Gateway, else the policy that goes last.
func (c *course) ledger() *mesh.Object {
	if c.ours() {
		return c.gateway
	}
	var last *mesh.Object
	for _, role := range []Role{Admission, Twin, Copy} {
		for _, o := range c.own {
			if Role(o.Annotations[RoleAnnotation]) == role {
				last = o
			}
		}
	}
	return last
}

// drainingSince is since when nothing is bound. Where there is nothing of ours to write it on it counts as long ago.
func (c *course) drainingSince() (time.Time, bool) {
	o := c.ledger()
	if o == nil {
		return time.Time{}, true
	}
	return since(o, DrainingSinceAnnotation)
}
