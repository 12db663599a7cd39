package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/waywarden/waywarden/memory"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// serve is the serve command's flags.
type serve struct {
	kube      *genericclioptions.ConfigFlags
	namespace string

	webhookAddr, metricsAddr, healthAddr, pprofAddr string

	cert                 choice
	certDir, certSecret  string
	registryConfig       string
	registryPlain        bool
	service              string
	validating, mutating string
	certDelay            time.Duration
	clientCA, clientName string
	failurePolicy        choice
	canaryInterval       time.Duration

	audit        auditFlags
	maxExemption time.Duration
	istioVersion string
	concurrency  int
	drain        time.Duration
	logLevel     choice
	rulesets
	waypoints waypointFlags
}

func newServe(e *env) *cobra.Command {
	s := &serve{
		kube:          genericclioptions.NewConfigFlags(true),
		cert:          choice{value: "self-signed", allowed: []string{"self-signed", "files"}},
		failurePolicy: choice{value: "managed", allowed: []string{"managed", "Ignore", "Fail"}},
		waypoints:     waypointFlags{istiod: choice{value: "none", allowed: []string{"none", "pods", "urls"}}, metrics: choice{value: "none", allowed: []string{"none", "pods"}}},
		logLevel:      choice{value: "info", allowed: []string{"debug", "info", "warn", "error"}},
	}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer admission webhooks in a cluster, and audit what is stored",
		Long: `Answer admission webhooks in a cluster: judge every policy before it is stored, on the mesh as it would be, and what
would break stored policies; repair where a Guardrail says so. The replica that leads audits what is stored for as long as it
runs, and keeps a report in each namespace. It makes the waypoints that policies need, and takes away what nothing needs any
more, where a Guardrail says Provision.

It is what the Helm chart runs. It follows the whole mesh, and needs no storage of its own.`,
		Args: cobra.NoArgs,
		Example: examples(e, `
# as the chart runs it
waywarden serve --namespace waywarden-system

# with a certificate that cert-manager keeps in files
waywarden serve --namespace waywarden-system --cert files --cert-dir /tls

# with the zero-trust library, and rules of a folder
waywarden serve --namespace waywarden-system --zero-trust --rules /rules`),
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), e) },
	}
	s.addFlags(cmd)
	s.rulesets.addFlags(cmd)
	return cmd
}

func (s *serve) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(s.kube.KubeConfig, "kubeconfig", "", "path of a kubeconfig; without one, the cluster that this runs in")
	f.StringVar(s.kube.Context, "context", "", "the context of the kubeconfig")
	f.StringVar(&s.namespace, "namespace", "", "the namespace that waywarden runs in (required)")
	f.StringVar(&s.webhookAddr, "webhook-addr", ":9443", "where the API server calls the webhooks")
	f.StringVar(&s.metricsAddr, "metrics-addr", ":8080", "where Prometheus reads metrics; 0 for nowhere")
	f.StringVar(&s.healthAddr, "health-addr", ":8081", "where /healthz and /readyz are answered; 0 for nowhere")
	f.StringVar(&s.pprofAddr, "pprof-addr", "", "where profiles can be taken, on loopback only; empty for nowhere")
	f.Var(&s.cert, "cert", "where the serving certificate comes from: self-signed, or files")
	mustComplete(cmd, "cert", s.cert.complete)
	f.StringVar(&s.certDir, "cert-dir", "/tls", "with --cert files: the folder of tls.crt and tls.key")
	f.StringVar(&s.certSecret, "cert-secret", "waywarden-tls", "with --cert self-signed: the Secret that the replicas share")
	f.DurationVar(&s.certDelay, "cert-delay", 0, "with --cert self-signed: after how long every API server has seen a change of the CA; 0 for 5 minutes")
	f.StringVar(&s.clientCA, "client-ca", "", "answer only callers with a certificate of the CA in this file, which the API server has to be given; empty: everybody who reaches the port")
	f.StringVar(&s.clientName, "client-name", "", "with --client-ca: the common name, or a DNS name, of the certificate; empty for any")
	f.StringVar(&s.registryConfig, "registry-config", "", "the credentials for registries from which RulePacks fetch bundles, as docker login writes them; read whenever one is asked")
	f.BoolVar(&s.registryPlain, "registry-plain-http", false, "speak plain HTTP to a registry on this machine, for tests; any other is asked over TLS")
	f.StringVar(&s.service, "service", "waywarden", "the Service by which the API server calls the webhooks, or their host where it calls a URL")
	f.StringVar(&s.validating, "validating-config", "waywarden", "the ValidatingWebhookConfiguration")
	f.StringVar(&s.mutating, "mutating-config", "waywarden", "the MutatingWebhookConfiguration")
	f.Var(&s.failurePolicy, "failure-policy", "managed: raised to Fail once a canary was refused; Ignore or Fail: left to the chart")
	mustComplete(cmd, "failure-policy", s.failurePolicy.complete)
	f.DurationVar(&s.canaryInterval, "canary-interval", time.Minute, "how often it is measured that admission is in force")
	s.audit.add(f)
	mustComplete(cmd, "reports", s.audit.reports.complete)
	f.DurationVar(&s.maxExemption, "max-exemption", decide.DefaultMaxDuration, "how far ahead an Exemption may end")
	f.StringVar(&s.istioVersion, "istio-version", "", "judge by this version of Istio; else by istiod's image tag")
	f.IntVar(&s.concurrency, "concurrency", 0, "how many requests are judged at a time; 0 for 64")
	f.DurationVar(&s.drain, "drain", 10*time.Second, "how long to go on answering after SIGTERM, until no API server calls this replica any more")
	s.waypoints.add(f)
	mustComplete(cmd, "istiod-debug", s.waypoints.istiod.complete)
	mustComplete(cmd, "proxy-metrics", s.waypoints.metrics.complete)
	f.Var(&s.logLevel, "log-level", "what is logged, as JSON on stderr: debug, info, warn, error")
	mustComplete(cmd, "log-level", s.logLevel.complete)
}

func (s *serve) run(ctx context.Context, e *env) error {
	if err := s.validate(); err != nil {
		return err
	}
	cfg, err := s.kube.ToRESTConfig()
	if err != nil {
		return failed(fmt.Errorf("use the kubeconfig: %w", err))
	}
	cfg.UserAgent = "waywarden/" + programVersion()
	// Admission reads memory; what is asked of the API server besides is little, and must not wait behind a bucket.
	cfg.QPS, cfg.Burst = 50, 100
	handler := slog.NewJSONHandler(e.stderr, &slog.HandlerOptions{Level: s.level()})
	logger := logr.FromSlogHandler(handler)
	ctrl.SetLogger(logger)
	limits := memory.Limit(slog.New(handler), e.getenv)
	defer limits.Stop()
	spans, err := startTracing(ctx, e.getenv)
	if err != nil {
		return failed(err)
	}
	server, err := s.server(ctx, cfg, slog.New(handler), e.now, spans)
	if err != nil {
		return failed(err)
	}
	server.memory = limits
	if err := errors.Join(server.run(ctx), spans.stop(context.WithoutCancel(ctx))); err != nil {
		return failed(err)
	}
	return nil
}

func (s *serve) validate() error {
	if s.namespace == "" {
		return errors.New("--namespace is required: it is where waywarden's Secret, its leases and its canary live")
	}
	if s.istioVersion != "" {
		if _, ok := mesh.ParseVersion(s.istioVersion); !ok {
			return fmt.Errorf("--istio-version: %q is not a version such as 1.30 or 1.31.1", s.istioVersion)
		}
	}
	if i := slices.IndexFunc(s.sources, func(source string) bool { _, is := inRegistry(source); return is }); i >= 0 {
		return fmt.Errorf("--rules %s: Waywarden does not wait for a registry before it serves. Name the bundle in a RulePack, as spec.oci", s.sources[i])
	}
	if _, _, err := hostPort(s.webhookAddr); err != nil {
		return fmt.Errorf("--webhook-addr: %w", err)
	}
	if err := onLoopback(s.pprofAddr); err != nil {
		return fmt.Errorf("--pprof-addr: %w", err)
	}
	if s.clientName != "" && s.clientCA == "" {
		return errors.New("--client-name says whose certificate counts, and --client-ca is missing, which says by whom it is signed")
	}
	if s.audit.interval <= 0 {
		return errors.New("--audit-interval is a length of time, as in 1h, and more than nothing")
	}
	if s.drain < 0 || s.maxExemption <= 0 {
		return errors.New("--drain and --max-exemption are lengths of time, as in 10s or 2160h, and the latter is more than nothing")
	}
	return s.waypoints.validate()
}

func (s *serve) level() slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(s.logLevel.value)); err != nil {
		panic("a log level that the flag allows is none: " + err.Error())
	}
	return l
}
