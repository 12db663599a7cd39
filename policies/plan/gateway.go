package plan

import (
	"maps"
	"slices"
	"time"
)

// makeGateway makes the Gateway. It takes off again what was noted for a removal that a need has cancelled.
func (c *course) makeGateway() outcome {
	if out := c.keepLabels(); out != settled || c.planned.Existing {
		return out
	}
	if c.planned.profile.Missing {
		return c.keepAsMade()
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
