//go:build cluster

package waypoints

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestFrozen: the leader stands still with something to do next, as a waypoint to take away that nothing needs. Its lease runs out, and
// the other replica does that, and more. When the first one wakes it tries to write nothing: not what it had in hand, and not what it
// would decide of the mesh as it was when it stopped.
func TestFrozen(t *testing.T) {
	t.Parallel()
	w := start(t)
	a := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 6s}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop-0") + "---" + fmt.Sprintf(shop, "shop-1") + "---" + fmt.Sprintf(denyGet, "shop-0"))
	w.takesEffect("shop-0")
	b := w.replica(hurry...)
	holder := func() string { return field(w.get(leases, "waywarden-system", "waywarden"), "spec.holderIdentity") }
	first := holder()

	w.delete(policies, "shop-0", "deny-get")
	w.until("it is noted that nothing needs it", 20*time.Second, func() bool {
		return w.get(gateways, "shop-0", "waypoint").GetAnnotations()["waywarden.dev/unneeded-since"] != ""
	})
	w.balancer.Remove(a.Addr) // admission goes to the other one
	if err := a.Freeze(); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	// The API server may hold a connection to the one that is frozen, and calls fail until it gives that up.
	w.admit(fmt.Sprintf(denyGet, "shop-1"))
	took := w.until("the other one leads", time.Minute, func() bool { return holder() != first && holder() != "" })
	t.Logf("the other one leads %s after the first one was frozen", took)
	w.takesEffect("shop-1")
	w.until("the waypoint is gone", time.Minute, func() bool { return w.get(gateways, "shop-0", "waypoint") == nil })
	w.admit(fmt.Sprintf(denyGet, "shop-0")) // needed again, which the one that wakes has not seen
	w.takesEffect("shop-0")

	awake := time.Now()
	if err := a.Thaw(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(15 * time.Second)
	for _, c := range writes(a.since(awake)) {
		if strings.Contains(c.path, "waywarden-waypoints") || c.method == "DELETE" {
			t.Errorf("the one that was frozen tried to write: %s", c)
		}
	}
	if holder() == first {
		t.Error("the one that was frozen leads again")
	}
	if n := len(writes(b.since(frozen))); n == 0 {
		t.Error("the other one wrote nothing")
	}
}
