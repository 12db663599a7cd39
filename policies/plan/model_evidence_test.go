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
}

// counts are what the waypoints count now, by one who knows up to when all was acknowledged.
func (m *model) counts(acknowledged time.Time) map[mesh.Ref]Serving {
	out := map[mesh.Ref]Serving{}
	for _, gw := range m.gateways() {
		out[refOf(gw)] = Serving{Counted: true, Acknowledged: acknowledged}
	}
	for _, c := range m.live {
		if c.waypoint != "" {
			ns, name, _ := cutKey(c.waypoint)
			ref := RefOf(mesh.Gateway, ns, name)
			serving := out[ref]
			serving.Connections++
			out[ref] = serving
		}
	}
	return out
}

// asKnown is a world as the controller knows it, which may ask anew before, in either order.
func (m *model) asKnown(w World) World {
	count := func() {
		if m.lag.IntN(2) == 0 {
			m.known.counted = m.counts(m.known.acknowledged)
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
	w.Evidence.Acknowledged = m.known.acknowledged
	for ref, serving := range w.Evidence.Waypoints {
		counted := m.known.counted[ref]
		counted.Ready, counted.Counted = serving.Ready, true
		w.Evidence.Waypoints[ref] = counted
	}
	return w
}
