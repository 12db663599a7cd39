//go:build cluster

package waypoints

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestKilledInADrain: whoever leads is killed after each write by which a waypoint is taken away through which a connection is open, and
// while it is drained. The waypoint stays until proxies say that the last connection has ended, whoever leads then, and goes as if nobody
// had been killed.
func TestKilledInADrain(t *testing.T) {
	t.Parallel()
	w := start(t)
	counts := newZtunnel()
	zt, port := count(t, "127.0.0.2", "0", counts.text)
	w.apply(ztunnelPod)
	w.until("the ztunnel runs", 20*time.Second, func() bool { return condition(w.get(pods, "istio-system", "ztunnel-1"), "Ready") == "True" })
	w.address("istio-system", "ztunnel-1", zt.ip)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s, labels: {team: mesh}}") + "---" + fmt.Sprintf(guardrail, ", bypass: Guard"))
	n := 0
	drained := life{kind: "drained", parts: []string{""}, setup: enrolled(""), from: 1,
		begun: stage{"served", func(r *run, name string) { r.apply(fmt.Sprintf(denyGet, name)) }, func(r *run, name string) bool { return r.serves(name, "waypoint", 1) }},
		stages: []stage{
			{"used", func(r *run, name string) {
				n++
				pod, _ := count(t, fmt.Sprintf("127.0.1.%d", n), port, func() (string, error) { return "", nil })
				r.address(name, r.waypointPod(name).GetName(), pod.ip)
				counts.open(connection(name, true))
			}, func(r *run, name string) bool {
				return strings.HasPrefix(field(r.waypointPod(name), "status.podIP"), "127.0.1.")
			}},
			{"drained", func(r *run, name string) { r.remove(policies, name, "deny-get") }, func(r *run, name string) bool {
				return bindingOf(r.get(namespaces, "", name)) == "" && strings.Contains(field(r.get(gateways, name, "waypoint"), "status.conditions"), "connections through it are open: 1")
			}},
			{"gone", func(_ *run, name string) { counts.end(connection(name, true), "-") }, (*run).asBefore},
		}}
	w.killedAfterEachWrite([]life{drained}, slices.Concat(hurry, []string{"--waypoint-drain", "5m", "--proxy-metrics", "pods", "--proxy-metrics-port", port, "--guard-quiet", "1s"}))
}
