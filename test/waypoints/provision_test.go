//go:build cluster

package waypoints

import (
	"fmt"
	"testing"
	"time"
)

// TestFromPolicyToEffect: a policy is applied, and takes effect, with nobody doing anything else. Most of the time that it
// takes is istiod's and the pod's.
func TestFromPolicyToEffect(t *testing.T) {
	w := start(t)
	w.replica()
	w.apply(fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop"))
	w.until("the pod runs", 30*time.Second, func() bool {
		list, err := w.Dynamic.Resource(endpointSlices).Namespace("shop").List(t.Context(), all)
		return err == nil && len(list.Items) > 0
	})
	time.Sleep(time.Second)
	began := time.Now()
	w.apply(fmt.Sprintf(denyGet, "shop"))
	took := w.until("the policy is accepted at its waypoint", 60*time.Second, func() bool {
		return condition(w.get(policies, "shop", "deny-get"), "WaypointAccepted") == "True"
	})
	t.Logf("in effect after %s (%s)", time.Since(began), took)
}
