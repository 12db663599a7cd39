package plan

import (
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// World is all that an order is computed from. Nothing else is remembered between two calls of [Next], so that whoever
// leads next goes on where the last one was killed.
type World struct {
	View     *policies.View // the mesh as it is stored, what is ours in it
	Settings Settings
	Plan     Plan // Make(View, Settings, Evidence.Managed)
	Evidence Evidence
	Now      time.Time

	order *tables // nil is standard()
}

func (w World) tables() tables {
	if w.order == nil {
		return standard()
	}
	return *w.order
}

// Evidence is what the Snapshot does not show. The zero value knows nothing, and with it nothing is ever bound or removed.
// All maps are by [RefOf].
type Evidence struct {
	Managed Managed
	// Versions are the resourceVersions of objects that exist. Without one a step has no precondition on it.
	Versions map[mesh.Ref]string
	// Waypoints say how Gateways do.
	Waypoints map[mesh.Ref]Serving
	// Refused are writes of ours that the API server did not take, and why: a conflict with another field manager, a
	// webhook, a quota. Leave an entry out once one was taken, or nobody wants to write it any more.
	Refused map[mesh.Ref]string
	// RefusedSince is since when each of them is refused, each time that it is tried, as far as whoever leads knows: a new leader begins
	// anew. One that is not there may be taken at the next try.
	RefusedSince map[mesh.Ref]time.Time
	// TakenBack are those of them that the API server took, and which changed nothing of what they are to: something undoes them on the way.
	TakenBack map[mesh.Ref]bool
	// Again are those of them that are to be tried again now, as after a while, or because the object has changed. What stopped is
	// said until such a write is taken.
	Again map[mesh.Ref]bool
	// Direct is up to when a connection to a Service may have been there that did not come by its waypoint, where ztunnel's
	// metrics are read: when one was last seen, at least when reading began. A guard waits until there was none for five minutes.
	Direct map[mesh.Ref]time.Time
	// Metered is as of when that is known: when the newest reading of those metrics began. Of what came after it nothing is known.
	Metered time.Time
	// Unmetered is why that is not known, as a clause; "" where it is. Nothing waits for it then, and what is done is done unverified.
	Unmetered string
	// Unseen is why objects may be there that the Snapshot does not show, or not as they are, by namespace, "" for any. What
	// nothing in the Snapshot needs is not taken away then: something else may need it.
	Unseen map[string]string
	Convergence
}

// Serving is how a waypoint does.
type Serving struct {
	// Ready is whether it is Accepted and Programmed at its generation, has an address, and at least minAvailable pods of
	// its current ReplicaSet are ready.
	Ready bool
	Why   string // why it is not ready, as a clause
	// Down is whether none of its pods is ready, whichever ReplicaSet made them.
	Down bool
	// Unapplied is why istiod has not deployed it as its parameters say, as a clause; "" where it has. Overdue is whether it has had the
	// time to.
	Unapplied string
	Overdue   bool
	// Connections is how many were open, where Counted.
	Connections int
	Counted     bool
	Uncounted   string // why they are not counted, as a clause
	// Counting is whether that is so for now only: they are not counted yet, and whoever counts gives up by himself when it takes too
	// long. Nobody takes that for connections that cannot be counted.
	Counting bool
	// Acknowledged is Convergence.Acknowledged as it was known when that count began. A count is older than what stands beside
	// it: a ztunnel that was behind may have opened another connection since, and then have acknowledged that nothing is bound.
	Acknowledged time.Time
	// LeftBehind are the HorizontalPodAutoscaler and PodDisruptionBudget that istiod made for it and no longer wants.
	LeftBehind []LeftBehind
}

// LeftBehind is an object to be deleted that is in no Snapshot.
type LeftBehind struct {
	Object mesh.Ref
	Preconditions
}

// Convergence says what the proxies run with. Conditions are metadata: the configuration of waypoints and of ztunnels travels
// apart from them, and each at its own pace.
type Convergence struct {
	// Acknowledged is a time: every ztunnel and every ready pod of a waypoint runs with all that was stored up to then.
	// Where that cannot be read, it is the present less PILOT_DEBOUNCE_MAX and five seconds.
	Acknowledged time.Time
	// Away is which proxy keeps that from being later because it does not run with anything at all, and what to do about it, as a clause;
	// "" where each is connected to an istiod.
	Away string
	// Written is when an object took its present state, deletion counted in, as far as the observer has seen it change.
	Written map[mesh.Ref]time.Time
	// Since is when the observer began; what is not in Written has been as it is at least since then.
	Since time.Time
}

// Converged is whether every proxy knows the present state of the object, or its absence.
func (c Convergence) Converged(ref mesh.Ref) bool {
	at, ok := c.Written[ref]
	if !ok {
		at = c.Since
	}
	return c.Acknowledged.After(at)
}
