//go:build cluster

package admission

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

// load has the API server asked without a pause, with what must be denied and with what must not. Whatever else comes of
// it is a failure: a call that failed, and a policy that slipped through.
type load struct {
	mu       sync.Mutex
	asked    int
	failures []string
	stop     context.CancelFunc
	group    sync.WaitGroup
}

const askers = 4

func (w *world) load() *load { return w.loadOf(object(w.t, guard)) }

// loadOf is load with something else that must not be denied.
func (w *world) loadOf(good *unstructured.Unstructured) *load {
	ctx, stop := context.WithCancel(w.t.Context())
	l := &load{stop: stop}
	bad := object(w.t, in("shop", noOp))
	for i := range askers {
		l.group.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				o := good
				if n%2 == 0 {
					o = bad
				}
				_, err := w.resource(o).Create(ctx, o.DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: "load"})
				if ctx.Err() == nil {
					l.count(o == bad, err)
				}
			}
		})
	}
	return l
}

func (l *load) count(bad bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	switch {
	case bad && err == nil:
		l.failures = append(l.failures, "what must be denied was admitted")
	case bad && !(apierrors.IsInvalid(err) && strings.Contains(err.Error(), noOpCheck)):
		l.failures = append(l.failures, "a call failed: "+err.Error())
	case !bad && err != nil:
		l.failures = append(l.failures, "what must be admitted was not: "+err.Error())
	}
}

// end stops asking, and fails the test for every failure.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop()
	l.group.Wait()
	t.Logf("%d calls, %d failures", l.asked, len(l.failures))
	for i, f := range l.failures {
		if i == 5 {
			break
		}
		t.Error(f)
	}
	if l.asked < 100 {
		t.Errorf("only %d calls: the test says little", l.asked)
	}
}

var configurations = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}

// raised waits until failurePolicy of the policies' entry is Fail.
func (w *world) raised() {
	w.t.Helper()
	w.eventually("failurePolicy is raised", func() error {
		c, err := w.Dynamic.Resource(configurations).Get(w.t.Context(), serving.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		hooks, _ := c.Object["webhooks"].([]any)
		var policies []string
		for _, h := range hooks {
			hook := h.(map[string]any)
			policies = append(policies, fmt.Sprintf("%s=%s", hook["name"], hook["failurePolicy"]))
		}
		if got, want := strings.Join(policies, " "), "policies.waywarden.dev=Fail packs.waywarden.dev=Ignore mesh.waywarden.dev=Ignore"; got != want {
			return errors.New(got)
		}
		return nil
	})
}

func (w *world) deniesNow() {
	w.t.Helper()
	w.eventually("the Guardrail denies", func() error {
		if w.create(object(w.t, in("shop", noOp)), true) == nil {
			return errors.New("admitted")
		}
		return nil
	})
}

// TestRotations replaces the CA three times under load: no call fails.
func TestRotations(t *testing.T) {
	w := start(t, 2, "--cert-delay", "3s")
	w.shop()
	w.apply(production)
	w.raised()
	w.deniesNow()
	l := w.load()
	secret := w.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace(serving.Namespace)
	for n := range 3 {
		before := w.bundle()
		patch := fmt.Sprintf(`{"metadata": {"annotations": {"waywarden.dev/rotate": "test-%d"}}}`, n)
		if _, err := secret.Patch(t.Context(), "waywarden-tls", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		w.within(2*time.Minute, "the old CA is gone", func() error {
			now := w.bundle()
			if now == before || strings.Contains(decoded(t, now), decoded(t, before)) || strings.Count(decoded(t, now), "BEGIN CERTIFICATE") != 1 {
				return errors.New("it is still there")
			}
			return nil
		})
	}
	l.end(t)
}

// bundle is the caBundle of the policies' entry, as it is encoded.
func (w *world) bundle() string {
	w.t.Helper()
	c, err := w.Dynamic.Resource(configurations).Get(w.t.Context(), serving.Name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	client := c.Object["webhooks"].([]any)[0].(map[string]any)["clientConfig"].(map[string]any)
	bundle, _ := client["caBundle"].(string)
	return bundle
}

// TestRollingRestart replaces both replicas under load, one after the other: no call fails.
func TestRollingRestart(t *testing.T) {
	w := start(t, 2)
	w.shop()
	w.apply(production)
	w.raised()
	w.deniesNow()
	file, err := serving.Built()
	if err != nil {
		t.Fatal(err)
	}
	l := w.load()
	for range 2 {
		old := w.replicas[0]
		w.replicas = w.replicas[1:]
		w.add(file)
		w.deniesNow()
		if err := old.Terminate(); err != nil {
			t.Fatal(err)
		}
		w.eventually("it is no longer ready", func() error {
			if old.Ready(t.Context()) == nil {
				return errors.New("it is")
			}
			return nil
		})
		w.balancer.Remove(old.Addr)
		if err := old.Wait(); err != nil {
			t.Errorf("the replica did not end well: %v", err)
		}
	}
	l.end(t)
}

// replaces has a Deployment make a pod, puts it on a node as a scheduler does, and takes it away: another one comes.
func (w *world) replaces(namespace, node string) {
	w.t.Helper()
	w.apply(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: replaced, namespace: ` + namespace + `}
spec:
  replicas: 1
  selector: {matchLabels: {app: replaced}}
  template:
    metadata: {labels: {app: replaced}}
    spec: {containers: [{name: app, image: app}]}
`)
	pods := w.resource(object(w.t, "{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: "+namespace+"}}"))
	gone := map[string]bool{}
	for range 2 {
		var made string
		w.eventually("a pod of the Deployment", func() error {
			list, err := pods.List(w.t.Context(), metav1.ListOptions{LabelSelector: "app=replaced"})
			if err != nil {
				return err
			}
			for _, o := range list.Items {
				if !gone[o.GetName()] {
					made = o.GetName()
					return nil
				}
			}
			return errors.New("there is none, or none but those that went")
		})
		binding := object(w.t, "{apiVersion: v1, kind: Binding, metadata: {name: "+made+", namespace: "+namespace+"}, target: {apiVersion: v1, kind: Node, name: "+node+"}}")
		if _, err := pods.Create(w.t.Context(), binding, metav1.CreateOptions{}, "binding"); err != nil {
			w.t.Errorf("a pod cannot be put on a node: %v", err)
		}
		if err := pods.Delete(w.t.Context(), made, metav1.DeleteOptions{}); err != nil {
			w.t.Errorf("a pod cannot be deleted: %v", err)
		}
		gone[made] = true
	}
}

// TestClusterHeals kills every replica while policies fail closed: everything that a cluster needs to heal still goes, and
// after a restart it is as before.
func TestClusterHeals(t *testing.T) {
	t.Setenv(cluster.KubeconfigEnv, "")
	w := startIn(t, cluster.Start(t, cluster.WithControllers()), 2)
	w.shop()
	w.apply(production)
	w.raised()
	w.deniesNow()
	for _, r := range w.replicas {
		w.balancer.Remove(r.Addr)
		r.Kill()
	}
	if err := w.create(object(t, guard), true); err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
		t.Errorf("a policy with every replica dead: %v, want that the webhook cannot be called", err)
	}
	w.apply(`
apiVersion: v1
kind: Namespace
metadata: {name: healing, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Node
metadata: {name: another}
---
apiVersion: v1
kind: Pod
metadata: {name: healer, namespace: healing}
spec: {nodeName: another, containers: [{name: app, image: app}]}
---
apiVersion: v1
kind: Service
metadata: {name: healer, namespace: healing}
spec: {selector: {app: healer}, ports: [{port: 80}]}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: healer, namespace: healing}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: healing}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
`)
	for kind, name := range map[string]string{"Pod": "healer", "Service": "healer"} {
		o := object(t, "apiVersion: v1\nkind: "+kind+"\nmetadata: {name: "+name+", namespace: healing}")
		if err := w.resource(o).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("%s cannot be deleted: %v", kind, err)
		}
	}
	w.replaces("healing", "another")
	policy := object(t, guard)
	if err := w.resource(policy).Delete(t.Context(), "guard", metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("a policy cannot be deleted: %v", err)
	}
	file, err := serving.Built()
	if err != nil {
		t.Fatal(err)
	}
	w.replicas = nil
	w.add(file)
	w.deniesNow()
	if err := w.create(object(t, guard), true); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}
