package plan

import (
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Action is how a step is written.
type Action string

// The actions. All but Delete are one server-side apply of Step.Manifest with our field manager, never forced; it is all
// that we own of the object afterwards, so what it leaves out goes.
const (
	Apply   Action = "Apply"   // an object of ours
	Bind    Action = "Label"   // labels on an object of somebody else's, all in one patch
	Release Action = "Unlabel" // the same, with fewer labels or none
	Delete  Action = "Delete"
)

// Row is which row of the tables in docs/waypoints.md a step belongs to.
type Row string

// The rows, in the order in which they are worked off. A row of Removing is reached only when nothing needs the waypoint.
const (
	Hold           Row = "hold"               // the guard before anything else, where a target may be closed while it waits
	MakeParameters Row = "make-parameters"    // the ConfigMap that the Gateway refers to
	MakeGateway    Row = "make-gateway"       // the Gateway: nothing refers to it yet
	MakeTwin       Row = "make-twin"          // what a policy says of clients, said at the waypoint
	MakeAdmission  Row = "make-admission"     // the waypoint let in at ztunnel
	MakeBinding    Row = "make-binding"       // the label
	MakeCanary     Row = "make-canary"        // a share of the connections for the waypoint to which an object moves
	RollBack       Row = "roll-back"          // that share taken back
	MakeIngress    Row = "make-ingress"       // the label for ingress gateways
	MakeGuard      Row = "make-guard"         // nobody else let in at ztunnel
	Keep           Row = "keep"               // a need came back: what was written down for removal goes
	Retain         Row = "remove-retain"      // since when nothing needs the waypoint is written down
	RemoveGuard    Row = "remove-guard"       // also of what has lost its binding, or of which another way in is known
	RemoveIngress  Row = "remove-ingress"     // where the profile no longer asks for it
	RemoveBinding  Row = "remove-binding"     // the label, or what is left of ours on an object
	Drain          Row = "remove-drain"       // since when nothing is bound is written down
	RemoveAdmit    Row = "remove-admission"   // never the last ALLOW over a pod
	RemoveTwin     Row = "remove-twin"        // when no connection rests on it
	RemoveGateway  Row = "remove-gateway"     // by its UID and resourceVersion
	RemoveParams   Row = "remove-parameters"  // of a Gateway that is gone
	RemoveLeft     Row = "remove-left-behind" // the HPA and PDB that istiod leaves behind
)

// Step is one write. It is safe to repeat, and safe to stop after.
type Step struct {
	Action Action   `json:"action"`
	Row    Row      `json:"row"`
	Object mesh.Ref `json:"object"`
	// Manifest is what to apply; nil for Delete.
	Manifest map[string]any `json:"manifest,omitempty"`
	// Preconditions must hold for the write; Delete always has some.
	Preconditions Preconditions `json:"preconditions"`
	Why           string        `json:"why"`
	Needs         []Need        `json:"needs,omitempty"`
	// Differs is the first field of the stored object that is another one than the manifest says, as a clause; "" where there is none, as
	// of an object that is to be made.
	Differs string `json:"differs,omitempty"`
}

// Preconditions are what the object must still be. An empty one is not asked for; an empty UID on Apply means that the object
// is to be made.
type Preconditions struct {
	UID             string `json:"uid,omitempty"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

// Wait is what a waypoint waits for before its next step.
type Wait struct {
	Row    Row      `json:"row"` // of the step that was done, or is to come
	Object mesh.Ref `json:"object"`
	// Until is when to look again at the latest; zero where an event ends the wait.
	Until time.Time `json:"until,omitzero"`
	Why   string    `json:"why"`
}

// Stop is what somebody has to decide before anything goes on.
type Stop struct {
	Row    Row      `json:"row"`
	Object mesh.Ref `json:"object"`
	// Why is consequence: cause. remedy.
	Why string `json:"why"`
	// Manifest is what to commit, where a step is somebody else's to take.
	Manifest map[string]any `json:"manifest,omitempty"`
}

// Course is where one waypoint is: at most one step to take now, else what it waits for or stopped at. With none of
// them it serves as planned, if its pods do. Beside what stopped there may be a step, which tries again what was refused.
type Course struct {
	Waypoint mesh.Ref `json:"waypoint"`
	Needs    []Need   `json:"needs"` // why it exists; none while it is removed
	Removing bool     `json:"removing"`
	Step     *Step    `json:"step,omitempty"`
	Waiting  []Wait   `json:"waiting,omitempty"`
	Stopped  []Stop   `json:"stopped,omitempty"`
	// Unready is why fewer of its pods are ready than there are to be, as a clause, though something is bound to it. Down is whether none
	// is: who calls what is bound to it then gets no answer.
	Unready string `json:"unready,omitempty"`
	Down    bool   `json:"down,omitempty"`
	// Unapplied is why istiod has not deployed it as its parameters say, as a clause. Overdue is whether it has had the time to.
	Unapplied string `json:"unapplied,omitempty"`
	Overdue   bool   `json:"overdue,omitempty"`
	// Awaited is what is to be bound to it and is not yet; without what somebody has to decide about first, once the waypoint is ready.
	Awaited []mesh.Ref `json:"awaited,omitempty"`
	// Unguarded says for what a guard is asked for that would close a known way, so that there is none.
	Unguarded []Notice `json:"unguarded,omitempty"`
	// Shut says what is closed to everybody while it waits for the waypoint, though nobody agreed to that and its pods are ready now.
	Shut []Notice `json:"shut,omitempty"`
}

// Progress is where all waypoints are, sorted by namespace and name. No two steps of one Progress depend on each other.
type Progress []Course

// Steps are the steps to take now.
func (p Progress) Steps() []Step {
	var out []Step
	for _, c := range p {
		if c.Step != nil {
			out = append(out, *c.Step)
		}
	}
	return out
}

// Done is whether nothing is left to do or to wait for. What stopped does not count: nothing goes on by itself there.
func (p Progress) Done() bool {
	for _, c := range p {
		if c.Step != nil || len(c.Waiting) > 0 {
			return false
		}
	}
	return true
}

// Next is when to look again at the latest; zero where only an event changes anything.
func (p Progress) Next() time.Time {
	var out time.Time
	for _, c := range p {
		for _, w := range c.Waiting {
			if !w.Until.IsZero() && (out.IsZero() || w.Until.Before(out)) {
				out = w.Until
			}
		}
	}
	return out
}
