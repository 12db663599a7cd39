package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/openreports"
	"github.com/waywarden/waywarden/policies/mesh"
)

// auditFlags say how what is stored is audited.
type auditFlags struct {
	interval time.Duration
	reports  choice
	lines    string
	events   bool
}

func (a *auditFlags) add(f *pflag.FlagSet) {
	a.reports = choice{value: "auto", allowed: []string{"auto", "openreports", "policyreport", "none"}}
	f.DurationVar(&a.interval, "audit-interval", time.Hour, "how often everything that is stored is judged anew; in between, what a change can have changed")
	f.Var(&a.reports, "reports", "where the audit's reports are stored: openreports, policyreport, none, or auto: whichever is served")
	f.StringVar(&a.lines, "audit-log", "", "write what is new and what is gone as JSON lines to this file, - for standard output; empty for nowhere")
	f.BoolVar(&a.events, "audit-events", true, "make Events on the objects of new findings that are high or worse")
}

// apis are those that reports may be stored by, the first that is served.
func (a *auditFlags) apis() []openreports.API {
	switch a.reports.value {
	case "openreports":
		return []openreports.API{openreports.OpenReports}
	case "policyreport":
		return []openreports.API{openreports.PolicyReport}
	case "none":
		return nil
	}
	return []openreports.API{openreports.OpenReports, openreports.PolicyReport}
}

// auditor is what audits everything that is stored; beside is what is found besides.
func (s *server) auditor(cfg *rest.Config, gauges *gauges, beside audit.Beside) (*audit.Continuous, error) {
	log := logr.FromSlogHandler(s.log.Handler()).WithName("audit")
	counted := newAuditMetrics()
	metrics.Registry.MustRegister(counted.took, counted.judged, counted.differences, counted.reports, counted.dropped, counted.held)
	o := audit.ContinuousOptions{Subscribe: s.live.Subscribe, Authored: s.rules.Current, Labels: s.live.NamespaceLabels, Interval: s.audit.interval, Report: gauges.audited, Observe: counted.observe, Log: log,
		Beside: beside, Held: counted.hold, Meter: s.asking.meter(), Panicked: s.asking.panicked}
	var tell []func(audit.News)
	if s.audit.events {
		tell = append(tell, audit.EventsTo(s.manager.GetEventRecorder("waywarden"), s.uid, func(n int) { counted.dropped.Add(float64(n)) }))
	}
	if s.audit.lines != "" {
		w, err := s.audit.open()
		if err != nil {
			return nil, err
		}
		tell = append(tell, audit.LinesTo(w, func(err error) { log.Error(err, "the audit's log is not complete") }))
	}
	o.Tell = func(n audit.News) {
		for _, t := range tell {
			t(n)
		}
	}
	if apis := s.audit.apis(); len(apis) > 0 {
		o.Reports = func(ctx context.Context) (*openreports.Writer, error) { return s.reports(ctx, cfg, apis) }
	}
	return audit.NewContinuous(o), nil
}

// uid is that of an object that is stored; "" where it is not known.
func (s *server) uid(r mesh.Ref) string {
	kind, ok := mesh.KindOf(r.APIVersion, r.Kind)
	if !ok {
		return ""
	}
	if o := s.live.Snapshot().Get(kind, r.Namespace, r.Name); o != nil {
		return o.UID
	}
	return ""
}

func (a *auditFlags) open() (io.Writer, error) {
	if a.lines == "-" {
		return os.Stdout, nil
	}
	f, err := os.OpenFile(a.lines, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--audit-log: %w", err)
	}
	return f, nil
}

// reports connects to where reports are stored.
func (s *server) reports(ctx context.Context, cfg *rest.Config, apis []openreports.API) (*openreports.Writer, error) {
	api, err := openreports.Served(cfg, apis...)
	if err != nil {
		return nil, err
	}
	owner, err := s.owner(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return openreports.NewWriter(cfg, openreports.Options{API: api, Owner: owner, Checks: s.rules.Checks})
}

// owner is what takes the reports along when waywarden is uninstalled: an object of the installation that lies in no
// namespace, because those in one can own nothing in another. nil where there is none.
func (s *server) owner(ctx context.Context, cfg *rest.Config) (*metav1.OwnerReference, error) {
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	owner, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, s.validating, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ValidatingWebhookConfiguration %s, which owns the reports: %w", s.validating, err)
	}
	return &metav1.OwnerReference{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration", Name: owner.Name, UID: owner.UID}, nil
}

// auditMetrics count what the audit does.
type auditMetrics struct {
	took        *prometheus.HistogramVec
	judged      prometheus.Counter
	differences prometheus.Counter
	reports     *prometheus.CounterVec
	dropped     prometheus.Counter
	held        prometheus.Gauge
}

func newAuditMetrics() *auditMetrics {
	return &auditMetrics{
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "waywarden_audit_duration_seconds", Help: "How long audits take, of everything (full) or of what a change can have changed.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10)}, []string{"pass"}),
		judged: prometheus.NewCounter(prometheus.CounterOpts{Name: "waywarden_audit_objects_total", Help: "Objects that were judged by audits."}),
		differences: prometheus.NewCounter(prometheus.CounterOpts{Name: "waywarden_audit_differences_total",
			Help: "Objects of which something else was kept than a full audit finds. It must stay 0: more is a mistake in waywarden."}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waywarden_audit_reports_total", Help: "Report objects, by what became of them: written, unchanged, smaller, deleted or failed."}, []string{"outcome"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "waywarden_audit_events_dropped_total", Help: "Events of new findings that were too many to make."}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{Name: "waywarden_audit_held",
			Help: "1 while the audit keeps what it found and judges nothing, because not everything can be read that answers depend on."}),
	}
}

func (m *auditMetrics) hold(held bool) {
	m.held.Set(0)
	if held {
		m.held.Set(1)
	}
}

func (m *auditMetrics) observe(o audit.Observation) {
	if o.Report != "" {
		m.reports.WithLabelValues(string(o.Report)).Inc()
		return
	}
	pass := "incremental"
	if o.Full {
		pass = "full"
	}
	m.took.WithLabelValues(pass).Observe(o.Took.Seconds())
	m.judged.Add(float64(o.Objects))
	m.differences.Add(float64(o.Differences))
}
