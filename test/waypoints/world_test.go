//go:build cluster

package waypoints

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

func TestMain(m *testing.M) { serving.Main(m) }

// world is a cluster with istiod in which Waywarden runs.
type world struct {
	*cluster.Cluster
	t        *testing.T
	balancer *serving.Balancer
}

// start gives a test a cluster of its own, without replicas yet.
func start(t *testing.T, options ...cluster.Option) *world {
	t.Helper()
	w := &world{Cluster: cluster.Start(t, append([]cluster.Option{cluster.Own(), cluster.WithIstiod(), cluster.Capture()}, options...)...), t: t}
	var err error
	if w.balancer, err = serving.Balance(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.balancer.Close() })
	if err := serving.Register(t.Context(), w.Cluster, w.balancer.URL()); err != nil {
		t.Fatal(err)
	}
	return w
}

// replica is a replica, and what it asks the API server for.
type replica struct {
	*serving.Replica
	*ledger
}

// hurry are flags of a replica that waits for proxies no longer than a test does: there are none.
var hurry = []string{"--istiod-settle", "1s", "--waypoint-drain", "1s"}

// replica adds a replica and waits until it is ready.
func (w *world) replica(flags ...string) replica {
	w.t.Helper()
	l := ledgerTo(w.t, w.Config)
	r, err := l.start(w.t.TempDir(), flags...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		r.Kill()
		if w.t.Failed() {
			log, _ := os.ReadFile(r.Log) // the last words of a replica help, and there may be none
			lines := strings.Split(strings.TrimSpace(string(log)), "\n")
			w.t.Logf("a replica said:\n%s", strings.Join(lines[max(0, len(lines)-60):], "\n"))
		}
	})
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	if err := r.WaitReady(ctx); err != nil {
		w.t.Fatal(err)
	}
	w.balancer.Add(r.Addr)
	return replica{r, l}
}

func (w *world) apply(stream string) {
	w.t.Helper()
	if err := w.Apply(w.t.Context(), []byte(stream)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) delete(r schema.GroupVersionResource, ns, name string) {
	w.t.Helper()
	if err := w.Dynamic.Resource(r).Namespace(ns).Delete(w.t.Context(), name, deleteNow); err != nil {
		w.t.Fatal(err)
	}
}

// shop is a namespace in ambient mode with a Service and a pod behind it.
const shop = `
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: %[1]s}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: %[1]s}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {containers: [{name: cart, image: cart, ports: [{containerPort: 8080}]}]}
`

// denyGet needs a waypoint: only one can compare methods.
const denyGet = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny-get, namespace: %[1]s}
spec:
  action: DENY
  targetRefs: [{group: "", kind: Service, name: cart}]
  rules: [{to: [{operation: {methods: [GET]}}]}]
`

const guardrail = `
apiVersion: waywarden.dev/v1alpha1
kind: Guardrail
metadata: {name: everywhere}
spec:
  checks: [{ids: ["*"], action: Warn}]
  waypoints: {mode: Provision%s}
`

var (
	gateways    = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}
	configMaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	pods        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	accounts    = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	autoscalers = schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}
	budgets     = schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}
	profiles    = schema.GroupVersionResource{Group: "waywarden.dev", Version: "v1alpha1", Resource: "waypointprofiles"}
	leases      = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
	slicesOf    = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
	events      = schema.GroupVersionResource{Group: "events.k8s.io", Version: "v1", Resource: "events"}
	reports     = schema.GroupVersionResource{Group: "openreports.io", Version: "v1alpha1", Resource: "reports"}
	services    = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	policies    = schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "authorizationpolicies"}
	guardrails  = schema.GroupVersionResource{Group: "waywarden.dev", Version: "v1alpha1", Resource: "guardrails"}
	validating  = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}
	mutating    = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}
)

var (
	all       = metav1.ListOptions{}
	deleteNow = metav1.DeleteOptions{}
)

// get is an object, nil where there is none.
func (w *world) get(r schema.GroupVersionResource, ns, name string) *unstructured.Unstructured {
	o, err := w.Dynamic.Resource(r).Namespace(ns).Get(w.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return o
}

// busy is by how much longer something may take on a machine that is busy with other tests, as most of these are side by side.
const busy = 4

// until waits until something holds, and says how long that took. limit is longer than that takes on a machine of its own; whoever gives
// up does so when it took several times as long.
func (w *world) until(what string, limit time.Duration, holds func() bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	for !holds() {
		if took := time.Since(began); took > busy*limit {
			w.t.Fatalf("after %s: %s does not hold", took, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(began)
}

// condition is the status of a condition of an object, "" where there is none. Those of a policy and a Service are where
// istiod writes them.
func condition(o *unstructured.Unstructured, name string) string {
	if o == nil {
		return ""
	}
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == name {
			return fmt.Sprint(m["status"])
		}
	}
	return ""
}
