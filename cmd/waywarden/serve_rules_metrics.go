package main

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// ruleMetrics count what it costs to ask rules in Rego, at admission and in audits, and which of them fail. A label is the ID of a rule
// that is in force, or policies.Together.
type ruleMetrics struct {
	took   *prometheus.HistogramVec
	errors *prometheus.CounterVec

	now func() time.Time
	log *slog.Logger

	mu    sync.Mutex
	known map[string]bool      // the rules in force
	told  map[string]time.Time // when it was last said why a rule fails, or a check panics
}

// untold is how long it is not said again why a rule fails: it may fail about every object, and in every request.
const untold = 10 * time.Minute

func newRuleMetrics(r prometheus.Registerer, now func() time.Time, log *slog.Logger) *ruleMetrics {
	m := &ruleMetrics{now: now, log: log, told: map[string]time.Time{},
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
		Failed: m.failed,
	}
}

// failed counts, and says now and then why: the audit's reports have the number only.
func (m *ruleMetrics) failed(f policies.Failure) {
	m.errors.WithLabelValues(f.Check).Inc()
	if m.due(f.Check) {
		m.log.Error("a rule could not answer, and nobody knows what it would have found", "rule", f.Check, "object", f.Object.String(), "why", f.Message)
	}
}

// panicked says now and then which check met an impossible state.
func (m *ruleMetrics) panicked(p audit.Panic, o mesh.Ref) {
	check := p.Check
	if check == "" {
		check = "effects"
	}
	if m.due(panics + check) {
		m.log.Error("a check could not answer, and nobody knows what it would have found: this is a mistake in waywarden. Report it, with the object", "check", check, "object", o.String(), "why", p.Value)
	}
}

// panics is before the IDs of checks of which it was told that they panic.
const panics = "panic "

// due is whether something is to be said, and takes down that it is.
func (m *ruleMetrics) due(what string) bool {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if last, told := m.told[what]; told && now.Sub(last) < untold {
		return false
	}
	m.told[what] = now
	return true
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
			delete(m.told, id)
			delete(m.told, panics+id)
		}
	}
	m.known = now
}
