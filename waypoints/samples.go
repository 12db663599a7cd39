package waypoints

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// What proxies count, as they write it for Prometheus.
const (
	// opened and closed are of each connection that a ztunnel takes (ztunnel src/proxy/metrics.rs CommonTrafficLabels). The labels of
	// both are the same but for response_flags, which are known at the end only, so that what is open is their difference.
	openedMetric = "istio_tcp_connections_opened_total"
	closedMetric = "istio_tcp_connections_closed_total"
	// activeMetric is what an Envoy has open, by listener. Istio has it written where EXIT_ON_ZERO_ACTIVE_CONNECTIONS is set, or
	// proxyStatsMatcher asks for it (pkg/bootstrap/config.go requiredEnvoyStatsMatcherInclusionSuffixes).
	activeMetric = "downstream_cx_active"
	// mainListener is the listener of a waypoint through which each connection passes that came by HBONE, as Envoy names it in stats
	// (pilot/pkg/networking/core/waypoint.go MainInternalName). The one on port 15008 counts what clients' ztunnels keep open for
	// later as well.
	mainListener = "main_internal"
)

// sample is one number that a proxy counts.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

const (
	maxMetrics = 64 << 20 // of one proxy
	maxLine    = 1 << 20
)

// readSamples reads what matters here out of what a proxy writes, in Prometheus' text format or in OpenMetrics', of which ztunnel's
// is. Everything else is passed over before it is parsed: there is much of it, and what applications write stands beside it.
func readSamples(in io.Reader) ([]sample, error) {
	limited := &io.LimitedReader{R: in, N: maxMetrics + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var kept bytes.Buffer
	for lines.Scan() {
		if line := lines.Bytes(); matters(line) {
			kept.Write(line)
			kept.WriteByte('\n')
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	if limited.N == 0 { // the rest may hold what matters
		return nil, fmt.Errorf("read metrics: they are longer than %d bytes", maxMetrics)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&kept)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	var out []sample
	for name, family := range families {
		for _, m := range family.GetMetric() {
			s := sample{name: name, labels: make(map[string]string, len(m.GetLabel())), value: m.GetUntyped().GetValue()} // without a TYPE before it
			for _, l := range m.GetLabel() {
				s.labels[l.GetName()] = l.GetValue()
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// matters is whether a line is a sample that is read here.
func matters(line []byte) bool {
	name, _, _ := strings.Cut(string(line[:min(len(line), 200)]), "{")
	name, _, _ = strings.Cut(name, " ")
	return name == openedMetric || name == closedMetric || strings.HasPrefix(name, "envoy_listener_") && strings.HasSuffix(name, activeMetric)
}

// activeAt is how many connections a waypoint's pod has open; ok is false where it does not write that.
func activeAt(samples []sample) (n int, ok bool) {
	for _, s := range samples {
		if !strings.HasSuffix(s.name, activeMetric) {
			continue
		}
		of := s.name // Envoy takes only addresses out of a stat's name into a label
		for _, v := range s.labels {
			of += " " + v
		}
		if strings.Contains(of, mainListener) && !strings.Contains(of, "worker_") {
			n, ok = n+whole(s.value), true
		}
	}
	return n, ok
}

// whole is a number of connections. What is none, as a proxy may write it, counts as one, so that nothing is taken to be over for it.
func whole(v float64) int {
	switch {
	case math.IsNaN(v), v > math.MaxInt32:
		return 1
	case v < 0:
		return 0
	}
	return int(v)
}

// flow is connections, as a ztunnel tells them apart.
type flow struct {
	reporter  string // "source" or "destination"
	caller    string // the principal, without spiffe://; "" where there is none
	namespace string // of the pod that is called
	principal string // of the pod that is called
	workload  string // that made it
	service   string // by which it was called, as "namespace/name"; "" where that is not known
}

// tally is how many connections of a flow there were, and are.
type tally struct{ opened, closed, denied float64 }

func (c tally) open() int { return whole(c.opened - c.closed) }

// let is how many were let in.
func (c tally) let() float64 { return c.opened - c.denied }

// flowsOf are the connections that a ztunnel has counted.
func flowsOf(samples []sample) map[flow]tally {
	out := map[flow]tally{}
	for _, s := range samples {
		if s.name != openedMetric && s.name != closedMetric {
			continue
		}
		f := flow{reporter: s.labels["reporter"], caller: principalIn(s.labels["source_principal"]), namespace: known(s.labels["destination_workload_namespace"]),
			principal: principalIn(s.labels["destination_principal"]), workload: known(s.labels["destination_workload"])}
		if name := known(s.labels["destination_service_name"]); name != "" {
			f.service = known(s.labels["destination_service_namespace"]) + "/" + name
		}
		c := out[f]
		switch {
		case s.name == openedMetric:
			c.opened += s.value
		case s.labels["response_flags"] == "DENY":
			c.closed, c.denied = c.closed+s.value, c.denied+s.value
		default:
			c.closed += s.value
		}
		out[f] = c
	}
	return out
}

// known is a label's value; ztunnel writes "unknown" for what it does not know.
func known(v string) string {
	if v == "unknown" {
		return ""
	}
	return v
}

func principalIn(principal string) string { return strings.TrimPrefix(known(principal), "spiffe://") }
