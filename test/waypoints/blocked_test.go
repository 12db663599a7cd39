//go:build cluster

package waypoints

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/test/serving"
)

// TestBlocked: a policy for which no waypoint can be made is told of where people look: on the policy, in the profile, in the audit's report, by
// a scan and in a metric, with why and what to do; and no longer once somebody has decided.
func TestBlocked(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.serveReports()
	r := w.replica(hurry...)
	asking := strings.Replace(fmt.Sprintf(shop, "shop"), "metadata: {name: cart, namespace: shop}\nspec: {selector", "metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: no.such}}\nspec: {selector", 1)
	if !strings.Contains(asking, label.IoIstioUseWaypoint.Name) {
		t.Fatal("the Service asks for nothing")
	}
	w.apply(fmt.Sprintf(profile, "{}") + "---" + fmt.Sprintf(guardrail, "") + "---" + asking + "---" + fmt.Sprintf(denyGet, "shop"))
	const why, remedy = `waypoint "no.such", which nobody can run`, "Correct the name."
	w.until("the profile says so", 30*time.Second, func() bool {
		p := w.get(profiles, "", "default")
		return condition(p, "Met") == "False" && field(p, "status.blocked") == "1" && strings.Contains(field(p, "status.conditions"), remedy)
	})
	p := w.get(profiles, "", "default")
	for _, word := range []string{"AuthorizationPolicy shop/deny-get", "Service shop/cart", why, remedy} {
		if text := field(p, "status.undecided"); !strings.Contains(text, word) {
			t.Errorf("the profile lists %s, without %q", text, word)
		}
	}
	if condition(p, "Ready") != "True" {
		t.Errorf("no waypoint is other than planned: %s", field(p, "status.conditions"))
	}
	w.until("an Event on the policy says so", 20*time.Second, func() bool { return w.says("shop", "Blocked", why, remedy) })
	w.until("the audit's report says so", 30*time.Second, func() bool {
		text := w.reported("shop", "waypoint/blocked")
		return strings.Contains(text, "deny-get") && strings.Contains(text, "which nobody can run") && strings.Contains(text, remedy)
	})
	if got := metric(t, r, "waywarden_waypoints_blocked"); got != "1" {
		t.Errorf("the metric says %q", got)
	}
	file, err := serving.Built()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := exec.CommandContext(t.Context(), file, "scan", "-n", "shop", "--kubeconfig", w.Kubeconfig).CombinedOutput() // it ends with a status for what it finds
	if text := strings.Join(strings.Fields(string(out)), " "); !strings.Contains(text, "waypoint/blocked") || !strings.Contains(text, "no waypoint is made for Service shop/cart") || !strings.Contains(text, remedy) {
		t.Errorf("scan says %s", out)
	}
	w.still("the profile", func() *unstructured.Unstructured { return w.get(profiles, "", "default") })
	began := time.Now()
	time.Sleep(10 * time.Second)
	if calls := r.since(began); len(calls) > 0 {
		t.Errorf("%d requests in 10s while nothing happens, as in %s", len(calls), calls[0])
	}

	if _, err := w.Dynamic.Resource(services).Namespace("shop").Patch(t.Context(), "cart", types.MergePatchType, []byte(`{"metadata":{"labels":{"istio.io/use-waypoint":null}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	w.takesEffect("shop")
	w.until("the profile no longer says so", 20*time.Second, func() bool {
		p := w.get(profiles, "", "default")
		return condition(p, "Met") == "True" && field(p, "status.undecided") == "<nil>"
	})
	w.until("the report says that it is over", 30*time.Second, func() bool { return strings.Contains(w.reported("shop", "waypoint/blocked"), "resolvedAt") })
}
