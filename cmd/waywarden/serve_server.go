package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/certs"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/memory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
	"github.com/waywarden/waywarden/rules/packs"
	"github.com/waywarden/waywarden/waypoints"
	"github.com/waywarden/waywarden/webhook"
)

// certificate is where the serving certificate comes from; certs has two of them.
type certificate interface {
	manager.Runnable
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Ready(now time.Time) error
	Expiry() (time.Time, bool)
}

// server is everything that serve runs.
type server struct {
	*serve
	log   *slog.Logger
	now   func() time.Time
	spans *tracing

	memory      *memory.Limits
	manager     manager.Manager
	live        *inventory.Live
	rules       *audit.Rulebooks
	certificate certificate
	callers     *callers // nil where everybody is answered
	draining    atomic.Bool
	base        []*policies.Check // all checks but those of RulePacks
	own         *packs.Own
	packs       *packs.Loader
	asking      *ruleMetrics
}

func (s *serve) server(ctx context.Context, cfg *rest.Config, log *slog.Logger, now func() time.Time, spans *tracing) (*server, error) {
	out := &server{serve: s, log: log, now: now, spans: spans}
	var err error
	if out.base, _, err = s.asked(ctx, nil); err != nil {
		return nil, err
	}
	if _, err := s.evidence.neededBy(out.base); err != nil {
		return nil, err
	}
	if out.certificate, err = s.certificate(cfg, now); err != nil {
		return nil, err
	}
	if s.clientCA != "" {
		if out.callers, err = onlyCallers(s.clientCA, s.clientName); err != nil {
			return nil, err
		}
	}
	if out.manager, err = out.newManager(cfg); err != nil {
		return nil, err
	}
	logger := logr.FromSlogHandler(log.Handler())
	if out.live, err = inventory.Watch(cfg, inventory.WatchOptions{Mesh: mesh.Options{IstioVersion: s.istioVersion, Unprovided: !s.waypoints.provision}, Manager: waypoints.FieldManager,
		Evidence: out.needed, Log: logger.WithName("watch")}); err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	counted := newPackMetrics(metrics.Registry)
	out.asking = newRuleMetrics(metrics.Registry, now, log)
	out.own = packs.FollowOwn(client, s.namespace)
	out.packs = out.newLoader(counted, logger.WithName("packs"))
	out.rules = audit.FollowRules(out.manager.GetCache(), audit.RuleOptions{MaxExemption: s.maxExemption, Checks: out.packs.Checks}, logger.WithName("rules"))
	if err := out.admission(cfg, logger.WithName("admission")); err != nil {
		return nil, err
	}
	return out, out.add(cfg, out.keeper(counted, logger.WithName("packs")))
}

// needed is what the rules that are in force now ask of the cluster besides what decides something in a mesh.
func (s *server) needed() inventory.Evidence {
	checks := s.packs.Checks()
	if checks == nil { // RulePacks are still to be loaded
		checks = s.base
	}
	evidence, err := s.evidence.neededBy(checks)
	if err != nil {
		panic(err) // the flags were looked at when the program began
	}
	return evidence
}

func (s *serve) certificate(cfg *rest.Config, now func() time.Time) (certificate, error) {
	if s.cert.value == "files" {
		return certs.Files(filepath.Join(s.certDir, "tls.crt"), filepath.Join(s.certDir, "tls.key"))
	}
	name := s.service
	if !isHost(name) {
		name += "." + s.namespace + ".svc"
	}
	return certs.NewSelfSigned(certs.Options{Config: cfg, Namespace: s.namespace, Secret: s.certSecret, Names: []string{name},
		Validating: s.validating, Mutating: s.mutating, Delay: s.certDelay, Now: now})
}

// isHost is whether --service names a host already: one outside of the cluster, as in a test.
func isHost(name string) bool {
	return net.ParseIP(name) != nil || name == "localhost"
}

func (s *server) newManager(cfg *rest.Config) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	host, port, err := hostPort(s.webhookAddr)
	if err != nil {
		return nil, err
	}
	return ctrl.NewManager(cfg, manager.Options{
		Scheme: scheme, Logger: logr.FromSlogHandler(s.log.Handler()),
		LeaderElection: true, LeaderElectionID: "waywarden", LeaderElectionNamespace: s.namespace, LeaderElectionReleaseOnCancel: true,
		Metrics: metricsserver.Options{BindAddress: s.metricsAddr}, HealthProbeBindAddress: s.healthAddr, PprofBindAddress: s.pprofAddr,
		WebhookServer: ctrlwebhook.NewServer(ctrlwebhook.Options{Host: host, Port: port, TLSOpts: []func(*tls.Config){
			func(c *tls.Config) {
				c.GetCertificate = s.certificate.GetCertificate
				if s.callers != nil {
					s.callers.configure(c)
				}
			}}}),
	})
}

func hostPort(addr string) (string, int, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not an address such as :9443", addr)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("%q is not a port", text)
	}
	return host, port, nil
}

func onLoopback(addr string) error {
	if addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not on loopback: profiles show what is in memory. Name 127.0.0.1", addr)
	}
	return nil
}

// admission registers the webhooks.
func (s *server) admission(cfg *rest.Config, log logr.Logger) error {
	asker, err := webhook.NewAsker(cfg)
	if err != nil {
		return err
	}
	counted := webhook.NewMetrics(metrics.Registry)
	observers := []func(webhook.Record){counted.Observe, webhook.LogTo(s.log), webhook.EventTo(s.manager.GetEventRecorder("waywarden"))}
	a := webhook.New(webhook.Options{
		Source: webhook.Source{Snapshot: s.live.Known, Labels: s.live.NamespaceLabels, Rulebook: s.rules.Rulebook, Now: s.now, Get: asker.Get, MayBreakGlass: asker.MayBreakGlass,
			Waypoints: s.foreseen(), Managed: func() plan.Managed { return s.live.Managed() }},
		CheckPack: s.gate().Check, Namespace: s.namespace, MaxExemption: s.maxExemption, Concurrency: s.concurrency, Log: log, Dropped: counted.Dropped, Meter: s.asking.meter(),
		Observe: func(r webhook.Record) {
			for _, observe := range observers {
				observe(r)
			}
		},
	})
	hooks := s.manager.GetWebhookServer()
	for path, h := range map[string]http.Handler{webhook.ValidatePath: a.Validating(), webhook.MutatePath: a.Mutating()} {
		h = s.spans.handler(h, path[1:])
		if s.callers != nil {
			h = s.callers.only(h, counted.Dropped)
		}
		hooks.Register(path, s.whileDraining(h))
	}
	return nil
}

// whileDraining asks API servers to close their connections, once this replica is about to go: they keep them for
// long, and would call it until the last moment.
func (s *server) whileDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// add hands everything that runs to the manager, with the probes.
func (s *server) add(cfg *rest.Config, keeper manager.Runnable) error {
	watchman := &watchman{server: s, events: s.manager.GetEventRecorder("waywarden")}
	gauges := newGauges(s, watchman)
	metrics.Registry.MustRegister(gauges)
	provisioner, err := s.provisioner(cfg, logr.FromSlogHandler(s.log.Handler()).WithName("waypoints"))
	if err != nil {
		return err
	}
	var beside audit.Beside
	if provisioner != nil {
		beside = audit.Beside{Checks: []string{plan.StoppedCheck, plan.ShutCheck, plan.BlockedCheck}, Findings: provisioner.Findings}
	}
	auditor, err := s.auditor(cfg, gauges, beside)
	if err != nil {
		return err
	}
	runnables := []manager.Runnable{s.certificate, s.live, s.own, s.packs, keeper, s.rules, auditor, audit.NewStatuses(audit.StatusOptions{
		Client: s.manager.GetClient(), Authored: s.rules.Current, Latest: auditor.Latest,
		InForce: watchman.condition, Unprovided: s.waypoints.unprovided(),
	})}
	if own, ok := s.certificate.(*certs.SelfSigned); ok {
		runnables = append(runnables, own.Writer())
	}
	if provisioner != nil {
		runnables = append(runnables, provisioner)
	}
	canary, err := certs.NewCanary(certs.CanaryOptions{
		Config: cfg, Namespace: s.namespace, Configuration: s.validating, Webhook: webhook.PoliciesEntry, Label: webhook.CanaryLabel, Refusal: webhook.CanaryMessage,
		Pinned: s.failurePolicy.value != "managed", Interval: s.canaryInterval, Report: watchman.measured,
	})
	if err != nil {
		return err
	}
	for _, r := range append(runnables, canary, everywhere(s.synced)) {
		if err := s.manager.Add(r); err != nil {
			return err
		}
	}
	return errors.Join(
		s.manager.AddHealthzCheck("alive", func(*http.Request) error { return nil }),
		s.manager.AddReadyzCheck("ready", func(r *http.Request) error { return s.ready(r) }))
}

// everywhere is a function that every replica runs, the leader and the others.
type everywhere func(context.Context) error

func (f everywhere) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection is false.
func (everywhere) NeedLeaderElection() bool { return false }

// synced says what of the mesh cannot be read, once the rest is known. From then on memory is there to answer with.
func (s *server) synced(ctx context.Context) error {
	if s.live.WaitForSync(ctx) != nil {
		return nil
	}
	status := s.live.Status()
	for _, u := range status.Unread {
		s.log.Warn("a kind cannot be read", "resource", u.Resource, "why", u.Why, "leaves", u.Leaves)
	}
	s.log.Info("the mesh is known", "objects", s.live.Snapshot().Len(), "unreadObjects", len(status.Problems))
	s.memory.Serve()
	return nil
}

// ready is nil while this replica can be called: it listens, with a certificate that the API server trusts, and knows the
// mesh and the rules.
func (s *server) ready(r *http.Request) error {
	if s.draining.Load() {
		return errors.New("it is about to stop")
	}
	return errors.Join(s.live.Ready(), s.packs.Ready(), s.rules.Ready(), s.certificate.Ready(s.now()), s.manager.GetWebhookServer().StartedChecker()(r))
}

// run serves until ctx ends, and then for a while longer: an API server learns only by and by that this replica goes.
func (s *server) run(ctx context.Context) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() {
		select {
		case <-ctx.Done():
		case <-serving.Done():
			return
		}
		s.draining.Store(true)
		s.log.Info("stopping: no longer ready, and answering what still comes", "for", s.drain)
		select {
		case <-time.After(s.drain):
		case <-serving.Done():
		}
		stop()
	}()
	return s.manager.Start(serving)
}
