//go:build cluster

package waypoints

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestSteady: of 2,000 namespaces some need a waypoint and get one; then nothing happens, and the API server is asked for
// nothing. WAYPOINTS is how many need one, 100 where it is not set: each costs the control plane a Deployment, and this machine
// as much as it would a cluster.
func TestSteady(t *testing.T) {
	const size = 2000
	n := 100
	if text := os.Getenv("WAYPOINTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	w := start(t)
	w.apply(fmt.Sprintf(profile, "{}") + "---" + fmt.Sprintf(guardrail, ""))
	w.crowd(size, n)
	r := w.replica(hurry...)
	began := time.Now()
	count := func() int {
		list, err := w.Dynamic.Resource(namespaces).List(t.Context(), all)
		if err != nil {
			return 0
		}
		bound := 0
		for i := range list.Items {
			if list.Items[i].GetLabels()["istio.io/use-waypoint"] != "" {
				bound++
			}
		}
		return bound
	}
	for deadline := time.Now().Add(15 * time.Minute); count() < n; time.Sleep(5 * time.Second) {
		if time.Now().After(deadline) {
			t.Fatalf("after 15 minutes %d of %d are bound", count(), n)
		}
	}
	t.Logf("%d waypoints serve after %s; %d writes", n, time.Since(began), len(writes(r.since(began))))
	w.until("nothing waits any more", 2*time.Minute, func() bool { return metric(t, r, `waywarden_waypoints{state="Serving"}`) == fmt.Sprint(n) })
	took := w.until("all is told of each of them", 3*time.Minute, func() bool {
		time.Sleep(time.Second)
		return len(r.since(time.Now().Add(-10*time.Second))) == 0
	})
	t.Logf("all is told %s later, some a second", took)
	quiet := time.Now()
	time.Sleep(30 * time.Second)
	if calls := r.since(quiet); len(calls) > 0 {
		t.Errorf("%d requests in 30s while nothing happens, as in %s", len(calls), calls[0])
	}
	t.Logf("CPU %s s, memory %s bytes", metric(t, r, "process_cpu_seconds_total"), metric(t, r, "process_resident_memory_bytes"))
	for _, name := range []string{"plan", "look"} {
		t.Logf("%s: %s in %s s", name, metric(t, r, `waywarden_waypoints_seconds_count{phase="`+name+`"}`), metric(t, r, `waywarden_waypoints_seconds_sum{phase="`+name+`"}`))
	}
	if all, quick := metric(t, r, `waywarden_waypoints_seconds_count{phase="plan"}`), metric(t, r, `waywarden_waypoints_seconds_bucket{phase="plan",le="1"}`); all == "" || all != quick {
		t.Errorf("of %s plans %s took less than a second", all, quick)
	}
}

// crowd makes namespaces with a Service each, of which the first n need a waypoint.
func (w *world) crowd(size, n int) {
	w.t.Helper()
	began := time.Now()
	group := errgroup.Group{}
	group.SetLimit(8)
	for i := range size {
		group.Go(func() error {
			ns := fmt.Sprintf("shop-%04d", i)
			parts := strings.Split(fmt.Sprintf(shop, ns), "---")
			stream := parts[0] + "---" + parts[1]
			if i < n {
				stream += "---" + fmt.Sprintf(denyGet, ns)
			}
			return w.Apply(w.t.Context(), []byte(stream))
		})
	}
	if err := group.Wait(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("%d namespaces were made in %s", size, time.Since(began))
}

// metric is a sample of a replica, as text.
func metric(t *testing.T, r replica, name string) string {
	t.Helper()
	resp, err := http.Get(r.Metrics)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
