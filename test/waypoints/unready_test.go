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

// waitsForIt: whoever asks what the policy does, or what becomes of the waypoint, hears that it does nothing yet, what it waits for and since
// when.
func (w *world) waitsForIt() {
	w.t.Helper()
	file, err := serving.Built()
	if err != nil {
		w.t.Fatal(err)
	}
	run := func(args ...string) string {
		out, err := exec.CommandContext(w.t.Context(), file, append(args, "--kubeconfig", w.Kubeconfig)...).CombinedOutput()
		w.t.Logf("waywarden %s\n%s", strings.Join(args, " "), out)
		if err != nil && args[0] == "explain" {
			w.t.Errorf("waywarden %s: %v", strings.Join(args, " "), err)
		}
		return strings.Join(strings.Fields(string(out)), " ")
	}
	for _, asked := range []struct {
		args []string
		says []string
	}{
		{[]string{"explain", "authorizationpolicy/deny-get", "-n", "shop"}, []string{"Pending by nobody (AncestorNotBound)", "waypoint shop/waypoint yet, which Waywarden makes for it", "has no node",
			"Waywarden labels Namespace shop", "waits for Gateway shop/waypoint"}},
		{[]string{"explain", "gateway/waypoint", "-n", "shop"}, []string{"It is not as planned since 20", "(Waiting): ", "has no node", "labels when it is ready: Namespace shop.", "AuthorizationPolicy shop/deny-get needs it"}},
		{[]string{"explain", "service/cart", "-n", "shop"}, []string{"Waywarden makes waypoint shop/waypoint for Service shop/cart", "has no node"}},
		{[]string{"scan", "-n", "shop", "-o", "json"}, []string{`"verdict": "Pending", "reason": "AncestorNotBound"`}},
	} {
		out := run(asked.args...)
		for _, want := range asked.says {
			if !strings.Contains(out, want) {
				w.t.Errorf("waywarden %s does not say %q", strings.Join(asked.args, " "), want)
			}
		}
	}
	p := w.get(profiles, "", "default")
	if needed, conditions := field(p, "status.needed"), field(p, "status.conditions"); !strings.Contains(needed, "since:20") || !strings.Contains(conditions, "Gateway shop/waypoint: 0 of 1 pods are ready") {
		w.t.Errorf("the profile does not say what is waited for, or since when: %s %s", needed, conditions)
	}
}
