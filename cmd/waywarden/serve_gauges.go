package main

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/certs"
	"github.com/waywarden/waywarden/webhook"
)

// gauges are what is read off when Prometheus asks, and not counted.
type gauges struct {
	*server
	watchman *watchman
	stock    atomic.Pointer[stock] // what is found of everything that is stored; nil but for the leader

	objects, unread, age, expiry, success, findings, exemptions *prometheus.Desc
}

func newGauges(s *server, w *watchman) *gauges {
	return &gauges{server: s, watchman: w,
		objects: prometheus.NewDesc("waywarden_snapshot_objects", "Objects by which policies are judged.", []string{"kind"}, nil),
		unread:  prometheus.NewDesc("waywarden_snapshot_unread", "Kinds that cannot be read. While it is not 0 little is known, and less is denied: grant list and watch.", nil, nil),
		age:     prometheus.NewDesc("waywarden_snapshot_age_seconds", "How long the API server has sent nothing; it says something about once a minute.", nil, nil),
		expiry:  prometheus.NewDesc("waywarden_certificate_expiry_seconds", "How long the serving certificate is valid.", nil, nil),
		findings: prometheus.NewDesc("waywarden_findings", "What is found of everything that is stored, by what is done about it. Only the leader knows.",
			[]string{"check", "severity", "action"}, nil),
		exemptions: prometheus.NewDesc("waywarden_exemptions", "Exemptions, by what they amount to. Only the leader knows.", []string{"state"}, nil),
		success:    prometheus.NewDesc("waywarden_canary_success", "1 if the API server refused the last canary, so that admission is in force. Only the leader knows.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.objects, g.unread, g.age, g.expiry, g.success, g.findings, g.exemptions} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	status := g.live.Status()
	for kind, n := range status.Objects {
		label := kind.String()
		if kind.Group() != "" && kind.String() == "Gateway" {
			label += "." + kind.Group()
		}
		gauge(g.objects, float64(n), label)
	}
	gauge(g.unread, float64(len(status.Unread)))
	if !status.Heard.IsZero() {
		gauge(g.age, g.now().Sub(status.Heard).Seconds())
	}
	if until, ok := g.certificate.Expiry(); ok {
		gauge(g.expiry, until.Sub(g.now()).Seconds())
	}
	if last := g.watchman.last.Load(); last != nil {
		value := 0.0
		if last.Outcome == certs.Refused {
			value = 1
		}
		gauge(g.success, value)
	}
	if stored := g.stock.Load(); stored != nil {
		for labels, n := range stored.findings {
			gauge(g.findings, n, labels[:]...)
		}
		for state, n := range stored.exemptions {
			gauge(g.exemptions, n, state)
		}
	}
}

// stock counts what is found of everything that is stored, by labels.
type stock struct {
	findings   map[[3]string]float64 // check, severity, action
	exemptions map[string]float64    // state
}

// audited hears what was found of everything that is stored.
func (g *gauges) audited(found audit.Stock) {
	s := &stock{map[[3]string]float64{}, map[string]float64{}}
	for f, r := range found.Found {
		action := string(r.Action)
		if r.Exempt != nil {
			action = webhook.Exempt
		}
		s.findings[[3]string{f.Check, string(f.Severity), action}]++
	}
	for _, e := range found.Exemptions {
		s.exemptions[string(e.State)]++
	}
	g.stock.Store(s)
}
