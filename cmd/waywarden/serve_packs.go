package main

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules/bundle"
	"github.com/waywarden/waywarden/rules/packs"
)

// newLoader makes what loads the rules of RulePacks.
func (s *server) newLoader(counted *packMetrics, log logr.Logger) *packs.Loader {
	return packs.NewLoader(packs.LoaderOptions{Cache: s.manager.GetCache(), Own: s.own, Base: s.base, Observe: counted.loaded, Log: log,
		Changed: func(ctx context.Context) {
			s.asking.inForce(s.packs.Checks())
			s.rules.Renew(ctx)
		}})
}

// keeper decides which revisions of RulePacks are in force.
func (s *server) keeper(counted *packMetrics, log logr.Logger) manager.Runnable {
	return packs.NewKeeper(packs.KeeperOptions{Cache: s.manager.GetCache(), Own: s.own, Client: s.manager.GetClient(), Base: s.base, InForce: s.packs.InForce,
		Stored: s.stored, Fetch: packs.FromRegistry(s.registries()), Recorder: s.manager.GetEventRecorder("waywarden"), Report: counted.report, Took: counted.took, Log: log})
}

// registries is how registries are reached from which RulePacks fetch bundles.
func (s *serve) registries() bundle.Access {
	a := bundle.Access{Plain: s.registryPlain}
	if s.registryConfig != "" {
		a.Credentials = bundle.FileCredentials(s.registryConfig)
	}
	return a
}

// gate judges RulePacks at admission.
func (s *server) gate() *packs.Gate {
	return packs.NewGate(packs.GateOptions{Cache: s.manager.GetCache(), Own: s.own, Base: s.base, InForce: s.packs.InForce, Stored: s.stored})
}

// stored is what the rules of a pack would be asked of.
func (s *server) stored() packs.Stored {
	out := packs.Stored{Snapshot: s.live.Known(), Now: s.now()}
	if book := s.rules.Rulebook(); book != nil {
		out.Ruled, out.Parameters = true, book.Parameters()
	}
	return out
}

// packReasons are those of the condition Ready of RulePacks, and so the values of a label.
var packReasons = []string{v1alpha1.ReasonInForce, v1alpha1.ReasonRolledBack, v1alpha1.ReasonInvalid, v1alpha1.ReasonCompileError, v1alpha1.ReasonTestFailed,
	v1alpha1.ReasonTooSlow, v1alpha1.ReasonTooLarge, v1alpha1.ReasonConflict, v1alpha1.ReasonParametersInUse, v1alpha1.ReasonSourceUnavailable, v1alpha1.ReasonSignatureInvalid, v1alpha1.ReasonBundleInvalid, v1alpha1.ReasonRevisionUnknown,
	v1alpha1.ReasonNotVerified, v1alpha1.ReasonFetching, v1alpha1.ReasonJudging, v1alpha1.ReasonPreviewing, v1alpha1.ReasonActivating, v1alpha1.ReasonKeepFailed, "Error"}

// packMetrics count what becomes of RulePacks.
type packMetrics struct {
	packs *prometheus.GaugeVec
	steps *prometheus.HistogramVec
	loads *prometheus.CounterVec
}

func newPackMetrics(r prometheus.Registerer) *packMetrics {
	m := &packMetrics{
		packs: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "waywarden_rulepacks",
			Help: "RulePacks, by the reason of their condition Ready. Only the leader knows."}, []string{"reason"}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "waywarden_rulepack_duration_seconds",
			Help: "How long it takes to judge a RulePack, to preview it, and to fetch it.", Buckets: prometheus.ExponentialBuckets(.01, 3, 9)}, []string{"step", "outcome"}),
		loads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waywarden_rulepack_loads_total",
			Help: "Revisions of RulePacks that this replica loaded, or could not load: then the one before stays in force."}, []string{"outcome"}),
	}
	r.MustRegister(m.packs, m.steps, m.loads)
	return m
}

func (m *packMetrics) report(reasons map[string]int) {
	for _, reason := range packReasons {
		m.packs.WithLabelValues(reason).Set(float64(reasons[reason]))
	}
}

func (m *packMetrics) took(step packs.Step, outcome string, d time.Duration) {
	m.steps.WithLabelValues(string(step), outcome).Observe(d.Seconds())
}

func (m *packMetrics) loaded(ok bool) {
	outcome := "loaded"
	if !ok {
		outcome = "failed"
	}
	m.loads.WithLabelValues(outcome).Inc()
}
