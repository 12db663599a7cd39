package main

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waywarden/waywarden/policies"
)

// ruleMetrics count what it costs to ask rules in Rego, at admission and in audits, and which of them fail. A label is the ID of a rule
// that is in force, or policies.Together.
type ruleMetrics struct {
	took   *prometheus.HistogramVec
	errors *prometheus.CounterVec

	mu    sync.Mutex
	known map[string]bool // the rules in force
}

func newRuleMetrics(r prometheus.Registerer) *ruleMetrics {
	m := &ruleMetrics{
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "waywarden_rule_duration_seconds",
			Help:    "How long OPA took to answer a rule, or several that it was asked together. What is plain without OPA does not count.",
			Buckets: []float64{.00005, .0002, .001, .005, .02, .1, .5, 2}}, []string{"rule"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waywarden_rule_errors_total",
			Help: "Questions that a rule could not answer, because it failed or ran out of time. Nobody knows what it would have found."}, []string{"rule"}),
	}
	r.MustRegister(m.took, m.errors)
	return m
}

// meter is who hears of rules.
func (m *ruleMetrics) meter() *policies.Meter {
	return &policies.Meter{
		Took:   func(rule string, took time.Duration) { m.took.WithLabelValues(rule).Observe(took.Seconds()) },
		Failed: func(rule string) { m.errors.WithLabelValues(rule).Inc() },
	}
}

// inForce takes in which checks there are now. The errors of a rule are 0 before the first, because Prometheus sees no increase in a
// series that begins; of a rule that is gone nothing stays, or a cluster that tries rules would gather series for ever. A request that
// is being judged by it meanwhile may leave one behind.
func (m *ruleMetrics) inForce(checks []*policies.Check) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := map[string]bool{}
	for _, c := range checks {
		if c.Revision != "" { // a rule; the checks of this program do not fail
			now[c.ID] = true
			m.errors.WithLabelValues(c.ID)
		}
	}
	for id := range m.known {
		if !now[id] {
			m.errors.DeleteLabelValues(id)
			m.took.DeleteLabelValues(id)
		}
	}
	m.known = now
}
