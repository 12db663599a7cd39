package waypoints

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

const (
	maxNeeded  = 100
	maxBecause = 10
	maxMessage = 4 << 10
	// maxUndecided is less: there may be a hundred of them in a status, beside as many waypoints.
	maxUndecided = 1 << 10
	retry        = 10 * time.Second
	statusPace   = time.Second
)

// tell says how the waypoints are: in the statuses of the profiles, in Events, and to Report. It returns when to try again
// what could not be written.
func (c *Controller) tell(ctx context.Context, rules *Rules, missing map[string]string, s *mesh.Snapshot, progress plan.Progress) time.Time {
	c.stops(s, progress, missing)
	c.ails(s, progress)
	blocked := c.bars(s)
	byProfile := map[string][]*plan.Course{}
	census := Census{States: map[string]int{}, Unverified: c.unverified}
	for _, needs := range blocked {
		census.Blocked += len(needs)
	}
	for i := range progress {
		course := &progress[i]
		name := c.profileOf(s, course)
		byProfile[name] = append(byProfile[name], course)
		census.States[stateOf(course)]++
		if course.Down {
			census.Down++
		}
	}
	if c.Report != nil {
		c.Report(census)
	}
	now := c.Clock.Now()
	if now.Before(c.status.Add(statusPace)) {
		return c.status.Add(statusPace) // many waypoints at a time make one status
	}
	c.status = now
	more, err := c.condition(ctx, s, c.planned.managed, progress)
	errs := []error{err, c.annotate(ctx, s, c.planned.managed, progress)}
	for _, p := range rules.Profiles {
		errs = append(errs, c.write(ctx, p, s, byProfile[p.Name], blocked[p.Name]))
	}
	if err := errors.Join(errs...); err != nil && ctx.Err() == nil {
		c.Log.Error(err, "what is told of waypoints is not up to date; it is tried again")
		return now.Add(retry)
	}
	if more {
		return now.Add(statusPace)
	}
	return time.Time{}
}

// profileOf is the profile by which a waypoint was made, or is to be made.
func (c *Controller) profileOf(s *mesh.Snapshot, course *plan.Course) string {
	if gw := s.Get(mesh.Gateway, course.Waypoint.Namespace, course.Waypoint.Name); gw != nil && gw.Annotations[plan.ProfileAnnotation] != "" {
		return gw.Annotations[plan.ProfileAnnotation]
	}
	for _, w := range c.planned.plan.Waypoints {
		if w.Ref() == course.Waypoint && w.Profile() != "" {
			return w.Profile()
		}
	}
	return c.planned.settings.Of(course.Waypoint.Namespace).Profile.Name
}

// blind says that nothing is done while kinds cannot be read, and leaves what else is told as it was. A policy that nobody may list is
// not one that needs no waypoint, and of a mesh whose configuration is not known Istio's defaults are not the truth.
func (c *Controller) blind(ctx context.Context, rules *Rules, unread []inventory.Unread) time.Time {
	why := blindness(unread)
	if c.unread != why {
		c.unread = why
		c.Log.Info("waypoints are left as they are", "why", why)
	}
	now := c.Clock.Now()
	if now.Before(c.status.Add(statusPace)) {
		return c.status.Add(statusPace)
	}
	c.status = now
	var errs []error
	for _, p := range rules.Profiles {
		errs = append(errs, c.patch(ctx, p, notReady(p, "Unread", why)))
	}
	if err := errors.Join(errs...); err != nil && ctx.Err() == nil {
		c.Log.Error(err, "what is told of waypoints is not up to date; it is tried again")
		return now.Add(retry)
	}
	return time.Time{}
}

// blindness says why nothing is done.
func blindness(unread []inventory.Unread) string {
	var kinds []string
	for _, u := range unread {
		kinds = append(kinds, u.Resource+" ("+u.Why+")")
	}
	return cut("No waypoint is made, changed or taken away: what is in the cluster is not known without " + strings.Join(kinds, ", ") + ". Let Waywarden list and watch them.")
}

// notReady is a profile that says why nothing is done, and for the rest what it said before.
func notReady(p *v1alpha1.WaypointProfile, reason, why string) *v1alpha1.WaypointProfile {
	after := p.DeepCopy()
	apimeta.SetStatusCondition(&after.Status.Conditions, metav1.Condition{Type: "Ready", Status: metav1.ConditionFalse, Reason: reason, ObservedGeneration: p.Generation, Message: why})
	return after
}

// write patches the status of a profile where it is another one than is stored.
func (c *Controller) write(ctx context.Context, p *v1alpha1.WaypointProfile, s *mesh.Snapshot, courses []*plan.Course, blocked []plan.Blocked) error {
	after := p.DeepCopy()
	statusOf(after, s, courses)
	met(after, blocked)
	condition := metav1.Condition{Type: "Verified", Status: metav1.ConditionTrue, Reason: "Acknowledged", ObservedGeneration: p.Generation,
		Message: "istiod says what its proxies run with."}
	if c.behind != "" {
		condition.Reason, condition.Message = "Behind", cut("Steps wait for a proxy: "+c.behind+".")
	}
	if c.unverified != "" {
		condition.Status, condition.Reason = metav1.ConditionFalse, "ByTheClock"
		condition.Message = fmt.Sprintf("What proxies run with is not read, so each step waits %s for them: %s.", c.settle, c.unverified)
	}
	if c.unverified+c.behind != "" || !c.at.IsZero() { // before anything was waited for there is nothing to say
		apimeta.SetStatusCondition(&after.Status.Conditions, condition)
	}
	return c.patch(ctx, p, after)
}

// patch writes a status where it is another one than is stored.
func (c *Controller) patch(ctx context.Context, p, after *v1alpha1.WaypointProfile) error {
	if equality.Semantic.DeepEqual(p.Status, after.Status) {
		return nil
	}
	if err := c.fenced(); err != nil {
		return err
	}
	err := c.Client.Status().Patch(ctx, after, client.MergeFromWithOptions(p, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // it changed meanwhile, which wakes us
	}
	if err != nil {
		return fmt.Errorf("write the status of WaypointProfile %s: %w", p.Name, err)
	}
	return nil
}

// statusOf fills in a status.
func statusOf(p *v1alpha1.WaypointProfile, s *mesh.Snapshot, courses []*plan.Course) {
	status := &p.Status
	status.Waypoints, status.Needs, status.Needed = int32(len(courses)), 0, nil
	states := map[string]int{}
	var worst, waiting *plan.Course
	for _, course := range courses {
		state := stateOf(course)
		states[state]++
		if worst == nil || gravity(course) > gravity(worst) {
			worst = course
		}
		if state == Waiting && waiting == nil {
			waiting = course
		}
		reasons := because(course.Needs)
		status.Needs += int32(len(reasons))
		if len(status.Needed) < maxNeeded {
			status.Needed = append(status.Needed, v1alpha1.NeededWaypoint{Namespace: course.Waypoint.Namespace, Name: course.Waypoint.Name, State: state,
				Message: cut(messageOf(course)), Since: sinceWhen(s, course), Needs: int32(len(reasons)), Because: reasons[:min(len(reasons), maxBecause)]})
		}
	}
	ready := metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "AsPlanned", ObservedGeneration: p.Generation, Message: count(states)}
	wrong := p.Validate()
	if len(wrong) == 0 {
		wrong = parameters.Check(p)
	}
	switch {
	case len(wrong) > 0:
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, "Invalid", "No waypoint is made by it: "+wrong[0].Error()+"."
	case worst == nil || stateOf(worst) == Serving:
	case slices.Contains([]string{Working, Waiting, Removing}, stateOf(worst)) && !worst.Down:
		ready.Status, ready.Reason = metav1.ConditionFalse, "Progressing"
		if waiting != nil {
			ready.Message = cut(fmt.Sprintf("%s %s: %s", count(states), waiting.Waypoint, messageOf(waiting)))
		}
	default:
		ready.Status, ready.Reason = metav1.ConditionFalse, stateOf(worst)
		if worst.Down {
			ready.Reason = Unready
		}
		ready.Message = cut(fmt.Sprintf("%s %s: %s", count(states), worst.Waypoint, messageOf(worst)))
	}
	apimeta.SetStatusCondition(&status.Conditions, ready)
}

// gravity is how much more a waypoint calls for somebody than others of its profile: of them all one is told of.
func gravity(c *plan.Course) int {
	if c.Down {
		return len(States)
	}
	return slices.Index([]string{Serving, Unguarded, Removing, Waiting, Working, Unready, NotApplied, Stopped}, stateOf(c))
}

// sinceWhen is since when a waypoint is not as planned, as its Gateway says: that outlives us.
func sinceWhen(s *mesh.Snapshot, course *plan.Course) *metav1.Time {
	gw := s.Get(mesh.Gateway, course.Waypoint.Namespace, course.Waypoint.Name)
	if gw == nil || stateOf(course) == Serving {
		return nil
	}
	c := mesh.ConditionOf(gw, AsPlannedCondition)
	if c == nil || c.Status != string(metav1.ConditionFalse) {
		return nil
	}
	at, err := time.Parse(time.RFC3339, c.Since)
	if err != nil {
		return nil
	}
	since := metav1.NewTime(at)
	return &since
}

func count(states map[string]int) string {
	if len(states) == 0 {
		return "Nothing needs a waypoint."
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(states)) {
		word := strings.ToLower(state)
		if state == NotApplied {
			word = "not applied"
		}
		parts = append(parts, fmt.Sprintf("%d %s", states[state], word))
	}
	return "Waypoints: " + strings.Join(parts, ", ") + "."
}

func cut(text string) string { return cutTo(text, maxMessage) }

// cutTo is no more than about so many bytes of a text.
func cutTo(text string, size int) string {
	if len(text) <= size {
		return text
	}
	return strings.ToValidUTF8(text[:size], "") + "…"
}
