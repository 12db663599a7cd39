//go:build cluster

package waypoints

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

// TestSwitchedOff: while a waypoint that Waywarden makes is not ready, its policy is pending. Switched off, nobody will ever label anything for it,
// and what is left on the Gateway makes nothing pending: neither to the audit nor to whoever asks from outside.
func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	w := start(t, cluster.Hold(ofWaypoint))
	w.serveReports()
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(denyGet, "shop"))
	awaited := func() bool {
		return condition(w.get(gateways, "shop", "waypoint"), "waywarden.dev/Awaited") == "True"
	}
	w.until("the Gateway says what waits for it", 30*time.Second, awaited)
	file, err := serving.Built()
	if err != nil {
		t.Fatal(err)
	}
	effect := func() string {
		out, _ := exec.CommandContext(t.Context(), file, "scan", "-n", "shop", "-o", "json", "--kubeconfig", w.Kubeconfig).CombinedOutput() // it ends with a status for what it finds
		return strings.Join(strings.Fields(string(out)), " ")
	}
	const pending, none = `"verdict": "Pending", "reason": "AncestorNotBound"`, `"verdict": "NotEnforced", "reason": "AncestorNotBound"`
	if text := effect(); !strings.Contains(text, pending) || strings.Contains(text, none) {
		t.Errorf("while it is made scan says %s", text)
	}
	w.until("the report says that it waits", 30*time.Second, func() bool { return strings.Contains(w.reported("shop", "effect/target-not-bound"), "verdict:Pending") })

	r.Kill()
	w.replica(append([]string{"--waypoints=false"}, hurry...)...)
	w.until("the report says that nothing is enforced", time.Minute, func() bool {
		return strings.Contains(w.reported("shop", "effect/target-not-bound"), "verdict:NotEnforced")
	})
	w.until("the Guardrail says that no waypoint is made", 30*time.Second, func() bool {
		return condition(w.get(guardrails, "", "everywhere"), "WaypointsProvided") == "False"
	})
	if !awaited() {
		t.Error("the condition is gone, so that nothing is shown")
	}
	if text := effect(); !strings.Contains(text, none) || strings.Contains(text, pending) {
		t.Errorf("switched off, scan says %s", text)
	}
	out, _ := exec.CommandContext(t.Context(), file, "explain", "gateway/waypoint", "-n", "shop", "--kubeconfig", w.Kubeconfig).CombinedOutput()
	if text := strings.Join(strings.Fields(string(out)), " "); !strings.Contains(text, "is left over: no waypoints are made now") || strings.Contains(text, "It is not as planned") {
		t.Errorf("explain says %s", out)
	}
	w.still("the Gateway", func() *unstructured.Unstructured { return w.get(gateways, "shop", "waypoint") })
}
