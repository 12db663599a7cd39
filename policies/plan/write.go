package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// outcome is what became of a row of the tables: whether the next row may be looked at.
type outcome int

const (
	settled outcome = iota // nothing to do here
	busy                   // a step is taken, or something has to be waited for
	stopped                // somebody has to decide
)

// ensure sees to an object of ours. needs and why are for the step.
func (c *course) ensure(row Row, manifest map[string]any, why string, needs []Need) outcome {
	manifest = sealed(manifest)
	ref := refIn(manifest)
	stored := find(c.snapshot, ref)
	switch {
	case stored == nil:
	case !c.Evidence.Managed.Made(stored):
		return c.stop(row, ref, manifest, fmt.Sprintf("%s is not made: one of that name is there that is somebody else's. Rename or delete it.", ref))
	case stored.Terminating:
		return c.wait(row, ref, time.Time{}, "it is being deleted, and made again after that")
	case applied(stored, manifest):
		return settled
	}
	return c.step(Step{Action: Apply, Row: row, Object: ref, Manifest: manifest, Preconditions: c.preconditions(stored), Why: why, Needs: needs})
}

// step takes a step. One that the API server refused, or that is undone on the way, stops what rests on it, also while it is tried again: if
// nothing else is to be written, and for as long as it is not taken.
func (c *course) step(s Step) outcome {
	if stored := find(c.snapshot, s.Object); stored != nil && s.Manifest != nil {
		s.Differs = differs(s.Manifest, stored.Content(), "")
	}
	why, refused := c.Evidence.Refused[s.Object]
	if !refused {
		c.out.Step = &s
		return busy
	}
	if c.Evidence.Again[s.Object] && c.out.Step == nil {
		c.out.Step = &s
	}
	if c.Evidence.TakenBack[s.Object] {
		return c.stop(s.Row, s.Object, nil, takenBackSays(&s))
	}
	return c.stop(s.Row, s.Object, s.Manifest, "the API server refused it: "+why)
}

// takenBackSays says that a write is undone before it is stored. To commit the manifest would change nothing about that.
func takenBackSays(s *Step) string {
	what := s.Differs
	if what == "" {
		what = "what is to go is there again"
	}
	return fmt.Sprintf("%s is not as it was written: %s. An admission webhook changes it on the way, which the API server does not name, or somebody changes it back at once. Look through the MutatingWebhookConfigurations and who else writes it, and have them leave it alone.", s.Object, what)
}

func (c *course) wait(row Row, on mesh.Ref, until time.Time, why string) outcome {
	c.out.Waiting = append(c.out.Waiting, Wait{row, on, until, why})
	return busy
}

func (c *course) stop(row Row, on mesh.Ref, manifest map[string]any, why string) outcome {
	if !slices.ContainsFunc(c.out.Stopped, func(s Stop) bool { return s.Row == row && s.Object == on && s.Why == why }) { // one may be said early
		c.out.Stopped = append(c.out.Stopped, Stop{row, on, why, manifest})
	}
	return stopped
}

// delete deletes an object of ours as it is now, and nothing else of its name.
func (c *course) delete(row Row, o *mesh.Object, why string) outcome {
	if o.Terminating {
		return c.wait(row, refOf(o), time.Time{}, "it is being deleted")
	}
	return c.step(Step{Action: Delete, Row: row, Object: refOf(o), Preconditions: c.preconditions(o), Why: why})
}

// converged waits until every proxy knows the present state of an object, or its absence.
func (c *course) converged(row Row, on mesh.Ref) outcome {
	if c.Evidence.Converged(on) {
		return settled
	}
	why := "not every ztunnel and waypoint has acknowledged it"
	if c.Evidence.Away != "" {
		why += ": " + c.Evidence.Away
	}
	return c.wait(row, on, time.Time{}, why)
}

func (o *order) preconditions(stored *mesh.Object) Preconditions {
	if stored == nil {
		return Preconditions{}
	}
	return Preconditions{UID: stored.UID, ResourceVersion: o.Evidence.Versions[refOf(stored)]}
}

func refIn(manifest map[string]any) mesh.Ref {
	kind, _ := mesh.KindOf(manifest["apiVersion"].(string), manifest["kind"].(string))
	metadata := manifest["metadata"].(map[string]any)
	ns, _ := metadata["namespace"].(string)
	return RefOf(kind, ns, metadata["name"].(string))
}
