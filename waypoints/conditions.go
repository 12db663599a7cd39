package waypoints

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// The conditions that a Gateway of ours has beside those of istiod. istiod begins each status from the one that is stored and sets
// no more than its own (config/kube/gateway/gateway_collection.go, conversion.go reportGatewayStatus), so they stay.
const (
	NeededCondition    = "waywarden.dev/Needed"  // whether anything needs it, and what
	AsPlannedCondition = mesh.AsPlannedCondition // whether it is as it is to be; the reason is its state
	AwaitedCondition   = mesh.AwaitedCondition   // what is to be bound to it and is not yet; it is not there where nothing is
)

// conditionsOf are those of a waypoint. A step that is being taken is no state to write down: the next look finds another.
func conditionsOf(gw *mesh.Object, c *plan.Course) []metav1.Condition {
	needs := because(c.Needs)
	needed := metav1.Condition{Type: NeededCondition, Status: metav1.ConditionTrue, Reason: "Needed", ObservedGeneration: gw.Generation}
	switch since := gw.Annotations[plan.UnneededSinceAnnotation]; {
	case len(needs) > 0:
		needed.Message = strings.Join(needs[:min(len(needs), maxBecause)], "; ")
		if more := len(needs) - maxBecause; more > 0 {
			needed.Message += fmt.Sprintf("; and %d more", more)
		}
	default:
		needed.Status, needed.Reason, needed.Message = metav1.ConditionFalse, "NotNeeded", "No policy needs it."
		if since != "" {
			needed.Message = "No policy needs it since " + since + "."
		}
	}
	out := []metav1.Condition{needed}
	if state := stateOf(c); state != Working {
		planned := metav1.Condition{Type: AsPlannedCondition, Status: metav1.ConditionFalse, Reason: state, Message: cut(messageOf(c)), ObservedGeneration: gw.Generation}
		if state == Serving {
			planned.Status, planned.Message = metav1.ConditionTrue, "It serves what it is planned for."
		}
		out = append(out, planned)
	}
	if len(c.Awaited) > 0 {
		out = append(out, metav1.Condition{Type: AwaitedCondition, Status: metav1.ConditionTrue, Reason: "ToBeBound", Message: mesh.FormatAwaited(c.Awaited), ObservedGeneration: gw.Generation})
	}
	return out
}

// storedConditions are those of a Gateway, whoever wrote them.
func storedConditions(gw *mesh.Object) ([]metav1.Condition, error) {
	status, _ := gw.Content()["status"].(map[string]any)
	var decoded struct {
		Conditions []metav1.Condition `json:"conditions"`
	}
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(map[string]any{"conditions": status["conditions"]}, &decoded)
	return decoded.Conditions, err
}

// dueConditions are the conditions to write: all of ours where one is another than is stored, none where they are alike. How it is stays as
// it is stored where it is not said now; of what is awaited the condition goes.
func dueConditions(stored, wanted []metav1.Condition, now time.Time) []metav1.Condition {
	says := func(conditions []metav1.Condition, kind string) bool {
		return slices.ContainsFunc(conditions, func(c metav1.Condition) bool { return c.Type == kind })
	}
	changed := says(stored, AwaitedCondition) && !says(wanted, AwaitedCondition)
	for i := range wanted {
		w := &wanted[i]
		w.LastTransitionTime = metav1.NewTime(now)
		at := slices.IndexFunc(stored, func(c metav1.Condition) bool { return c.Type == w.Type })
		if at < 0 {
			changed = true
			continue
		}
		was := stored[at]
		if was.Status == w.Status {
			w.LastTransitionTime = was.LastTransitionTime
		}
		changed = changed || was.Status != w.Status || was.Reason != w.Reason || was.Message != w.Message || was.ObservedGeneration != w.ObservedGeneration
	}
	if !changed {
		return nil
	}
	for _, c := range stored {
		if c.Type == AsPlannedCondition && !says(wanted, c.Type) {
			wanted = append(wanted, c)
		}
	}
	return wanted
}

// condition writes the conditions of waypoints of ours where they are others, of a few at a time. It is whether some are left.
func (c *Controller) condition(ctx context.Context, s *mesh.Snapshot, managed plan.Managed, progress plan.Progress) (more bool, err error) {
	var errs []error
	left, now := parallel, c.Clock.Now()
	c.conditions.refusals(nil, now) // forgets
	for i := range progress {
		course := &progress[i]
		gw := s.Get(mesh.Gateway, course.Waypoint.Namespace, course.Waypoint.Name)
		if !managed.Made(gw) || gw.Terminating {
			continue
		}
		stored, err := storedConditions(gw)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the conditions of %s: %w", course.Waypoint, err))
			continue
		}
		wanted := dueConditions(stored, conditionsOf(gw, course), now)
		said := saidBy(wanted)
		if len(wanted) == 0 || !c.conditions.may(course.Waypoint, said, now) {
			continue
		}
		if left == 0 {
			return true, errors.Join(errs...)
		}
		if err := c.fenced(); err != nil {
			return true, errors.Join(append(errs, err)...)
		}
		left--
		err = c.writeConditions(ctx, gw, wanted)
		c.conditions.done(course.Waypoint, said, now, err)
		if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) { // it changed meanwhile, or somebody else writes them
			errs = append(errs, fmt.Errorf("write the conditions of %s: %w", course.Waypoint, err))
		}
	}
	return false, errors.Join(errs...)
}

// saidBy is what conditions say, without when.
func saidBy(conditions []metav1.Condition) string {
	var b strings.Builder
	for _, c := range conditions {
		fmt.Fprintln(&b, c.Type, c.Status, c.Reason, c.Message, c.ObservedGeneration)
	}
	return b.String()
}

func (c *Controller) writeConditions(ctx context.Context, gw *mesh.Object, conditions []metav1.Condition) error {
	body, err := json.Marshal(map[string]any{"apiVersion": gw.APIVersion, "kind": gw.Kind.String(),
		"metadata": map[string]any{"name": gw.Name, "namespace": gw.Namespace, "uid": gw.UID}, "status": map[string]any{"conditions": conditions}})
	if err != nil {
		return err
	}
	objects, err := c.writer.at(plan.RefOf(mesh.Gateway, gw.Namespace, gw.Name))
	if err != nil {
		return err
	}
	no := false
	_, err = objects.Patch(ctx, gw.Name, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: statusManager, Force: &no}, "status")
	return err
}
