package waypoints

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// NeedsAnnotation is on a waypoint of ours how many reasons there are for it. It is no part of what is planned, so that a need
// more or less is no step: another field manager of ours writes it, when nothing else is to be written.
const (
	NeedsAnnotation = "waywarden.dev/needs"
	statusManager   = FieldManager + "-status"
)

// recounts are the waypoints of ours that serve and say another number of needs than they have, no more than are written at a time; by
// what each is to say.
func recounts(s *mesh.Snapshot, managed plan.Managed, progress plan.Progress, counts attempts, now time.Time) map[mesh.Ref]string {
	out := map[mesh.Ref]string{}
	for i := range progress {
		course := &progress[i]
		gw := s.Get(mesh.Gateway, course.Waypoint.Namespace, course.Waypoint.Name)
		want := strconv.Itoa(len(because(course.Needs)))
		if len(out) < parallel && serves(course) && managed.Made(gw) && gw.Annotations[NeedsAnnotation] != want && counts.may(course.Waypoint, want, now) {
			out[course.Waypoint] = want
		}
	}
	return out
}

// serves is whether nothing is left to do about a waypoint for now, however its pods do.
func serves(course *plan.Course) bool {
	return slices.Contains([]string{Serving, Unguarded, Unready, NotApplied}, stateOf(course)) && course.Step == nil
}

// annotate writes it where it is another one, on a few waypoints at a time.
func (c *Controller) annotate(ctx context.Context, s *mesh.Snapshot, managed plan.Managed, progress plan.Progress) error {
	var errs []error
	now := c.Clock.Now()
	c.counts.refusals(nil, now) // forgets
	all := recounts(s, managed, progress, c.counts, now)
	for _, ref := range slices.SortedFunc(maps.Keys(all), mesh.Ref.Compare) {
		gw, want := s.Get(mesh.Gateway, ref.Namespace, ref.Name), all[ref]
		body, err := json.Marshal(map[string]any{"apiVersion": gw.APIVersion, "kind": gw.Kind.String(), "metadata": map[string]any{
			"name": gw.Name, "namespace": gw.Namespace, "uid": gw.UID, "annotations": map[string]any{NeedsAnnotation: want}}})
		if err != nil {
			return err
		}
		objects, err := c.writer.at(ref)
		if err != nil {
			return err
		}
		if err := c.fenced(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		no := false
		_, err = objects.Patch(ctx, gw.Name, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: statusManager, Force: &no})
		c.counts.done(ref, want, now, err)
		if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) { // it changed meanwhile, or somebody else counts
			errs = append(errs, fmt.Errorf("write how many need %s: %w", ref, err))
		}
	}
	return errors.Join(errs...)
}
