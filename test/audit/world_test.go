//go:build cluster

package audit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/openreports"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/test/cluster"
)

const deadline = 60 * time.Second

// world is a cluster in which an audit runs.
type world struct {
	*testing.T
	*cluster.Cluster
	watcher *rest.Config // who watches for the audit

	mu      sync.Mutex
	log     []string
	reports map[openreports.Outcome]int
	wrong   int // differences
	full    int // full audits
	news    audit.News
}

func start(t *testing.T, opts ...cluster.Option) *world {
	c := cluster.Start(t, append(opts, cluster.Own())...)
	return &world{T: t, Cluster: c, watcher: c.Config, reports: map[openreports.Outcome]int{}}
}

// crds are the folders or files of the CRDs of both APIs.
func crds(t *testing.T, api openreports.API) []string {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	if api == openreports.OpenReports {
		return []string{filepath.Join(root, "charts/waywarden/files/openreports")}
	}
	return []string{filepath.Join(root, "test/audit/testdata")}
}

func (w *world) install(api openreports.API) {
	w.Helper()
	if _, err := envtest.InstallCRDs(w.Config, envtest.CRDInstallOptions{Paths: crds(w.T, api)}); err != nil {
		w.Fatal(err)
	}
}

func (w *world) uninstall(api openreports.API) {
	w.Helper()
	if err := envtest.UninstallCRDs(w.Config, envtest.CRDInstallOptions{Paths: crds(w.T, api)}); err != nil {
		w.Fatal(err)
	}
}

// apply stores objects.
func (w *world) apply(text string) {
	w.Helper()
	if err := w.Apply(w.Context(), []byte(text)); err != nil {
		w.Fatal(err)
	}
}

// audit runs an audit until the returned function is called, which waits for its end.
func (w *world) audit(interval time.Duration, apis ...openreports.API) (stop func()) {
	w.Helper()
	live, err := inventory.Watch(w.watcher, inventory.WatchOptions{Log: logr.Discard()})
	if err != nil {
		w.Fatal(err)
	}
	book, _ := decide.New(decide.Options{}, nil, nil)
	rules := &audit.Authored{Rulebook: book}
	auditor := audit.NewContinuous(audit.ContinuousOptions{
		Subscribe: live.Subscribe, Authored: func() *audit.Authored { return rules }, Interval: interval, Settle: 50 * time.Millisecond,
		Observe: w.observe, Tell: w.tell, Log: funcr.New(func(_, args string) { w.note(args) }, funcr.Options{}),
		Reports: func(context.Context) (*openreports.Writer, error) {
			api, err := openreports.Served(w.Config, apis...)
			if err != nil {
				return nil, err
			}
			return openreports.NewWriter(w.Config, openreports.Options{API: api, Checks: func() []*policies.Check { return policies.Checks() }})
		},
	})
	ctx, cancel := context.WithCancel(w.Context())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{live.Start, auditor.Start} {
		running.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				w.Error(err)
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	w.Cleanup(stop)
	return stop
}

func (w *world) note(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, line)
}

func (w *world) observe(o audit.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.Report != "" {
		w.reports[o.Report]++
		return
	}
	w.wrong += o.Differences
	if o.Full {
		w.full++
	}
}

func (w *world) tell(n audit.News) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.news.New, w.news.Resolved = append(w.news.New, n.New...), append(w.news.Resolved, n.Resolved...)
}

func (w *world) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.log...)
}

func (w *world) count(o openreports.Outcome) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reports[o]
}

// eventually waits until a condition holds; it says why it does not.
func (w *world) eventually(what string, condition func() error) {
	w.Helper()
	var err error
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = condition(); err == nil {
			return
		}
	}
	w.Fatalf("%s: %v\nthe audit said:\n%v", what, err, w.lines())
}

var resources = map[openreports.API]schema.GroupVersionResource{
	openreports.OpenReports:  openreports.OpenReports.WithResource("reports"),
	openreports.PolicyReport: openreports.PolicyReport.WithResource("policyreports"),
}

// report is the report of a namespace.
func (w *world) report(api openreports.API, namespace string) (*unstructured.Unstructured, error) {
	return w.Dynamic.Resource(resources[api]).Namespace(namespace).Get(w.Context(), openreports.Name, metav1.GetOptions{})
}

// reported waits until the report of a namespace counts so many failures.
func (w *world) reported(api openreports.API, namespace string, fail int64) *unstructured.Unstructured {
	w.Helper()
	var u *unstructured.Unstructured
	w.eventually(fmt.Sprintf("a report of %s with %d failures", namespace, fail), func() (err error) {
		if u, err = w.report(api, namespace); err != nil {
			return err
		}
		if got, _, _ := unstructured.NestedInt64(u.Object, "summary", "fail"); got != fail {
			return fmt.Errorf("it counts %d", got)
		}
		return nil
	})
	return u
}

const shop = `apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-get, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-put, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {methods: [PUT]}}]}]}
`

var policiesResource = schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "authorizationpolicies"}

func (w *world) remove(namespace, name string) {
	w.Helper()
	if err := w.Dynamic.Resource(policiesResource).Namespace(namespace).Delete(w.Context(), name, metav1.DeleteOptions{}); err != nil {
		w.Fatal(err)
	}
}
