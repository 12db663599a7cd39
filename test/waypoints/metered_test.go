//go:build cluster

package waypoints

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"istio.io/api/label"
)

// TestMetered: with --proxy-metrics a guard waits until nobody comes round the waypoint any more, and a waypoint goes when nothing passes
// it: by what its pods count, else by what ztunnels do. It says meanwhile how many connections it waits for; after --waypoint-drain it
// stops and says whom to restart; and where nobody can count, it goes by the clock, and says that too.
func TestMetered(t *testing.T) {
	t.Parallel()
	const quiet, drain = 12 * time.Second, 20 * time.Second
	w := start(t)
	counts := newZtunnel()
	zt, port := count(t, "127.0.0.2", "0", counts.text)
	w.apply(ztunnelPod)
	w.until("the ztunnel runs", 20*time.Second, func() bool { return condition(w.get(pods, "istio-system", "ztunnel-1"), "Ready") == "True" })
	w.address("istio-system", "ztunnel-1", zt.ip)
	w.replica(slices.Concat(hurry, []string{"--waypoint-drain", drain.String(), "--proxy-metrics", "pods", "--proxy-metrics-port", port, "--guard-quiet", quiet.String()})...)
	round := connection("busy", false)
	counts.open(round)
	shops := []string{"busy", "calm", "lost"}
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s}") + "---" + fmt.Sprintf(guardrail, ", bypass: Guard"))
	for _, ns := range shops {
		w.apply(fmt.Sprintf(shop, ns) + "---" + fmt.Sprintf(denyGet, ns))
	}
	for _, ns := range shops {
		w.takesEffect(ns)
	}
	bound := time.Now()
	guarded := func(ns string) bool { return w.roles(ns)["guard"] != nil }

	w.until("where nobody comes round the waypoint there is a guard", time.Minute, func() bool { return guarded("calm") && guarded("lost") })
	took := time.Since(bound)
	time.Sleep(2 * time.Second)
	if guarded("busy") || took < quiet-3*time.Second {
		t.Errorf("guards after %s; and one where somebody comes round: %v", took, guarded("busy"))
	}
	if text := w.state("busy"); !strings.Contains(text, "state:Waiting") || !strings.Contains(text, "connections come round the waypoint") {
		t.Errorf("of what is waited for it is said: %s", text)
	}
	counts.end(round, "-")
	denied := connection("busy", false)
	counts.open(denied)
	counts.end(denied, "DENY") // who does not get in does not come round it
	took = w.until("there is a guard once the last has gone", time.Minute, func() bool { return guarded("busy") })
	t.Logf("guarded %s after the last connection round the waypoint had ended", took)

	w.drained(counts, port)
	w.uncounted("lost", zt, drain)
}

// drained takes the policies of two namespaces away while connections pass their waypoints: the pods of the one count them, of the other only
// the ztunnel does.
func (w *world) drained(counts *ztunnel, port string) {
	w.t.Helper()
	passing := connection("calm", true)
	counts.open(passing)
	active, _ := count(w.t, "127.0.0.3", port, func() (string, error) { return envoy(2), nil })
	inactive, _ := count(w.t, "127.0.0.4", port, func() (string, error) { return "", nil })
	w.address("busy", w.waypointPod("busy").GetName(), active.ip)
	w.address("calm", w.waypointPod("calm").GetName(), inactive.ip)
	w.delete(policies, "busy", "deny-get")
	w.delete(policies, "calm", "deny-get")
	w.until("it is said how many connections are waited for", time.Minute, func() bool {
		return strings.Contains(w.state("busy"), "connections through it are open: 2") && strings.Contains(w.state("calm"), "connections through it are open: 1")
	})
	for _, ns := range []string{"busy", "calm"} {
		w.until("it is said whom to restart", time.Minute, func() bool { return w.says(ns, "Stopped", "are still open. Restart the clients that hold them.") })
		if w.get(gateways, ns, "waypoint") == nil {
			w.t.Errorf("the waypoint of %s is gone with its connections", ns)
		}
		if l := w.get(namespaces, "", ns).GetLabels()[label.IoIstioUseWaypoint.Name]; l != "" {
			w.t.Errorf("%s is drained, and bound to %s", ns, l)
		}
	}
	active.says(envoy(0))
	took := w.until("the waypoint goes when its pods have no connection", time.Minute, func() bool { return w.get(gateways, "busy", "waypoint") == nil })
	w.t.Logf("gone %s after the last connection, by its pods", took)
	if w.get(gateways, "calm", "waypoint") == nil {
		w.t.Error("the waypoint that a client still sends to is gone too")
	}
	counts.end(passing, "-")
	took = w.until("the waypoint goes when ztunnels have no connection to it", time.Minute, func() bool { return w.get(gateways, "calm", "waypoint") == nil })
	w.t.Logf("gone %s after the last connection, by ztunnels", took)
	for _, ns := range []string{"busy", "calm"} {
		w.until("it is said why", 10*time.Second, func() bool { return w.says(ns, "RemoveGateway", "no connection is open through it") })
	}
}

// uncounted takes the policy of a namespace away when neither the waypoint's pod nor a ztunnel answers.
func (w *world) uncounted(ns string, zt *counter, drain time.Duration) {
	w.t.Helper()
	zt.lose()
	w.address(ns, w.waypointPod(ns).GetName(), "127.0.0.5") // where nobody listens
	w.delete(policies, ns, "deny-get")
	w.until("it is said that nobody counts yet", time.Minute, func() bool {
		text := w.state(ns)
		return strings.Contains(text, "connections through it are counted first: its pod at 127.0.0.5 was not read")
	})
	since, err := time.Parse(time.RFC3339, w.get(gateways, ns, "waypoint").GetAnnotations()["waywarden.dev/draining-since"])
	if err != nil {
		w.t.Fatal(err)
	}
	const answers = 140 * time.Second // how long a proxy has to answer
	w.until("the waypoint goes by the clock", answers+90*time.Second, func() bool { return w.get(gateways, ns, "waypoint") == nil })
	if took := time.Since(since); took < max(drain, answers-5*time.Second) {
		w.t.Errorf("it went after %s, and connections have %s to end, and proxies %s to answer", took, drain, answers)
	}
	w.until("it is said that this is unverified", 10*time.Second, func() bool {
		return w.says(ns, "RemoveGateway", "unverified") && w.says(ns, "RemoveGateway", "the ztunnel at "+zt.ip+" was not read")
	})
}

// state is what the profile says of the waypoint of a namespace.
func (w *world) state(ns string) string {
	for _, part := range strings.Split(field(w.get(profiles, "", "default"), "status.needed"), "map[")[1:] {
		if strings.Contains(part, "namespace:"+ns+" ") {
			return part
		}
	}
	return ""
}
