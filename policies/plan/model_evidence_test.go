package plan

import (
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// evidence is what a controller knows of proxies: what it was told when it asked last. It asks for what they have acknowledged at some
// times, and for what they count at others, so that what it is told does not belong together.
type evidence struct {
	acknowledged time.Time
	counted      map[mesh.Ref]Serving
	ready        map[mesh.Ref]bool
	looked       time.Time              // at what is ready
	missed       map[mesh.Ref]time.Time // since when a waypoint has not said what it counts
}

// metering is whether a waypoint says how many connections are open through it.
type metering int

const (
	answers     metering = iota
	unanswering          // it does not answer
	mute                 // it does not count them
)

// countWithin is how long one that does not answer is waited for.
const countWithin = 40 * time.Second

// through are how many connections are open, by waypoint.
func (m *model) through() map[mesh.Ref]int {
	out := map[mesh.Ref]int{}
	for _, c := range m.live {
		if c.waypoint != "" {
			ns, name, _ := cutKey(c.waypoint)
			out[RefOf(mesh.Gateway, ns, name)]++
		}
	}
	return out
}

// counts are what the waypoints count now, by one who knows up to when all was acknowledged, and has waited for those that do not answer.
func (m *model) counts(acknowledged time.Time) map[mesh.Ref]Serving {
	out, open := map[mesh.Ref]Serving{}, m.through()
	for _, gw := range m.gateways() {
		ref := refOf(gw)
		if m.meters[gw.Key()] == answers {
			out[ref] = Serving{Counted: true, Acknowledged: acknowledged, Connections: open[ref]}
		} else {
			out[ref] = Serving{Uncounted: "its pods do not say"}
		}
	}
	return out
}

// read is a controller that reads what the waypoints count. Of one that does not answer one pod may have answered, by which connections are
// open; that there are none it does not say.
func (m *model) read() {
	counts, open, missed := m.counts(m.known.acknowledged), m.through(), map[mesh.Ref]time.Time{}
	for _, gw := range m.gateways() {
		ref := refOf(gw)
		if m.meters[gw.Key()] != unanswering {
			continue
		}
		since, was := m.known.missed[ref]
		if !was {
			since = m.now
		}
		missed[ref] = since
		switch late := m.now.Sub(since) >= countWithin; {
		case open[ref] > 0 && m.fickle.IntN(2) == 0:
			counts[ref] = Serving{Counted: true, Connections: 1, Acknowledged: m.known.acknowledged}
		case !late:
			counts[ref] = Serving{Counting: true, Uncounted: "its pods do not answer"}
		}
	}
	m.known.counted, m.known.missed = counts, missed
}

// asKnown is a world as the controller knows it, which may ask anew before, in either order.
func (m *model) asKnown(w World) World {
	count := func() {
		if m.lag.IntN(2) == 0 {
			m.read()
		}
	}
	first := m.lag.IntN(2) == 0
	if first {
		count()
	}
	if m.lag.IntN(3) > 0 {
		m.known.acknowledged = m.acknowledged()
	}
	if !first {
		count()
	}
	if m.known.ready == nil || !m.unsteady || m.fickle.IntN(2) == 0 {
		m.known.ready, m.known.looked = map[mesh.Ref]bool{}, m.now
		for ref, serving := range w.Evidence.Waypoints {
			m.known.ready[ref] = serving.Ready
		}
	}
	w.Evidence.Acknowledged = m.known.acknowledged
	for ref := range w.Evidence.Waypoints {
		counted, read := m.known.counted[ref]
		if !read {
			counted = Serving{Counting: true, Uncounted: "it was not read yet"}
		}
		counted.Ready = m.known.ready[ref]
		w.Evidence.Waypoints[ref] = counted
	}
	return w
}

// shaky is what happens to waypoints besides: pods that fail or become ready, and that stop saying what they count, or begin to.
func (m *model) shaky() {
	switch n := m.fickle.IntN(60); {
	case n < 4:
		m.readies()
	case n < 7:
		if all := m.gateways(); len(all) > 0 {
			gw := all[m.fickle.IntN(len(all))].Key()
			m.meters[gw] = metering(m.fickle.IntN(3))
			m.note("waypoint %s counts: %d", gw, m.meters[gw])
		}
	}
}

// timesOut notes a step that takes something from a waypoint whose connections are not counted, when the time is over that they are given.
func (m *model) timesOut(s Step, stored *mesh.Object) {
	if stored == nil || s.Action != Delete {
		return
	}
	ns, name, ok := cutKey(stored.Annotations[WaypointAnnotation])
	if !ok {
		ns, name = stored.Namespace, stored.Name
	}
	gw := m.decided.world.View.Get(mesh.Gateway, ns, name)
	if gw == nil {
		return
	}
	at, ok := since(gw, DrainingSinceAnnotation)
	serving := m.decided.world.Evidence.Waypoints[refOf(gw)]
	if ok && !serving.Counted && !serving.Counting && !m.now.Before(at.Add(m.setting.Profile.limit())) {
		m.timed[gw.Key()] = true
	}
}
