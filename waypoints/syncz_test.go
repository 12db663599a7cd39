package waypoints

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// line is a proxy of /debug/syncz, as istiod writes it: what was sent and acknowledged of two types, and when.
func line(id, kind, sent, acked, lastError string, at time.Time) string {
	one := fmt.Sprintf(`{"sent": %q, "acked": %q, "sentTime": %q, "lastError": %q}`, sent, acked, at.Format(time.RFC3339Nano), lastError)
	types := deciding(kind)
	return fmt.Sprintf(`{"cluster_id": "Kubernetes", "proxy": %q, "proxy_type": %q, "istio_version": "1.31", "resources": {%q: %s, %q: %s}}`, id, kind, types[0], one, types[1], one)
}

// TestAcknowledged: up to when all proxies run with what was stored, by what each istiod says.
func TestAcknowledged(t *testing.T) {
	const settle = 15 * time.Second
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	zt, wp := "zt-1.istio-system", "waypoint-1.shop"
	for name, c := range map[string]struct {
		istiods [][]string
		want    time.Time // zero where somebody is behind
		why     string
	}{
		"a push since":       {[][]string{{line(zt, "ztunnel", "b", "b", "", ago(3*time.Second)), line(wp, "waypoint", "b", "b", "", ago(5*time.Second))}}, ago(6 * time.Second), ""},
		"no push for long":   {[][]string{{line(zt, "ztunnel", "b", "b", "", ago(time.Hour)), line(wp, "waypoint", "b", "b", "", ago(time.Second))}}, ago(settle), ""},
		"at two istiods":     {[][]string{{line(zt, "ztunnel", "b", "b", "", ago(2*time.Second))}, {line(wp, "waypoint", "b", "b", "", ago(4*time.Second))}}, ago(5 * time.Second), ""},
		"a clock ahead":      {[][]string{{line(zt, "ztunnel", "b", "b", "", ago(-time.Hour)), line(wp, "waypoint", "b", "b", "", ago(-time.Hour))}}, ago(settle), ""},
		"not acknowledged":   {[][]string{{line(zt, "ztunnel", "b", "a", "", ago(time.Minute)), line(wp, "waypoint", "b", "b", "", ago(time.Minute))}}, time.Time{}, zt + " has not yet taken"},
		"refused":            {[][]string{{line(zt, "ztunnel", "b", "b", "", ago(time.Minute)), line(wp, "waypoint", "b", "b", "no such cluster", ago(time.Minute))}}, time.Time{}, wp + " refuses its configuration: no such cluster"},
		"one is missing":     {[][]string{{line(zt, "ztunnel", "b", "b", "", ago(time.Minute))}}, time.Time{}, wp + " is not connected"},
		"others are nothing": {[][]string{{line(zt, "ztunnel", "b", "b", "", ago(time.Minute)), line(wp, "waypoint", "b", "b", "", ago(time.Minute)), line("gone.shop", "waypoint", "b", "a", "", ago(time.Minute))}}, time.Time{}, "gone.shop"},
	} {
		t.Run(name, func(t *testing.T) {
			var urls []string
			for _, lines := range c.istiods {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/debug/syncz" {
						http.NotFound(w, r)
						return
					}
					fmt.Fprintf(w, "[%s]", strings.Join(lines, ","))
				}))
				defer server.Close()
				urls = append(urls, server.URL)
			}
			k := convergence{istiods: Istiods{URLs: func() []string { return urls }}, settle: settle}
			k.look(t.Context(), map[string]string{zt: "", wp: ""}, noon)
			if !k.at.Equal(c.want) || !strings.Contains(k.behind, c.why) || (c.why == "") != (k.behind == "") || k.unverified != "" {
				t.Errorf("acknowledged up to %s, behind: %q, unverified: %q; want %s and %q", k.at, k.behind, k.unverified, c.want, c.why)
			}
		})
	}
}

// TestByTheClock: where istiod does not say what its proxies run with, it is the clock that says, and why is told. What
// was known before stays known.
func TestByTheClock(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "[]")
	}))
	defer server.Close()
	at := func() []string { return []string{server.URL} }
	for name, c := range map[string]struct {
		istiods Istiods
		why     string
	}{
		"nobody is asked":     {Istiods{}, "no istiod is asked"},
		"there is none":       {Istiods{URLs: func() []string { return nil }}, "no istiod is asked"},
		"not allowed":         {Istiods{URLs: at}, "401 Unauthorized"},
		"allowed":             {Istiods{URLs: at, TokenFile: token}, ""},
		"no token":            {Istiods{URLs: at, TokenFile: token + "x"}, "read the token for istiod"},
		"one does not answer": {Istiods{URLs: func() []string { return []string{server.URL, "http://127.0.0.1:1"} }, TokenFile: token}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			k := convergence{istiods: c.istiods, settle: time.Minute, at: noon.Add(-time.Hour)}
			k.look(t.Context(), nil, noon)
			if !strings.Contains(k.unverified, c.why) || (c.why == "") != (k.unverified == "") || !k.at.Equal(noon.Add(-time.Minute)) {
				t.Errorf("unverified: %q, acknowledged up to %s", k.unverified, k.at)
			}
			k.look(t.Context(), nil, noon.Add(-time.Hour))
			if !k.at.Equal(noon.Add(-time.Minute)) {
				t.Errorf("what was known is no longer: %s", k.at)
			}
		})
	}
}

// TestDue: istiod is asked more seldom the longer one proxy is behind, and at once again when somebody got on.
func TestDue(t *testing.T) {
	k := convergence{settle: time.Minute}
	now, asked := noon, 0
	for ; now.Before(noon.Add(10 * time.Minute)); now = now.Add(100 * time.Millisecond) {
		if k.due(now) {
			asked++
		}
	}
	if asked < 20 || asked > 40 {
		t.Errorf("asked %d times in ten minutes", asked)
	}
	k.rest()
	if !k.due(now) || k.due(now.Add(900*time.Millisecond)) || !k.due(now.Add(firstAsk)) {
		t.Error("the next one who waits is not served soon")
	}
}

// TestAway: of a ztunnel that no istiod knows it is said on which node it is, and what to do if that is gone; whoever waits says it too.
func TestAway(t *testing.T) {
	const pods = `{apiVersion: v1, kind: Pod, metadata: {name: ztunnel-a, namespace: istio-system, labels: {app: ztunnel}}, spec: {nodeName: worker-1}, status: {phase: Running}}
---
{apiVersion: v1, kind: Pod, metadata: {name: ztunnel-b, namespace: istio-system, labels: {app: ztunnel}}, spec: {nodeName: worker-2}, status: {phase: Running}}
---
{apiVersion: v1, kind: Pod, metadata: {name: ztunnel-c, namespace: istio-system, labels: {app: ztunnel}, deletionTimestamp: "2026-01-01T00:00:00Z"}, spec: {nodeName: worker-3}, status: {phase: Running}}`
	expected := ztunnels(mesh.New(mesh.Options{}, objects(t, pods)...))
	if want := map[string]string{"ztunnel-a.istio-system": "worker-1", "ztunnel-b.istio-system": "worker-2"}; !maps.Equal(expected, want) {
		t.Fatalf("expected are %v", expected)
	}
	lines := line("ztunnel-a.istio-system", "ztunnel", "b", "b", "", noon)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "[%s]", lines) }))
	defer server.Close()
	k := convergence{istiods: Istiods{URLs: func() []string { return []string{server.URL} }}, settle: Settle}
	k.look(t.Context(), expected, noon)
	const want = "ztunnel-b.istio-system on node worker-2 is not connected to any istiod that was asked. If the node is gone for good, kubectl delete node worker-2 lets this go on"
	if k.away != want || k.behind != want {
		t.Errorf("away: %q, behind: %q", k.away, k.behind)
	}
	lines += "," + line("ztunnel-b.istio-system", "ztunnel", "b", "a", "", noon)
	if k.look(t.Context(), expected, noon); k.away != "" || !strings.Contains(k.behind, "has not yet taken") {
		t.Errorf("away: %q, behind: %q", k.away, k.behind)
	}
}
