//go:build cluster

package waypoints

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestConditions: a Gateway says who needs it and how it is, beside what istiod says of it. istiod writes its status anew and leaves
// that as it is; nobody writes in turns.
func TestConditions(t *testing.T) {
	t.Parallel()
	w, r := served(t, "{}")
	gateway := func() *unstructured.Unstructured { return w.get(gateways, "shop", "waypoint") }
	says := func(generation int64) bool {
		o := gateway()
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		for _, c := range conditions {
			if m := c.(map[string]any); m["observedGeneration"] != generation {
				return false
			}
		}
		return o.GetGeneration() == generation && len(conditions) >= 4 && condition(o, "Programmed") == "True" && condition(o, "Accepted") == "True" &&
			condition(o, "waywarden.dev/Needed") == "True" && condition(o, "waywarden.dev/AsPlanned") == "True"
	}
	w.until("the Gateway says who needs it", 20*time.Second, func() bool { return says(1) })
	if text := field(gateway(), "status.conditions"); !strings.Contains(text, "AuthorizationPolicy shop/deny-get for Service shop/cart") {
		t.Errorf("it says %s", text)
	}
	w.apply(fmt.Sprintf(profile, "{labels: {team: mesh}}"))
	w.until("istiod has written its status anew, and ours is there", 30*time.Second, func() bool { return says(2) })
	w.until("the profile, as it is now, says that all is as planned", 20*time.Second, func() bool {
		o := w.get(profiles, "", "default")
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		return condition(o, "Ready") == "True" && !slices.ContainsFunc(conditions, func(c any) bool { return c.(map[string]any)["observedGeneration"] != o.GetGeneration() })
	})
	w.still("the Gateway", gateway)
	began := time.Now()
	w.still("the Gateway", gateway)
	if calls := writes(r.since(began)); len(calls) > 0 {
		t.Errorf("it is written though nothing happens: %s", calls[0])
	}
	if !slices.ContainsFunc(gateway().GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == "waywarden-waypoints-status" && f.Subresource == "status"
	}) {
		t.Errorf("who wrote it: %v", gateway().GetManagedFields())
	}

	w.apply(fmt.Sprintf(profile, "{labels: {team: mesh}, retainFor: 1m}"))
	w.delete(policies, "shop", "deny-get")
	w.until("the Gateway says that nothing needs it", 20*time.Second, func() bool {
		return condition(gateway(), "waywarden.dev/Needed") == "False" && strings.Contains(field(gateway(), "status.conditions"), "Removing") && condition(gateway(), "Programmed") == "True"
	})
}
