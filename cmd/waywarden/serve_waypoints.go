package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
	"github.com/waywarden/waywarden/waypoints"
)

// waypointFlags are the flags of serve about waypoints.
type waypointFlags struct {
	provision bool
	istiod    choice
	urls      []string
	port      int
	token     string
	metrics   choice
	scraped   int

	settle time.Duration
	waits  waypoints.Waits
}

func (w *waypointFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&w.provision, "waypoints", true, "make waypoints where a Guardrail says Provision")
	f.Var(&w.istiod, "istiod-debug", "whom to ask what proxies run with: none, by the clock; pods, each istiod pod; urls, those of --istiod-url")
	f.StringSliceVar(&w.urls, "istiod-url", nil, "with --istiod-debug urls: where an istiod answers below /debug, as in http://127.0.0.1:8080; one for each replica")
	f.IntVar(&w.port, "istiod-port", 8080, "with --istiod-debug pods: the port of istiod's HTTP")
	f.DurationVar(&w.settle, "istiod-settle", waypoints.Settle, "how long istiod may take to send its proxies what is stored: its PILOT_DEBOUNCE_MAX, and some more")
	f.DurationVar(&w.waits.Drain, "waypoint-drain", 5*time.Minute, "how long connections through a waypoint that goes are waited for")
	f.DurationVar(&w.waits.Quiet, "guard-quiet", 5*time.Minute, "with --proxy-metrics pods: how long nobody may have come round a waypoint before its guard is set")
	f.Var(&w.metrics, "proxy-metrics", "whether to read what proxies count, to know whether connections are open: none, by the clock; pods, of each ztunnel and of the pods of a waypoint")
	f.IntVar(&w.scraped, "proxy-metrics-port", 15020, "with --proxy-metrics pods: the port of the proxies' metrics")
	f.StringVar(&w.token, "istiod-token", "", "the file of a token for the audience istio-ca, sent to istiod; empty for none")
}

func (w *waypointFlags) validate() error {
	if (w.istiod.value == "urls") != (len(w.urls) > 0) {
		return errors.New("--istiod-url is for --istiod-debug urls, which needs at least one")
	}
	for _, u := range w.urls {
		if parsed, err := url.Parse(u); err != nil || parsed.Host == "" {
			return fmt.Errorf("--istiod-url: %q is not a URL such as http://127.0.0.1:8080", u)
		}
	}
	if w.scraped < 1 || w.scraped > 65535 {
		return fmt.Errorf("--proxy-metrics-port: %d is not a port", w.scraped)
	}
	if w.settle <= 0 || w.waits.Drain <= 0 || w.waits.Quiet <= 0 {
		return errors.New("--istiod-settle, --waypoint-drain and --guard-quiet are lengths of time, as in 15s, and more than nothing")
	}
	return nil
}

// unprovided is why no waypoint is made for Guardrails that ask for it; "" where they are.
func (w *waypointFlags) unprovided() string {
	if w.provision {
		return ""
	}
	return "No waypoint is made: Waywarden runs with --waypoints=false (waypoints.provision of its chart), and this Guardrail is as if it said Observe. Set it to true, or say Observe."
}

// provisioner is the controller that makes waypoints; nil where none is wanted.
func (s *server) provisioner(cfg *rest.Config, log logr.Logger) (*waypoints.Controller, error) {
	if !s.waypoints.provision {
		return nil, nil
	}
	counted := newWaypointGauge(metrics.Registry)
	istiods := waypoints.Istiods{TokenFile: s.waypoints.token}
	switch s.waypoints.istiod.value {
	case "urls":
		istiods.URLs = func() []string { return s.waypoints.urls }
	case "pods":
		istiods.URLs = func() []string { return istiodPods(s.live.Snapshot(), s.waypoints.port) }
	}
	return waypoints.New(waypoints.Options{Config: cfg, Live: s.live, Cache: s.manager.GetCache(), Client: s.manager.GetClient(),
		Istiods: istiods, Settle: s.waypoints.settle, Waits: s.waypoints.waits, Scrape: s.waypoints.scrape(), Log: log, Report: counted.report, Took: counted.took})
}

// foreseen is what the rules in force ask of namespaces about waypoints, for admission to tell of those that will be made.
func (s *server) foreseen() func(*mesh.Snapshot) plan.Settings {
	if !s.waypoints.provision {
		return nil
	}
	return func(m *mesh.Snapshot) plan.Settings {
		current := s.rules.Current()
		if current == nil {
			return plan.Settings{}
		}
		settings, _ := waypoints.Settings(waypoints.Rules{Guardrails: current.Guardrails, Profiles: current.Profiles}, m, s.waypoints.waits)
		return settings
	}
}

// istiodPods are where the pods of istiod answer, found by the label of Istio's chart in its root namespace.
func istiodPods(s *mesh.Snapshot, port int) []string {
	var out []string
	for _, o := range s.List(mesh.Pod, s.RootNamespace()) {
		pod, ok := o.Spec.(*mesh.PodBody)
		if !ok || o.Labels["app"] != "istiod" || pod.Status.Phase != "Running" || o.Terminating {
			continue
		}
		if ip, err := netip.ParseAddr(pod.Status.PodIP); err == nil {
			out = append(out, "http://"+netip.AddrPortFrom(ip, uint16(port)).String())
		}
	}
	slices.Sort(out)
	return out
}

// waypointGauge is how many waypoints are in which state. Only the leader knows.
type waypointGauge struct {
	states, verified *prometheus.GaugeVec
	down, blocked    *prometheus.GaugeVec
	broken           prometheus.Gauge
	seconds          *prometheus.HistogramVec
}

func newWaypointGauge(r prometheus.Registerer) waypointGauge {
	g := waypointGauge{
		states: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "waywarden_waypoints", Help: "Waypoints that are needed or ours, by how far they are. Only the leader knows."}, []string{"state"}),
		verified: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "waywarden_waypoints_verified",
			Help: "1 if istiod says what proxies run with; 0 while steps wait for them by the clock. Only the leader knows."}, nil),
		down: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "waywarden_waypoints_down",
			Help: "Waypoints to which something is bound and of which no pod is ready, in whichever state: calls get no answer. Only the leader knows."}, nil),
		blocked: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "waywarden_waypoints_blocked",
			Help: "Needs of policies for which no waypoint is made until somebody decides something. Only the leader knows."}, nil),
		broken: prometheus.NewGauge(prometheus.GaugeOpts{Name: "waywarden_waypoints_broken",
			Help: "1 while no waypoint is made, changed or taken away because of a mistake in Waywarden; the log of the leader has the stack."}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "waywarden_waypoints_seconds", Help: "How long it takes to plan waypoints, and to look at all of them.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}, []string{"phase"}),
	}
	r.MustRegister(g.states, g.verified, g.down, g.blocked, g.broken, g.seconds)
	return g
}

func (g waypointGauge) took(p waypoints.Phase, d time.Duration) {
	g.seconds.WithLabelValues(string(p)).Observe(d.Seconds())
}

func (g waypointGauge) report(c waypoints.Census) {
	for _, state := range waypoints.States {
		g.states.WithLabelValues(state).Set(float64(c.States[state]))
	}
	g.down.WithLabelValues().Set(float64(c.Down))
	g.blocked.WithLabelValues().Set(float64(c.Blocked))
	verified, broken := 1.0, 0.0
	if c.Unverified != "" {
		verified = 0
	}
	if c.Broken {
		broken = 1
	}
	g.verified.WithLabelValues().Set(verified)
	g.broken.Set(broken)
}
