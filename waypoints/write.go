package waypoints

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// FieldManager is as whom everything is written.
const FieldManager = plan.FieldManager

// writer carries steps out. It never forces: what somebody else owns stays theirs.
type writer struct{ client dynamic.Interface }

// errTaken is why an object is not made: one that is not ours has its name.
type errTaken struct{ ref mesh.Ref }

func (e errTaken) Error() string {
	return fmt.Sprintf("%s is there already, and is not waywarden's: it is left as it is. Rename it, or remove it", e.ref)
}

// take writes one step, once. What it wrote is safe to write again.
func (w writer) take(ctx context.Context, step *plan.Step) error {
	objects, err := w.at(step.Object)
	if err != nil {
		return err
	}
	if step.Action == plan.Delete {
		return w.remove(ctx, objects, step)
	}
	manifest := runtime.DeepCopyJSON(step.Manifest)
	metadata, ok := manifest["metadata"].(map[string]any)
	if !ok {
		return fmt.Errorf("a step for %s has no metadata", step.Object)
	}
	if step.Action == plan.Apply && step.Preconditions.UID == "" {
		// Server-side apply would add our fields to an object of somebody else's that does not have them.
		if err := w.free(ctx, objects, step); err != nil {
			return err
		}
	}
	if step.Preconditions.UID != "" {
		metadata["uid"] = step.Preconditions.UID
	}
	if step.Preconditions.ResourceVersion != "" {
		metadata["resourceVersion"] = step.Preconditions.ResourceVersion
	}
	if step.Row == plan.MakeParameters {
		if err := w.handOver(ctx, manifest); err != nil {
			return err
		}
	}
	body, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	no := false
	_, err = objects.Patch(ctx, step.Object.Name, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: FieldManager, Force: &no,
		FieldValidation: metav1.FieldValidationStrict})
	return err
}

// repair is for a ConfigMap of ours in which somebody else has changed a value and so owns it now: it is deleted, exactly as it
// was looked at, to be made again. Nobody's field is taken by force.
func (w writer) repair(ctx context.Context, step *plan.Step) error {
	objects, err := w.at(step.Object)
	if err != nil {
		return err
	}
	return w.remove(ctx, objects, step)
}

// free is nil if an object can be made: where none of its name is stored, or only one of ours that was just made.
func (w writer) free(ctx context.Context, objects dynamic.ResourceInterface, step *plan.Step) error {
	stored, err := objects.Get(ctx, step.Object.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range stored.GetManagedFields() {
		if entry.Manager == FieldManager && stored.GetLabels()[plan.ManagedByLabel] == plan.ManagedBy {
			return nil
		}
	}
	return errTaken{step.Object}
}

// remove deletes exactly the object that was looked at. One that is gone already is as good.
func (w writer) remove(ctx context.Context, objects dynamic.ResourceInterface, step *plan.Step) error {
	if step.Preconditions.UID == "" {
		return fmt.Errorf("%s is not deleted: nothing says which one is meant", step.Object)
	}
	uid := types.UID(step.Preconditions.UID)
	only := &metav1.Preconditions{UID: &uid}
	if v := step.Preconditions.ResourceVersion; v != "" {
		only.ResourceVersion = &v
	}
	background := metav1.DeletePropagationBackground
	err := objects.Delete(ctx, step.Object.Name, metav1.DeleteOptions{Preconditions: only, PropagationPolicy: &background})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// at is where objects of the kind are written.
func (w writer) at(ref mesh.Ref) (dynamic.ResourceInterface, error) {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil {
		return nil, err
	}
	resource := ""
	switch kind, ok := mesh.KindOf(ref.APIVersion, ref.Kind); {
	case ok:
		resource = kind.Resource()
	case ref.Kind == autoscalerKind.Kind:
		resource = "horizontalpodautoscalers"
	case ref.Kind == budgetKind.Kind:
		resource = "poddisruptionbudgets"
	default:
		return nil, fmt.Errorf("nothing here writes a %s", ref.Kind)
	}
	all := w.client.Resource(gv.WithResource(resource))
	if ref.Namespace == "" {
		return all, nil
	}
	return all.Namespace(ref.Namespace), nil
}

// retriable is whether a write that failed is as good as not tried: what it was decided by had changed meanwhile, or the API
// server is busy. Whatever else it answers is a refusal, which stands until the object changes, or for a while.
func retriable(err error) bool {
	if apierrors.IsConflict(err) {
		return !foreign(err)
	}
	return apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsServiceUnavailable(err) ||
		apierrors.IsNotFound(err) || apierrors.ReasonForError(err) == metav1.StatusReasonUnknown && !isTaken(err) && !denied(err)
}

// denied is whether the API server has answered that it is the request with which something is wrong. It gives no reason where a webhook
// has refused it and given none (k8s.io/apiserver admission/plugin/webhook/errors ToStatusErr).
func denied(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code >= http.StatusBadRequest && status.Status().Code < http.StatusInternalServerError
}

// foreign is whether a conflict is one with another field manager.
func foreign(err error) bool {
	status, ok := err.(apierrors.APIStatus)
	if !ok || status.Status().Details == nil {
		return false
	}
	for _, c := range status.Status().Details.Causes {
		if c.Type == metav1.CauseTypeFieldManagerConflict {
			return true
		}
	}
	return false
}

func isTaken(err error) bool {
	_, ok := err.(errTaken)
	return ok
}
