package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waywarden/waywarden/waypoints"
)

// TestWaypointGauge: what the leader counts is what is scraped, and what is over goes back to nothing; who does not lead says nothing.
func TestWaypointGauge(t *testing.T) {
	r := prometheus.NewRegistry()
	g := newWaypointGauge(r)
	expect := func(want map[string]float64) {
		t.Helper()
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					name += " " + l.GetValue()
				}
				if _, asked := want[name]; asked || len(want) == 0 && m.GetGauge() != nil && f.GetName() != "waywarden_waypoints_broken" {
					got[name] = m.GetGauge().GetValue()
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	values := func(down, blocked, unready, unapplied float64) map[string]float64 {
		return map[string]float64{"waywarden_waypoints_down": down, "waywarden_waypoints_blocked": blocked, "waywarden_waypoints Unready": unready, "waywarden_waypoints NotApplied": unapplied}
	}
	expect(map[string]float64{})
	g.report(waypoints.Census{States: map[string]int{waypoints.Unready: 2, waypoints.NotApplied: 1}, Down: 1, Blocked: 4})
	expect(values(1, 4, 2, 1))
	g.report(waypoints.Census{})
	expect(values(0, 0, 0, 0))
}

// TestScrape: what a proxy counts is read where it says so, and what is no answer is an error.
func TestScrape(t *testing.T) {
	if (&waypointFlags{metrics: choice{value: "none"}}).scrape() != nil {
		t.Error("what nobody wants read is read")
	}
	for name, c := range map[string]struct {
		ip     string
		status int
		want   string // of the error; "" where there is none
	}{
		"answers":        {"127.0.0.1", http.StatusOK, ""},
		"answers badly":  {"127.0.0.1", http.StatusServiceUnavailable, "503"},
		"has no address": {"", http.StatusOK, "parse"},
		"has a name":     {"localhost", http.StatusOK, "parse"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/stats/prometheus" {
					http.NotFound(w, r)
					return
				}
				w.WriteHeader(c.status)
				io.WriteString(w, "counted 1\n")
			}))
			defer server.Close()
			_, text, err := net.SplitHostPort(server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			port, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			body, err := (&waypointFlags{metrics: choice{value: "pods"}, scraped: port}).scrape()(t.Context(), c.ip)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			if got, err := io.ReadAll(body); err != nil || string(got) != "counted 1\n" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
