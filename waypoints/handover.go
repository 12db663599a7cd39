package waypoints

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/policies/plan"
)

// replicasManager holds how many pods a waypoint has, from when its profile stops saying how many until an autoscaler says so. What one field
// manager alone has applied goes when it no longer applies it, and the API server fills in 1.
const replicasManager = FieldManager + "-replicas"

var deploymentResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

// handOver is called before parameters are written: where they ask for an autoscaler it has the number of pods stay that istiod applied, by
// applying the same number. An autoscaler that sets another one takes it over, as whoever updates a field does.
func (w writer) handOver(ctx context.Context, manifest map[string]any) error {
	data, _, _ := unstructured.NestedMap(manifest, "data")
	if data[parameters.HorizontalPodAutoscaler] == nil {
		return nil
	}
	metadata := &unstructured.Unstructured{Object: manifest}
	ns := metadata.GetNamespace()
	_, gateway, _ := strings.Cut(metadata.GetAnnotations()[plan.WaypointAnnotation], "/")
	deployments := w.client.Resource(deploymentResource).Namespace(ns)
	list, err := deployments.List(ctx, metav1.ListOptions{LabelSelector: label.IoK8sNetworkingGatewayGatewayName.Name + "=" + gateway})
	if err != nil {
		return fmt.Errorf("see how many pods the autoscaler is to take over: %w", err)
	}
	for i := range list.Items {
		d := &list.Items[i]
		if !appliedAlone(d.GetManagedFields()) {
			continue
		}
		replicas, _, _ := unstructured.NestedInt64(d.Object, "spec", "replicas")
		scale, err := json.Marshal(map[string]any{"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": map[string]any{"replicas": replicas},
			"metadata": map[string]any{"name": d.GetName(), "namespace": ns, "uid": d.GetUID(), "resourceVersion": d.GetResourceVersion()}})
		if err != nil {
			return err
		}
		no := false
		if _, err := deployments.Patch(ctx, d.GetName(), types.ApplyPatchType, scale, metav1.PatchOptions{FieldManager: replicasManager, Force: &no}, "scale"); err != nil {
			return fmt.Errorf("keep the %d pods of Deployment %s until the autoscaler takes over: %w", replicas, d.GetName(), err)
		}
	}
	return nil
}

// appliedAlone is whether the number of replicas would go with whoever applied it.
func appliedAlone(fields []metav1.ManagedFieldsEntry) bool {
	owners := slices.DeleteFunc(slices.Clone(fields), func(e metav1.ManagedFieldsEntry) bool {
		var owned struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		return e.FieldsV1 == nil || json.Unmarshal(e.FieldsV1.Raw, &owned) != nil || owned.Spec["f:replicas"] == nil
	})
	return len(owners) == 1 && owners[0].Operation == metav1.ManagedFieldsOperationApply && owners[0].Manager != replicasManager
}
