package webhook

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Metrics are what admission counts. All label sets are closed: no object, user or message is a label.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	findings *prometheus.CounterVec
	dropped  *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waywarden_admission_requests_total",
			Help: "Admission requests that were answered, by what was decided."}, []string{"kind", "operation", "decision", "dry_run"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "waywarden_admission_duration_seconds",
			Help:    "How long it took to judge a request, from its decoded AdmissionReview to the answer.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1}}, []string{"kind", "operation"}),
		findings: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waywarden_admission_findings_total",
			Help: "What was found about objects at admission, by what was done about it. Dry runs count."}, []string{"check", "severity", "action"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waywarden_admission_dropped_total",
			Help: "Requests that were answered with an HTTP error, so that failurePolicy decided."}, []string{"why"}),
	}
	r.MustRegister(m.requests, m.duration, m.findings, m.dropped)
	return m
}

// Observe counts one decision.
func (m *Metrics) Observe(r Record) {
	if r.Phase == "mutate" && r.Outcome != Repaired {
		return // its validation is counted
	}
	kind, operation := knownKind(r), knownOperation(r)
	m.requests.WithLabelValues(kind, operation, r.Outcome, strconv.FormatBool(r.DryRun())).Inc()
	m.duration.WithLabelValues(kind, operation).Observe(r.Took.Seconds())
	for i := range r.Findings {
		action := string(r.Decision.Rulings[i].Action)
		if r.Decision.Rulings[i].Exempt != nil {
			action = Exempt
		}
		m.findings.WithLabelValues(r.Findings[i].Check, string(r.Findings[i].Severity), action).Inc()
	}
}

// Dropped counts a request that was not answered, and why.
func (m *Metrics) Dropped(why string) { m.dropped.WithLabelValues(why).Inc() }

// knownKind is the kind as a label: "other" for one that the webhook is not registered for, because whoever can reach the
// port can name any.
func knownKind(r Record) string {
	if k, ok := mesh.KindOf(apiVersion(r.request), r.Kind()); ok {
		return k.String()
	}
	if isOwn(r.request.Kind.Group, r.Kind()) {
		return r.Kind()
	}
	return "other"
}

// knownOperation is the operation as a label, for the same reason.
func knownOperation(r Record) string {
	switch r.request.Operation {
	case admissionv1.Create, admissionv1.Update, admissionv1.Delete:
		return r.Operation()
	}
	return "other"
}
