//go:build cluster

package waypoints

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestFrozen: the leader stands still in the middle of things. Its lease runs out, and the other replica goes on and finishes. When the
// first one wakes it writes nothing: not what it had in hand, and not what it would decide of the mesh as it was when it stopped.
func TestFrozen(t *testing.T) {
	w := start(t)
	a := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{replicas: 2}") + "---" + fmt.Sprintf(guardrail, ""))
	for i := range 3 {
		w.apply(fmt.Sprintf(shop, fmt.Sprintf("shop-%d", i)))
	}
	w.apply(fmt.Sprintf(denyGet, "shop-0"))
	w.takesEffect("shop-0")
	b := w.replica(hurry...)
	holder := func() string { return field(w.get(leases, "waywarden-system", "waywarden"), "spec.holderIdentity") }
	first := holder()

	w.apply(fmt.Sprintf(denyGet, "shop-1"))
	w.until("the leader is at work", 20*time.Second, func() bool { return w.get(gateways, "shop-1", "waypoint") != nil })
	w.balancer.Remove(a.Addr) // admission goes to the other one
	if err := a.Freeze(); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	w.apply(fmt.Sprintf(denyGet, "shop-2"))
	took := w.until("the other one leads", time.Minute, func() bool { return holder() != first && holder() != "" })
	t.Logf("the other one leads %s after the first one was frozen", took)
	for i := range 3 {
		w.takesEffect(fmt.Sprintf("shop-%d", i))
	}
	w.delete(policies, "shop-0", "deny-get") // the one that wakes still sees it
	w.delete(gateways, "shop-1", "waypoint") // made anew by who leads, and who wakes has seen neither
	w.until("the waypoint is made anew", 30*time.Second, func() bool { return w.get(gateways, "shop-1", "waypoint") != nil })

	awake := time.Now()
	if err := a.Thaw(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(15 * time.Second)
	for _, c := range writes(a.since(awake)) {
		if strings.Contains(c.path, "waywarden-waypoints") || c.method == "DELETE" {
			t.Errorf("the one that was frozen wrote: %s", c)
		}
	}
	if holder() == first {
		t.Error("the one that was frozen leads again")
	}
	if n := len(writes(b.since(frozen))); n == 0 {
		t.Error("the other one wrote nothing")
	}
}
