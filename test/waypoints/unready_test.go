//go:build cluster

package waypoints

import (
	"fmt"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

// TestNeverReady: a waypoint whose pods find no node. Nothing is labelled, so that nobody is sent to it; the policy stays
// pending, it is said why, and the API server is not asked again and again. When the pods run at last, it goes on.
func TestNeverReady(t *testing.T) {
	t.Parallel()
	var held atomic.Bool
	held.Store(true)
	w := start(t, cluster.Hold(func(pod *unstructured.Unstructured) bool {
		return held.Load() && ofWaypoint(pod)
	}))
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(denyGet, "shop"))
	w.until("the profile says what is waited for", 30*time.Second, func() bool {
		p := w.get(profiles, "", "default")
		return condition(p, "Ready") == "False" && strings.Contains(field(p, "status.needed"), "state:Waiting") && strings.Contains(field(p, "status.needed"), "AuthorizationPolicy shop/deny-get for Service shop/cart")
	})
	t.Log(field(w.get(profiles, "", "default"), "status.needed"))
	w.until("admission is in force, which is said once", 30*time.Second, func() bool {
		return strings.Contains(field(w.get(validating, "", "waywarden"), "webhooks"), "failurePolicy:Fail")
	})
	time.Sleep(3 * time.Second)
	began := time.Now()
	time.Sleep(15 * time.Second)
	if calls := r.since(began); len(calls) > 0 {
		t.Errorf("%d requests in 15s while nothing happens, as in %s", len(calls), calls[0])
	}
	if l := w.get(namespaces, "", "shop").GetLabels(); l[label.IoIstioUseWaypoint.Name] != "" {
		t.Errorf("the namespace was labelled: %v", l)
	}
	if condition(w.get(policies, "shop", "deny-get"), "WaypointAccepted") == "True" {
		t.Error("the policy is accepted at a waypoint that does not run")
	}
	w.waitsForIt()
	held.Store(false)
	w.run("shop", ofWaypoint)
	w.takesEffect("shop")
}

// waitsForIt: whoever asks what the policy does hears that it does nothing yet, and what it waits for.
func (w *world) waitsForIt() {
	w.t.Helper()
	file, err := serving.Built()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := exec.CommandContext(w.t.Context(), file, "explain", "authorizationpolicy/deny-get", "-n", "shop", "--kubeconfig", w.Kubeconfig).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "is not bound to a waypoint") || !strings.Contains(string(out), "waits for label istio.io/use-waypoint on Service shop/cart") {
		w.t.Errorf("%v: %s", err, out)
	}
}
