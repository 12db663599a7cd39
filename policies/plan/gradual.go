package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"istio.io/api/annotation"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A move can go by steps: with each one a larger share of the connections takes the new waypoint, until its label takes the place of
// the old one's. That is Istio's canary (ambient/waypoints.go buildWeightedWaypoints): ztunnel draws lots for each connection, between
// the waypoint of an object and its canary, which are both written on it. Everything that has to stand beside a label is there for
// both before the first step, and taking a step back is one write. Pods that are called by their address have no canary; they move
// with the label.

// share is one step: how much of it, and for how long.
type share struct {
	weight int
	hold   time.Duration
	timed  bool // else it is held until somebody says that it may go on
}

// shares reads StepsAnnotation. The error is a clause.
func shares(text string) ([]share, error) {
	if text == "" {
		return nil, nil
	}
	var out []share
	for part := range strings.SplitSeq(text, ",") {
		weight, hold, timed := strings.Cut(strings.TrimSpace(part), "/")
		n, err := strconv.Atoi(weight)
		if err != nil || n < 1 || n > 100 || len(out) > 0 && n <= out[len(out)-1].weight {
			return nil, fmt.Errorf("%q is no percentage from 1 to 100 that is higher than the one before", weight)
		}
		s := share{weight: n, timed: timed}
		if timed {
			if s.hold, err = time.ParseDuration(hold); err != nil || s.hold < 0 {
				return nil, fmt.Errorf("%q is no length of time such as 10m", hold)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// WrongSteps says what is wrong with a StepsAnnotation, as a clause; nil where it is well formed, or empty.
func WrongSteps(text string) error {
	_, err := shares(text)
	return err
}

// stepsOf are the shares by which an object moves here from the waypoint to which it is bound, none for one move; why is why it does
// not move.
func (c *course) stepsOf(l Label, on *mesh.Object) (from *mesh.Object, steps []share, why string) {
	was, ok := storedLabel(c.Evidence.Managed, on)
	if !ok || was.Waypoint() == c.ref || misled(c.Evidence.Managed, on, was) {
		return nil, nil, ""
	}
	at := was.Waypoint()
	if from = c.snapshot.Get(mesh.Gateway, at.Namespace, at.Name); from == nil || !mesh.Ready(from) {
		return nil, nil, "" // nothing goes by it that could be shared out
	}
	text, where := from.Annotations[StepsAnnotation], from.String()
	if text == "" {
		p := c.Settings.Of(home(l.On)).Profile
		text, where = p.Steps, "WaypointProfile "+nameOf(p)
	}
	steps, err := shares(text)
	switch v := c.snapshot.Settings().Version; {
	case err != nil:
		return from, nil, fmt.Sprintf("%s does not move: annotation %s of %s is %q, and %s. Correct it, or remove it to move at once.", on, StepsAnnotation, where, text, err)
	case len(steps) > 0 && !v.AtLeast(1, 31, 0):
		return from, nil, fmt.Sprintf("%s does not move: annotation %s of %s asks for steps, and Istio %s knows no canary of a waypoint, which came with 1.31. Remove it to move at once.", on, StepsAnnotation, where, v)
	}
	return from, steps, ""
}

// refuseSteps stops a move by steps that cannot be taken, or of which nothing could go on, before anything is made for it.
func (c *course) refuseSteps() outcome {
	if c.gateway != nil {
		return settled
	}
	for _, l := range c.labels {
		on := find(c.snapshot, l.On)
		if on == nil {
			continue
		}
		if _, _, why := c.stepsOf(l, on); why != "" {
			return c.stop(MakeCanary, refOf(on), nil, why)
		}
	}
	return c.refuseMoves()
}

// refuseMoves stops where everything that is to be bound here would have to leave something behind.
func (c *course) refuseMoves() outcome {
	if len(c.labels) == 0 || slices.ContainsFunc(c.labels, func(l Label) bool { return c.left(l) == "" }) {
		return settled
	}
	for _, l := range c.labels {
		c.stop(MakeBinding, canonical(l.On), nil, c.left(l))
	}
	return stopped
}

// awaitKnown waits until every proxy knows the waypoint as it is, where something that is bound is to move to it. Between kinds there is
// no order: whoever sees the label first, and the address later, sends straight to the pods meanwhile. Of what has a share here already
// approach asks that, when its hold is over: as long as it is held, nothing is to be written that the Gateway could be too new for.
func (c *course) awaitKnown() outcome {
	for _, l := range c.labels {
		on := find(c.snapshot, l.On)
		if on == nil || c.has(l) || c.standingOf(on).weight > 0 || !slices.ContainsFunc(l.Binds, c.boundAt) {
			continue
		}
		if out := c.known(on); out != settled {
			return out
		}
	}
	return settled
}

// known waits until every proxy knows the waypoint, before a label on an object is changed for it. It does not where the API server
// refuses the label: then that is said, and not by turns that and this.
func (c *course) known(on *mesh.Object) outcome {
	_, refused := c.Evidence.Refused[refOf(on)]
	if c.Evidence.Converged(c.ref) || refused && !c.Evidence.Again[refOf(on)] {
		return settled
	}
	return c.wait(MakeBinding, c.ref, time.Time{}, "not every ztunnel has acknowledged its address, and what is bound elsewhere would be called round both")
}

// approach takes the steps before the label of an object is replaced. It is settled when that may be.
func (c *course) approach(l Label, on *mesh.Object) outcome {
	from, steps, why := c.stepsOf(l, on)
	if why != "" {
		return c.stop(MakeCanary, refOf(on), nil, why)
	}
	at := c.standingOf(on)
	switch {
	case from != nil && at.weight == 0 && takenOff(c.Evidence.Managed, on):
		return c.stop(MakeCanary, refOf(on), nil, fmt.Sprintf("%s stays at waypoint %s: somebody has taken off the label by which a share of its connections took waypoint %s. Have it not move, as by removing annotation %s of %s, or remove annotation %s of %s to begin again.",
			on, from.Name, c.ref.Name, MigrateAnnotation, from, CanarySinceAnnotation, on))
	case len(steps) == 0 && at.weight == 0:
		return settled
	case len(steps) == 0:
		return c.known(on)
	}
	i := slices.IndexFunc(steps, func(s share) bool { return s.weight > at.weight })
	if i < 0 {
		i = len(steps)
	}
	if at.weight > 0 {
		held := steps[max(0, i-1)]
		if i == len(steps) && held.weight < at.weight {
			held = share{weight: at.weight} // the steps were lowered since: nothing of theirs says that all may move
		}
		if out := c.holdStep(on, from, held); out != settled {
			return out
		}
		if out := c.known(on); out != settled {
			return out
		}
	}
	if i == len(steps) {
		return settled
	}
	return c.hand(l, on, from, steps[i])
}

// holdStep waits with a share: until every proxy knows it, it is attached, and its time is over or somebody lets it go on.
func (c *course) holdStep(on, from *mesh.Object, step share) outcome {
	now := c.standingOf(on)
	if out := c.converged(MakeCanary, refOf(on)); out != settled {
		return out
	}
	sharing := []*mesh.Object{on}
	if on.Kind == mesh.Namespace {
		sharing = c.snapshot.Inheriting(on.Name)
	}
	for _, o := range sharing {
		if canary := c.snapshot.Canary(o); canary.Reason != "" && canary.On == on {
			return c.wait(MakeCanary, refOf(o), c.Now.Add(blindness), fmt.Sprintf("istiod does not send it to the canary %s: %s", c.ref, canary.Reason))
		}
	}
	switch until := now.since.Add(step.hold); {
	case step.weight != now.weight: // the steps were changed: it goes on from where it is
	case step.timed && c.Now.Before(until):
		return c.wait(MakeCanary, refOf(on), until, fmt.Sprintf("%d%% of its connections take waypoint %s until %s", now.weight, c.ref.Name, until.UTC().Format(time.RFC3339)))
	case !step.timed && goes(from) < now.weight:
		return c.wait(MakeCanary, refOf(on), now.since.Add(forever), fmt.Sprintf("%d%% of its connections take waypoint %s until annotation %s of %s is %d%s", now.weight, c.ref.Name, GoAnnotation, from, now.weight, overSays(from)))
	}
	return settled
}

// forever is how long nobody is asked for who waits for a person: an event ends the wait.
const forever = 24 * 365 * time.Hour

// goes is up to which share somebody lets a move away from a waypoint go on. It is said of that one move, and so on the Gateway that is
// left: on a profile it would outlast the move, and let all that come after go on unasked.
func goes(from *mesh.Object) int {
	n, err := strconv.Atoi(goOf(from))
	if err != nil || overSays(from) != "" {
		return 0
	}
	return n
}

func goOf(gw *mesh.Object) string { return strings.TrimSpace(gw.Annotations[GoAnnotation]) }

// overSays says of a waypoint that is left that what lets a move go on there was said before this one; "" where it was not.
func overSays(from *mesh.Object) string {
	if over := from.Annotations[GoOverAnnotation]; over == "" || over != goOf(from) {
		return ""
	}
	return "; what it says was there before this move, and does not count: take it off first"
}

// goOver is what is to be written down of GoAnnotation on the waypoint: all that it says while nothing moves away, and of that, when something
// does, what it still says.
func (c *course) goOver() string {
	if c.gateway == nil || goOf(c.gateway) == "" {
		return ""
	}
	moves := c.gateway.Annotations[MigrateAnnotation] != "" || slices.ContainsFunc(c.labels, func(l Label) bool {
		_, shares := storedCanary(c.Evidence.Managed, find(c.snapshot, l.On))
		return shares
	})
	if moves && overSays(c.gateway) == "" {
		return ""
	}
	return goOf(c.gateway)
}

// forgetGo takes off, while something moves away, what was written down of a GoAnnotation that says something else since, or nothing: what is
// said from now on is said of this move.
func (c *course) forgetGo() outcome {
	if !c.ours() || c.gateway.Annotations[GoOverAnnotation] == "" || overSays(c.gateway) != "" {
		return settled
	}
	manifest := manifestOf(c.gateway)
	delete(manifest["metadata"].(map[string]any)["annotations"].(map[string]any), GoOverAnnotation)
	return c.ensure(Keep, manifest, "what lets a move go on was said anew, or taken off", nil)
}

// hand writes a share of the connections down on an object.
func (c *course) hand(l Label, on, from *mesh.Object, s share) outcome {
	was, _ := storedLabel(c.Evidence.Managed, on)
	labels := c.allLabels(Label{Key: was.Key, Value: was.Value, WaypointNamespace: was.WaypointNamespace, Ingress: true}, on)
	labels[label.IoIstioUseWaypointCanary.Name] = c.ref.Name
	if _, stands := on.Labels[label.IoIstioUseWaypointCanaryNamespace.Name]; stands || l.WaypointNamespace != "" {
		labels[label.IoIstioUseWaypointCanaryNamespace.Name] = l.Waypoint().Namespace // whoever wrote it, it counts beside ours
	}
	manifest := noted(c.relabel(on, labels), annotation.IoIstioUseWaypointCanaryWeight.Name, strconv.Itoa(s.weight))
	manifest = noted(manifest, CanarySinceAnnotation, instant(c.Now))
	return c.step(Step{Action: Bind, Row: MakeCanary, Object: refOf(on), Manifest: manifest, Preconditions: c.preconditions(on), Needs: l.Needs,
		Why: fmt.Sprintf("%d%% of its connections are to take waypoint %s, and the others %s", s.weight, c.ref.Name, from.Name)})
}

// standing is the share that an object has, and since when.
type standing struct {
	weight int
	since  time.Time
}

// standingOf is the share of this waypoint as it is written on an object, the zero value where it is not its canary.
func (c *course) standingOf(on *mesh.Object) standing {
	if at, ok := storedCanary(c.Evidence.Managed, on); !ok || at != c.ref {
		return standing{}
	}
	weight, err := strconv.Atoi(on.Annotations[annotation.IoIstioUseWaypointCanaryWeight.Name])
	at, ok := since(on, CanarySinceAnnotation)
	if err != nil || !ok {
		return standing{}
	}
	return standing{weight, at}
}

// takenOff is whether somebody has taken the label of a canary off an object, as who rolls back by hand does: our note of it is left. It is
// not set again by itself: whoever saw calls fail at the new waypoint is not to see them fail again a moment later.
func takenOff(managed Managed, on *mesh.Object) bool {
	_, noted := since(on, CanarySinceAnnotation)
	return noted && on.Labels[label.IoIstioUseWaypointCanary.Name] == "" && len(managed.Labelled(on)) > 0
}

// rollBack takes back the canaries of objects that are to stay where they are, each with one write, and the note of one that somebody has
// taken off.
func (c *course) rollBack() outcome {
	for _, l := range c.labels {
		on := find(c.snapshot, l.On)
		if on == nil || on.Terminating || !c.has(l) {
			continue
		}
		why := "its canary is taken off, and only our note of it is left"
		if at, ok := storedCanary(c.Evidence.Managed, on); ok {
			why = fmt.Sprintf("it is no longer to move to waypoint %s", at.Name)
		} else if !takenOff(c.Evidence.Managed, on) {
			continue
		}
		l.Ingress = true // where that is taken back, it is by a step of its own
		if out := c.step(Step{Action: Bind, Row: RollBack, Object: refOf(on), Manifest: c.relabel(on, c.allLabels(l, on)),
			Preconditions: c.preconditions(on), Why: why, Needs: l.Needs}); out == busy {
			return busy
		}
	}
	return settled
}

// storedCanary is the waypoint that labels of ours on an object make its canary.
func storedCanary(managed Managed, o *mesh.Object) (mesh.Ref, bool) {
	if !slices.Contains(managed.Labelled(o), label.IoIstioUseWaypointCanary.Name) {
		return mesh.Ref{}, false
	}
	ns, ok := o.Labels[label.IoIstioUseWaypointCanaryNamespace.Name]
	if !ok {
		ns = o.Home()
	}
	return RefOf(mesh.Gateway, ns, o.Labels[label.IoIstioUseWaypointCanary.Name]), true
}

// sayStays says why a waypoint keeps its place, though somebody asks for another one.
func (c *course) sayStays() outcome {
	if c.planned.stays == "" {
		return settled
	}
	return c.stop(MakeBinding, c.ref, nil, c.planned.stays)
}
