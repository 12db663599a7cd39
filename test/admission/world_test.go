//go:build cluster

package admission

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

func TestMain(m *testing.M) { serving.Main(m) }

// world is a cluster in which admission is in force.
type world struct {
	*cluster.Cluster
	t        *testing.T
	balancer *serving.Balancer
	replicas []*serving.Replica
	warnings *warnings
}

// installed gives a test a cluster in which admission is in force: the one that was given, with Waywarden as somebody
// installed it there, else one of its own.
func installed(t *testing.T) *world {
	t.Helper()
	if os.Getenv(cluster.KubeconfigEnv) == "" {
		return start(t, 1)
	}
	w := (&world{Cluster: cluster.Start(t), t: t}).as("")
	w.inForce()
	return w
}

// start gives a test a cluster of its own with so many replicas: it is for tests that need their own flags, or stop, kill
// and read the processes, which is nothing to do to a cluster that was given.
func start(t *testing.T, replicas int, flags ...string) *world {
	t.Helper()
	t.Setenv(cluster.KubeconfigEnv, "")
	return startIn(t, cluster.Start(t), replicas, flags...)
}

// startIn starts replicas in a cluster of the test's own.
func startIn(t *testing.T, c *cluster.Cluster, replicas int, flags ...string) *world {
	t.Helper()
	file, err := serving.Built()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Cluster: c, t: t}
	if w.balancer, err = serving.Balance(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.balancer.Close() })
	if err := serving.Register(t.Context(), w.Cluster, w.balancer.URL()); err != nil {
		t.Fatal(err)
	}
	for range replicas {
		w.add(file, flags...)
	}
	w = w.as("")
	w.inForce()
	return w
}

// as is the world for another user, "" for the admin. What a user is warned of comes with the answer.
func (w *world) as(user string) *world {
	w.t.Helper()
	cfg := rest.CopyConfig(w.Config)
	cfg.Impersonate.UserName = user
	warned := &warnings{}
	cfg.WarningHandlerWithContext = warned
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	c := *w.Cluster
	c.Dynamic = client
	return &world{Cluster: &c, t: w.t, balancer: w.balancer, replicas: w.replicas, warnings: warned}
}

func (w *world) add(file string, flags ...string) *serving.Replica {
	w.t.Helper()
	r, err := serving.Start(file, w.Kubeconfig, w.t.TempDir(), append([]string{"--drain", "2s", "--canary-interval", "5s"}, flags...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		r.Kill()
		if w.t.Failed() {
			log, _ := os.ReadFile(r.Log) // the last words of a replica help, and there may be none
			w.t.Logf("a replica said:\n%s", tail(string(log), 40))
		}
	})
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	if err := r.WaitReady(ctx); err != nil {
		w.t.Fatal(err)
	}
	w.balancer.Add(r.Addr)
	w.replicas = append(w.replicas, r)
	return r
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// inForce waits until the API server asks Waywarden.
func (w *world) inForce() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	if err := serving.InForce(ctx, w.Cluster); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) eventually(what string, try func() error) {
	w.t.Helper()
	w.within(30*time.Second, what, try)
}

func (w *world) within(limit time.Duration, what string, try func() error) {
	w.t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	w.t.Fatalf("%s: not in %s: %v", what, limit, err)
}

// decoded is a caBundle as PEM.
func decoded(t *testing.T, bundle string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func object(t *testing.T, yaml string) *unstructured.Unstructured {
	t.Helper()
	objects, err := cluster.Objects([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 1 {
		t.Fatalf("%d objects, want one", len(objects))
	}
	return objects[0]
}

func (w *world) resource(o *unstructured.Unstructured) dynamic.ResourceInterface {
	w.t.Helper()
	r, namespaced, err := w.Resource(o.GroupVersionKind())
	if err != nil {
		w.t.Fatal(err)
	}
	if !namespaced {
		return w.Dynamic.Resource(r)
	}
	return w.Dynamic.Resource(r).Namespace(o.GetNamespace())
}

func (w *world) create(o *unstructured.Unstructured, dryRun bool) error {
	opts := metav1.CreateOptions{FieldManager: "test"}
	if dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	_, err := w.resource(o).Create(w.t.Context(), o.DeepCopy(), opts)
	return err
}

// apply applies objects, server-side, and fails the test where one is refused.
func (w *world) apply(stream string) {
	w.t.Helper()
	if err := w.Apply(w.t.Context(), []byte(stream)); err != nil {
		w.t.Fatal(err)
	}
}

// denied fails the test unless an error is a denial of ours with a cause at a field, from a check.
func (w *world) denied(err error, field, check string) {
	w.t.Helper()
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		w.t.Fatalf("not denied: %v", err)
	}
	s := status.Status()
	if s.Code != 422 || s.Reason != metav1.StatusReasonInvalid || s.Details == nil {
		w.t.Fatalf("not a denial of the right form: %+v", s)
	}
	for _, c := range s.Details.Causes {
		if c.Field == field && strings.Contains(c.Message, "["+check+"]") {
			return
		}
	}
	w.t.Fatalf("no cause at %s from %s in %+v", field, check, s.Details.Causes)
}

// warnings are what the API server warned of.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

// take is what came since the last time.
func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.texts
	w.texts = nil
	return out
}

func (w *world) warned(about string) {
	w.t.Helper()
	got := w.warnings.take()
	for _, text := range got {
		if strings.Contains(text, about) {
			return
		}
	}
	w.t.Errorf("no warning about %q in %q", about, got)
}
