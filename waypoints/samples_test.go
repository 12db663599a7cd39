package waypoints

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// TestTooMuch: what is longer than is read is not taken for all that a proxy counts.
func TestTooMuch(t *testing.T) {
	line := "other_metric " + strings.Repeat("1", 1<<10-len("other_metric ")-1) + "\n"
	for more, whole := range map[string]bool{"": true, "\n": false, openedMetric + " 1\n": false} {
		got, err := readSamples(io.MultiReader(strings.NewReader(strings.Repeat(line, maxMetrics/len(line))), strings.NewReader(more)))
		if (err == nil) != whole {
			t.Errorf("with %q at the end: %v, error %v", more, got, err)
		}
	}
}

// counting counts as a proxy does, by Prometheus' own library.
type counting struct {
	*prometheus.Registry
	opened, closed *prometheus.CounterVec
}

// trafficLabels are those of a ztunnel's connections (src/proxy/metrics.rs CommonTrafficLabels).
var trafficLabels = []string{"reporter", "source_workload", "source_workload_namespace", "source_principal", "destination_service",
	"destination_service_namespace", "destination_service_name", "destination_workload", "destination_workload_namespace",
	"destination_principal", "request_protocol", "response_flags", "connection_security_policy"}

func newCounting() *counting {
	c := &counting{Registry: prometheus.NewRegistry(),
		opened: prometheus.NewCounterVec(prometheus.CounterOpts{Name: openedMetric, Help: "The total number of TCP connections opened."}, trafficLabels),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: closedMetric, Help: "The total number of TCP connections closed."}, trafficLabels)}
	c.MustRegister(c.opened, c.closed, prometheus.NewGauge(prometheus.GaugeOpts{Name: "workload_manager_active_proxy_count", Help: "Not read here."}))
	return c
}

// connection is one that a ztunnel has taken: from whom, to which Service, and how it ended; "" where it is open.
type connection struct{ reporter, caller, service, workload, principal, ended string }

func (c *counting) take(all ...connection) *counting {
	for _, one := range all {
		ns, name, _ := strings.Cut(one.service, "/")
		of := prometheus.Labels{}
		for _, l := range trafficLabels {
			of[l] = "unknown"
		}
		of["reporter"], of["source_principal"], of["destination_principal"] = one.reporter, one.caller, one.principal
		of["destination_service_namespace"], of["destination_service_name"] = ns, name
		of["destination_workload"], of["destination_workload_namespace"] = one.workload, "shop"
		of["response_flags"] = "-"
		c.opened.With(of).Inc()
		if one.ended != "" {
			of["response_flags"] = one.ended
			c.closed.With(of).Inc()
		}
	}
	return c
}

// envoy is a gauge of a waypoint's Envoy, by listener.
func (c *counting) envoy(active map[string]float64) *counting {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "envoy_listener_downstream_cx_active"}, []string{"envoy_listener_address"})
	c.MustRegister(g)
	for at, n := range active {
		g.WithLabelValues(at).Set(n)
	}
	return c
}

// text is what is counted in a format.
func (c *counting) text(t testing.TB, format expfmt.Format) string {
	t.Helper()
	families, err := c.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e := expfmt.NewEncoder(&out, format)
	for _, f := range families {
		if err := e.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	if closer, ok := e.(expfmt.Closer); ok {
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

var (
	plain       = expfmt.NewFormat(expfmt.TypeTextPlain)
	openMetrics = expfmt.NewFormat(expfmt.TypeOpenMetrics)
)

const (
	web      = "spiffe://cluster.local/ns/shop/sa/web"
	waypoint = "spiffe://cluster.local/ns/shop/sa/waypoint"
	cartPods = "spiffe://cluster.local/ns/shop/sa/cart"
)

// TestFlows: the same is read of a ztunnel in either format: who called what how often, what is open, and what was denied.
func TestFlows(t *testing.T) {
	c := newCounting().take(
		connection{"destination", web, "shop/cart", "cart", cartPods, ""},
		connection{"destination", web, "shop/cart", "cart", cartPods, "-"},
		connection{"destination", web, "shop/cart", "cart", cartPods, "DENY"},
		connection{"destination", "unknown", "unknown/unknown", "cart", cartPods, "CONNECT"},
		connection{"source", web, "shop/cart", "waypoint", waypoint, ""},
	)
	want := map[flow]tally{
		{"destination", "cluster.local/ns/shop/sa/web", "shop", "cluster.local/ns/shop/sa/cart", "cart", "shop/cart"}:    {opened: 3, closed: 2, denied: 1},
		{"destination", "", "shop", "cluster.local/ns/shop/sa/cart", "cart", ""}:                                         {opened: 1, closed: 1},
		{"source", "cluster.local/ns/shop/sa/web", "shop", "cluster.local/ns/shop/sa/waypoint", "waypoint", "shop/cart"}: {opened: 1},
	}
	for _, format := range []expfmt.Format{plain, openMetrics} {
		samples, err := readSamples(strings.NewReader(c.text(t, format)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, flowsOf(samples), cmp.AllowUnexported(flow{}, tally{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
}

// TestActive: what passes a waypoint is counted once, however Envoy names its listener, and not what is kept open for later.
func TestActive(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		n    int
		ok   bool
	}{
		"as a label":          {newCounting().envoy(map[string]float64{"0.0.0.0_15008": 7, "envoy_internal_main_internal": 3, "envoy_internal_connect_originate": 9, "0.0.0.0_15021": 1}).text(t, plain), 3, true},
		"none":                {newCounting().envoy(map[string]float64{"0.0.0.0_15008": 7, "envoy_internal_main_internal": 0}).text(t, plain), 0, true},
		"not written":         {newCounting().text(t, plain), 0, false},
		"only what is kept":   {newCounting().envoy(map[string]float64{"0.0.0.0_15008": 7}).text(t, plain), 0, false},
		"in the name":         {"# TYPE envoy_listener_envoy_internal_main_internal_downstream_cx_active gauge\nenvoy_listener_envoy_internal_main_internal_downstream_cx_active{} 4\n", 4, true},
		"by worker as well":   {"envoy_listener_envoy_internal_main_internal_downstream_cx_active{} 4\nenvoy_listener_envoy_internal_main_internal_worker_0_downstream_cx_active{} 4\n", 4, true},
		"beside applications": {"# TYPE mine histogramme\nmine{le=\"+Inf 1\n" + newCounting().envoy(map[string]float64{"main_internal": 2}).text(t, plain), 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			samples, err := readSamples(strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if n, ok := activeAt(samples); n != tc.n || ok != tc.ok {
				t.Errorf("got %d, %v; want %d, %v", n, ok, tc.n, tc.ok)
			}
		})
	}
	if _, err := readSamples(strings.NewReader(openedMetric + "{reporter=\"source\" 1\n")); err == nil {
		t.Error("what is not well formed is read")
	}
}

// FuzzSamples: whatever a proxy writes is read or refused, and what is read makes sense.
func FuzzSamples(f *testing.F) {
	c := newCounting().take(connection{"destination", web, "shop/cart", "cart", cartPods, ""}).envoy(map[string]float64{"envoy_internal_main_internal": 3})
	for _, format := range []expfmt.Format{plain, openMetrics} {
		f.Add(c.text(f, format))
	}
	f.Add(openedMetric + "{} NaN\n" + closedMetric + " -1e400\n")
	f.Add("envoy_listener_downstream_cx_active{a=\"main_internal\"} 1e300\n")
	f.Fuzz(func(t *testing.T, text string) {
		samples, err := readSamples(strings.NewReader(text))
		if err != nil {
			return
		}
		if n, _ := activeAt(samples); n < 0 {
			t.Errorf("%d connections are open", n)
		}
		for _, c := range flowsOf(samples) {
			if c.open() < 0 {
				t.Errorf("%d connections are open", c.open())
			}
		}
	})
}
