package waypoints

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

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

// annotate writes it where it is another one, on a few waypoints at a time.
func (c *Controller) annotate(ctx context.Context, s *mesh.Snapshot, managed plan.Managed, progress plan.Progress) error {
	var errs []error
	left, now := parallel, c.Clock.Now()
	c.counts.refusals(nil, now) // forgets
	for i := range progress {
		course := &progress[i]
		gw := s.Get(mesh.Gateway, course.Waypoint.Namespace, course.Waypoint.Name)
		want := strconv.Itoa(len(because(course.Needs)))
		if left == 0 || stateOf(course) != Serving || !managed.Made(gw) || gw.Annotations[NeedsAnnotation] == want || !c.counts.may(course.Waypoint, want, now) {
			continue
		}
		left--
		body, err := json.Marshal(map[string]any{"apiVersion": gw.APIVersion, "kind": gw.Kind.String(), "metadata": map[string]any{
			"name": gw.Name, "namespace": gw.Namespace, "uid": gw.UID, "annotations": map[string]any{NeedsAnnotation: want}}})
		if err != nil {
			return err
		}
		objects, err := c.writer.at(course.Waypoint)
		if err != nil {
			return err
		}
		no := false
		_, err = objects.Patch(ctx, gw.Name, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: statusManager, Force: &no})
		c.counts.done(course.Waypoint, want, now, err)
		if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) { // it changed meanwhile, or somebody else counts
			errs = append(errs, fmt.Errorf("write how many need %s: %w", course.Waypoint, err))
		}
	}
	return errors.Join(errs...)
}
