package waypoints

import (
	"testing"
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestNotReadYet: a waypoint is not taken away because nobody has read yet what passes it, however long it has had time: not by a new
// leader, and not when it gets another pod, or one does not answer for once. Only when that lasts it is given up, and said.
func TestNotReadYet(t *testing.T) {
	const (
		reads  = "waits: connections through it are counted first: what proxies count is being read"
		stays  = "stopped: waypoint shop/waypoint stays: 7 connections through it are still open. Restart the clients that hold them."
		other  = "waits: connections through it are counted first: its pod at 10.0.1.3 was not read yet"
		broken = "waits: connections through it are counted first: its pod at 10.0.1.1 was not read: it answers 503 Service Unavailable"
		gone   = "remove-gateway: nothing is bound to it, and no connection is open through it"
	)
	busy, idle := newCounting().envoy(map[string]float64{"envoy_internal_main_internal": 7}), newCounting().envoy(map[string]float64{"envoy_internal_main_internal": 0})
	px := proxies{"10.0.1.1": busy, "10.0.0.1": newCounting(), "10.0.0.2": newCounting()} // of clients that no ztunnel knows
	m, clock := newMeters(px.scrape(t), noon)
	one, two, three := []string{"10.0.1.1"}, []string{"10.0.1.1", "10.0.1.2"}, []string{"10.0.1.1", "10.0.1.3"}
	for i, tc := range []struct {
		after time.Duration
		pod   *counting // what the first pod says
		read  bool      // before it is looked at
		pods  []string
		want  string
	}{
		{0, busy, false, one, reads},
		{time.Minute, busy, false, one, reads},
		{time.Second, busy, true, one, stays},
		{time.Second, busy, false, two, stays},
		{time.Second, idle, true, one, gone},
		{time.Second, idle, false, three, other},
		{time.Second, busy, true, one, stays},
		{time.Second, nil, true, one, broken},
		{countWithin - time.Second, nil, true, one, broken},
		{time.Second, busy, true, one, stays},
		{time.Second, nil, true, one, broken},
		{countWithin, nil, true, one, gone}, // by the ztunnels
		{time.Second, nil, true, one, gone},
		{time.Second, busy, true, one, stays},
	} {
		clock.Step(tc.after)
		px["10.0.1.1"] = tc.pod
		if tc.read {
			m.readNow(t)
		}
		if got := drains(t, &m, clock.Now(), tc.pods); got != tc.want {
			t.Errorf("look %d: %s", i, got)
		}
	}
	m, clock = newMeters(px.scrape(t), noon)
	drains(t, &m, clock.Now(), one)
	clock.Step(countWithin)
	if got, want := drains(t, &m, clock.Now(), one), "remove-gateway: nothing is bound to it for 5m0s; unverified, whether connections through it are open: what proxies count is being read, and that for 2m20s"; got != want {
		t.Errorf("when no reading ends: %s", got)
	}
}

// drains is what is done about a waypoint that has been drained for longer than it is given.
func drains(t *testing.T, m *meters, now time.Time, pods []string) string {
	t.Helper()
	w := metered(t, ", waywarden.dev/draining-since: "+now.Add(-time.Hour).Format(time.RFC3339), plan.Setting{Mode: plan.Provision}, now)
	w.View = policies.NewView(w.View.Snapshot.With(objects(t, `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}`)[0]))
	w.Plan, w.Evidence.Managed = plan.Plan{}, plan.Managed{plan.RefOf(mesh.Gateway, "shop", "waypoint"): nil}
	m.look(&w, func(string, string) []string { return pods })
	p := plan.Next(w)
	switch {
	case len(p) != 1:
		t.Fatalf("%+v", p)
	case p[0].Step != nil:
		return string(p[0].Step.Row) + ": " + p[0].Step.Why
	case len(p[0].Stopped) > 0:
		return "stopped: " + p[0].Stopped[0].Why
	case len(p[0].Waiting) > 0:
		if !p[0].Waiting[0].Until.After(now) {
			t.Error("it is never looked at again")
		}
		return "waits: " + p[0].Waiting[0].Why
	}
	return ""
}
