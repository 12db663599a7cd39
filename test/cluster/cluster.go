package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// KubeconfigEnv names a kubeconfig of a cluster that tests use instead of starting one. That cluster
// must have the CRDs of Istio and the Gateway API, and istiod where a test asks for it.
const KubeconfigEnv = "WAYWARDEN_TEST_KUBECONFIG"

// IstiodEnv is the HTTP address of istiod in that cluster, for tests that read its /debug pages.
const IstiodEnv = "WAYWARDEN_TEST_ISTIOD"

// IstiodXDSEnv is its gRPC address without TLS, for tests that connect as a waypoint's proxy.
const IstiodXDSEnv = "WAYWARDEN_TEST_ISTIOD_XDS"

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
	made      []string // Namespaces that were applied to a cluster that was given
}

type options struct {
	istiod   bool
	istioEnv []string
	hold     func(pod *unstructured.Unstructured) bool
	capture  bool
}

// Option changes what Start starts.
type Option func(*options)

// WithIstiod starts istiod, kwok and the controllers that make its deployments into pods.
func WithIstiod(env ...string) Option {
	return func(o *options) { o.istiod, o.istioEnv = true, env }
}

// Hold keeps the pods for which it is true off every node, so that they never become ready: that
// is how a waypoint stays unready.
func Hold(pod func(*unstructured.Unstructured) bool) Option {
	return func(o *options) { o.hold = pod }
}

// Capture marks the pods of namespaces in ambient mode as captured, as istio-cni does on a real node.
func Capture() Option {
	return func(o *options) { o.capture = true }
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
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if file := os.Getenv(KubeconfigEnv); file != "" {
		return given(file)
	}
	bin, err := Build()
	if err != nil {
		return nil, err
	}
	logs, err := os.MkdirTemp("", "waywarden-cluster-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, Logs: logs}
	if err := c.start(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("%w (logs: %s)", err, logs), c.Stop())
	}
	return c, nil
}

func given(file string) (*Cluster, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		return nil, fmt.Errorf("read %s from %s: %w", file, KubeconfigEnv, err)
	}
	c := &Cluster{Config: cfg, Kubeconfig: file, IstiodURL: os.Getenv(IstiodEnv), IstiodXDS: os.Getenv(IstiodXDSEnv)}
	return c, c.connect()
}

// clearTimeout is how long a cluster may take to empty the Namespaces of a test.
const clearTimeout = time.Minute

// clear deletes the Namespaces that were applied, and waits until they are gone: the next test may use the
// same names.
func (c *Cluster) clear() error {
	ctx, cancel := context.WithTimeout(context.Background(), clearTimeout)
	defer cancel()
	var errs []error
	for _, name := range c.made {
		err := c.Dynamic.Resource(namespacesResource).Delete(ctx, name, metav1.DeleteOptions{})
		for err == nil {
			if _, err = c.Dynamic.Resource(namespacesResource).Get(ctx, name, metav1.GetOptions{}); err == nil {
				time.Sleep(100 * time.Millisecond)
			}
		}
		if !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("delete Namespace %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (c *Cluster) start(ctx context.Context, o options) error {
	if err := c.controlPlane(); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	if !o.istiod {
		return nil
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = cancel
	if err := c.controllers(); err != nil {
		return err
	}
	if err := c.nodes(ctx); err != nil {
		return err
	}
	go c.schedule(background, o)
	return c.istiod(ctx, o.istioEnv)
}

func (c *Cluster) controlPlane() error {
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
	if c.Config, err = c.env.Start(); err != nil {
		return fmt.Errorf("start etcd and the API server: %w", err)
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
	if c.Dynamic, err = dynamic.NewForConfig(c.Config); err != nil {
		return err
	}
	_, err = discovery.NewDiscoveryClientForConfig(c.Config)
	return err
}

// Stop takes down what Run started, the last first. A cluster that was given stays, without the Namespaces
// that were applied to it.
func (c *Cluster) Stop() error {
	if c.env == nil && len(c.processes) == 0 {
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
