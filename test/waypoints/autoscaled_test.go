//go:build cluster

package waypoints

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// TestProfileAutoscales: an autoscaler takes over as many pods as there are, without a moment in which there are fewer, and what it decides then
// stays; a number that the profile says counts again.
func TestProfileAutoscales(t *testing.T) {
	t.Parallel()
	w, _ := served(t, "{replicas: 4}")
	replicas := func() string { return field(w.get(deployments, "shop", "waypoint"), "spec.replicas") }
	w.until("there are four", 30*time.Second, func() bool { return replicas() == "4" })

	watch, err := w.Dynamic.Resource(deployments).Namespace("shop").Watch(t.Context(), metav1.ListOptions{LabelSelector: "gateway.networking.k8s.io/gateway-name=waypoint"})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for e := range watch.ResultChan() {
			if o, ok := e.Object.(*unstructured.Unstructured); ok {
				seen = append(seen, field(o, "spec.replicas"))
			}
		}
	}()
	stamp := w.get(deployments, "shop", "waypoint").GetAnnotations()["waywarden.dev/parameters"]
	w.apply(fmt.Sprintf(profile, "{autoscaling: {minReplicas: 3, maxReplicas: 6}}"))
	w.until("istiod has applied the profile", 30*time.Second, func() bool {
		now := w.get(deployments, "shop", "waypoint").GetAnnotations()["waywarden.dev/parameters"]
		return now != stamp && now != "" && w.get(autoscalers, "shop", "waypoint") != nil
	})
	time.Sleep(2 * time.Second)
	watch.Stop()
	<-watched
	if all := slices.Compact(slices.Clone(seen)); len(seen) < 2 || !slices.Equal(all, []string{"4"}) {
		t.Errorf("of how many pods there were to be: %v", seen)
	}

	scale := func(n int) {
		if _, err := w.Dynamic.Resource(deployments).Namespace("shop").Patch(t.Context(), "waypoint", types.MergePatchType, fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, n), metav1.PatchOptions{FieldManager: "kube-controller-manager"}, "scale"); err != nil {
			t.Fatal(err)
		}
	}
	scale(6)
	w.apply(fmt.Sprintf(profile, "{autoscaling: {minReplicas: 3, maxReplicas: 7}}"))
	w.until("istiod has applied another maximum", 30*time.Second, func() bool { return field(w.get(autoscalers, "shop", "waypoint"), "spec.maxReplicas") == "7" })
	if n := replicas(); n != "6" {
		t.Errorf("what the autoscaler decided is %s", n)
	}
	w.apply(fmt.Sprintf(profile, "{replicas: 2}"))
	w.until("there are as many as the profile says", 30*time.Second, func() bool { return replicas() == "2" })
}
