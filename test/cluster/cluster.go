package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// Cluster is a control plane that runs, or one that was given.
type Cluster struct {
	Config     *rest.Config
	Kubeconfig string // a file, for an admin
	Dynamic    dynamic.Interface
	Mapper     meta.ResettableRESTMapper
	IstiodURL  string // istiod's HTTP address, for /debug; "" without istiod
	IstiodXDS  string // istiod's gRPC address without TLS, as in "127.0.0.1:15010"; "" without istiod
	Logs       string // the folder of the servers' logs; "" for a cluster that was given

	bin       string
	env       *envtest.Environment // nil for a cluster that was given
	processes []*process
	stop      context.CancelFunc
	ledger    *ledger // nil for a cluster of its own
	captures  bool    // whether pods are captured
}

type options struct {
	own         bool
	controllers bool
	istiod      bool
	istioEnv    []string
	hold        func(pod *unstructured.Unstructured) bool
	capture     bool
	flags       map[string]string // of the API server
}

// Option changes what Start starts.
type Option func(*options)

// Own starts a cluster even where one is given: for tests that take it apart.
func Own() Option {
	return func(o *options) { o.own = true }
}

// WithControllers starts the controllers that delete what belongs to something that is gone, and make deployments into pods.
func WithControllers() Option {
	return func(o *options) { o.controllers = true }
}

// WithIstiod starts istiod, kwok and the controllers that make its deployments into pods.
func WithIstiod(env ...string) Option {
	return func(o *options) { o.istiod, o.istioEnv = true, env }
}

// Hold keeps the pods for which it is true off every node, so that they never become ready: that
// is how a waypoint stays unready. A cluster that was given has a scheduler of its own, which does not ask.
func Hold(pod func(*unstructured.Unstructured) bool) Option {
	return func(o *options) { o.hold = pod }
}

// Capture marks the pods of namespaces in ambient mode as captured, as istio-cni does on a real node.
func Capture() Option {
	return func(o *options) { o.capture = true }
}

// WithAPIServerFlag sets a flag of the API server, as in "admission-control-config-file". A cluster that was given has the flags
// that it has.
func WithAPIServerFlag(name, value string) Option {
	return func(o *options) { o.flags[name] = value }
}

// Start gives a test a cluster of its own, on free ports, and takes it down with the test. Where
// KubeconfigEnv is set it gives that cluster. When the test fails it says where the logs are.
func Start(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	c, err := Run(t.Context(), opts...)
	if err != nil {
		t.Fatalf("start a cluster: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Errorf("stop the cluster: %v", err)
		}
		if c.Logs == "" {
			return
		}
		if t.Failed() {
			t.Logf("the servers' logs are in %s", c.Logs)
			return
		}
		os.RemoveAll(c.Logs)
	})
	return c
}

// Run starts a cluster, or connects to the one that KubeconfigEnv names. The caller stops it.
func Run(ctx context.Context, opts ...Option) (*Cluster, error) {
	o := options{flags: map[string]string{}}
	for _, opt := range opts {
		opt(&o)
	}
	if file := os.Getenv(KubeconfigEnv); file != "" && !o.own {
		return given(file)
	}
	// The launchers, of which envtest starts some, look whether it is still this process that they belong to.
	if err := os.Setenv("WAYWARDEN_LAUNCH_PARENT", strconv.Itoa(os.Getpid())); err != nil {
		return nil, err
	}
	bin, err := Build()
	if err != nil {
		return nil, err
	}
	logs, err := os.MkdirTemp("", "waywarden-cluster-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, Logs: logs, captures: o.capture}
	if err := c.start(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("%w (logs: %s)", err, logs), c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, o options) error {
	if err := c.controlPlane(o.flags); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	if o.controllers || o.istiod {
		if err := c.controllers(); err != nil {
			return err
		}
	}
	if !o.istiod {
		return nil
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = cancel
	if err := c.nodes(ctx); err != nil {
		return err
	}
	go c.schedule(background, o)
	return c.istiod(ctx, o.istioEnv)
}

func (c *Cluster) controlPlane(flags map[string]string) error {
	ctrllog.SetLogger(logr.Discard()) // envtest says through it what its errors say too
	c.env = &envtest.Environment{
		BinaryAssetsDirectory:    envtestDir(c.bin),
		ControlPlaneStartTimeout: time.Minute, ControlPlaneStopTimeout: 20 * time.Second,
		CRDInstallOptions: envtest.CRDInstallOptions{
			Paths: []string{filepath.Join(c.bin, "crds-istio.yaml"), filepath.Join(c.bin, "crds-gateway.yaml")}, ErrorIfPathMissing: true,
		},
	}
	logs, err := os.Create(filepath.Join(c.Logs, "control-plane.log"))
	if err != nil {
		return err
	}
	// Folders under Logs, so that a process can be told to be this cluster's by its command line.
	c.env.ControlPlane.Etcd = &envtest.Etcd{Out: logs, Err: logs, DataDir: filepath.Join(c.Logs, "etcd")}
	c.env.ControlPlane.Etcd.Configure().Append("unsafe-no-fsync", "true")
	api := c.env.ControlPlane.GetAPIServer()
	api.Out, api.Err, api.CertDir = logs, logs, filepath.Join(c.Logs, "certs")
	for _, dir := range []string{api.CertDir, c.env.ControlPlane.Etcd.DataDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	api.Configure().Set("service-cluster-ip-range", "10.96.0.0/16")
	for name, value := range flags {
		api.Configure().Set(name, value)
	}
	if c.Config, err = c.env.Start(); err != nil {
		return fmt.Errorf("start etcd and the API server: %w", err)
	}
	// envtest makes certificates for webhooks, which would stay behind if the test were killed.
	if err := os.RemoveAll(c.env.WebhookInstallOptions.LocalServingCertDir); err != nil {
		return err
	}
	c.Config.QPS, c.Config.Burst = -1, 0
	admin, err := c.env.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	raw, err := admin.KubeConfig()
	if err != nil {
		return err
	}
	c.Kubeconfig = filepath.Join(c.Logs, "kubeconfig")
	return os.WriteFile(c.Kubeconfig, raw, 0o600)
}

func (c *Cluster) connect() error {
	var err error
	c.Dynamic, err = dynamic.NewForConfig(c.Config)
	return err
}

// Stop takes down what Run started, the last first. A cluster that was given stays, without what was applied
// to it and had not been there.
func (c *Cluster) Stop() error {
	if c.ledger != nil {
		return c.clear()
	}
	if c.stop != nil {
		c.stop()
	}
	var errs []error
	for _, p := range slices.Backward(c.processes) {
		errs = append(errs, p.stop())
	}
	if c.env != nil {
		errs = append(errs, c.env.Stop())
	}
	return errors.Join(errs...)
}
