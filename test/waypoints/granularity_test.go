//go:build cluster

package waypoints

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/test/oracle"
)

// pay is another Service in the namespace of a shop, over other pods.
const pay = `
apiVersion: v1
kind: Service
metadata: {name: pay, namespace: %[1]s}
spec: {selector: {app: pay}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: pay, namespace: %[1]s}
spec:
  selector: {matchLabels: {app: pay}}
  template:
    metadata: {labels: {app: pay}}
    spec: {containers: [{name: pay, image: pay, ports: [{containerPort: 8080}]}]}
`

// denyPay needs a waypoint too.
const denyPay = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny-pay, namespace: %[1]s}
spec:
  action: DENY
  targetRefs: [{group: "", kind: Service, name: pay}]
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
`

// lapses watches an object for a condition that has to stay True. The function that it returns says each time that it was not.
func (w *world) lapses(r schema.GroupVersionResource, ns, name, of string) func() []string {
	w.t.Helper()
	watcher, err := w.Dynamic.Resource(r).Namespace(ns).Watch(w.t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(watcher.Stop)
	var mu sync.Mutex
	var seen []string
	go func() {
		for e := range watcher.ResultChan() {
			if o, ok := e.Object.(*unstructured.Unstructured); e.Type == watch.Deleted || !ok || condition(o, of) != "True" {
				mu.Lock()
				seen = append(seen, fmt.Sprintf("%s: %s %s/%s: %s", time.Now().Format("15:04:05.000"), e.Type, ns, name, field(o, "status.conditions")))
				mu.Unlock()
			}
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), seen...)
	}
}

// boundTo is whether istiod says of a Service that it is attached to a waypoint, as "namespace/name".
func (w *world) boundTo(ns, service, waypoint string) bool {
	o := w.get(services, ns, service)
	return condition(o, "istio.io/WaypointBound") == "True" && strings.Contains(field(o, "status.conditions"), "attached to waypoint "+waypoint)
}

// settledInventory is what is in a namespace, once controllers have made there what they make in each.
func (w *world) settledInventory(ns string) map[string]string {
	w.t.Helper()
	return w.settledInventories()[ns]
}

// settledInventories is the same of all namespaces that people have made.
func (w *world) settledInventories() map[string]map[string]string {
	w.t.Helper()
	var before map[string]map[string]string
	w.until("all namespaces are settled", time.Minute, func() bool {
		now := w.inventories()
		same := cmp.Equal(now, before)
		for ns, all := range now {
			same = same && (len(all) > 2 || strings.HasPrefix(ns, "kube-"))
		}
		before = now
		time.Sleep(time.Second)
		return same
	})
	return before
}

// TestServiceGranularity: each Service that needs a waypoint has one of its own and the label itself; one goes without the other
// noticing.
func TestServiceGranularity(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{granularity: Service, retainFor: 0s}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(pay, "shop"))
	before := w.settledInventory("shop")

	w.apply(fmt.Sprintf(denyGet, "shop"))
	w.takesEffect("shop")
	w.until("the Service is bound", 20*time.Second, func() bool { return w.boundTo("shop", "cart", "shop/cart-waypoint") })
	if gw := w.get(gateways, "shop", "cart-waypoint"); condition(gw, "Programmed") != "True" {
		t.Errorf("the Gateway is %s", field(gw, "status.conditions"))
	}
	if l := w.get(namespaces, "", "shop").GetLabels()[label.IoIstioUseWaypoint.Name]; l != "" {
		t.Errorf("the Namespace is labelled for %q", l)
	}
	if cart, other := w.sentTo("shop", "cart"), w.sentTo("shop", "pay"); !strings.HasPrefix(cart, "shop/cart-waypoint.") || other != oracle.Nothing {
		t.Errorf("ztunnels send what is for cart to %s, and what is for pay to %s", cart, other)
	}

	w.apply(fmt.Sprintf(denyPay, "shop"))
	w.until("the other policy takes effect at a waypoint of its own", time.Minute, func() bool {
		return condition(w.get(policies, "shop", "deny-pay"), "WaypointAccepted") == "True" && w.boundTo("shop", "pay", "shop/pay-waypoint")
	})
	w.until("both Gateways say how they are", 20*time.Second, func() bool {
		return condition(w.get(gateways, "shop", "cart-waypoint"), "waywarden.dev/AsPlanned") == "True" && condition(w.get(gateways, "shop", "pay-waypoint"), "waywarden.dev/AsPlanned") == "True" &&
			w.get(gateways, "shop", "pay-waypoint").GetAnnotations()["waywarden.dev/needs"] == "1"
	})
	both, kept := w.inventory("shop"), w.get(gateways, "shop", "pay-waypoint")
	accepted, bound := w.lapses(policies, "shop", "deny-pay", "WaypointAccepted"), w.lapses(services, "shop", "pay", "istio.io/WaypointBound")
	w.delete(policies, "shop", "deny-get")
	maps.DeleteFunc(both, func(what, _ string) bool {
		return strings.Contains(what, "cart-waypoint") || what == "AuthorizationPolicy deny-get"
	})
	both["Service cart"] = before["Service cart"]
	w.leaves("shop", both)
	if now := w.get(gateways, "shop", "pay-waypoint"); now.GetUID() != kept.GetUID() || now.GetGeneration() != kept.GetGeneration() {
		t.Error("the other waypoint was written, or made anew")
	}
	if seen := append(accepted(), bound()...); len(seen) > 0 {
		t.Errorf("the other Service was not served meanwhile:\n%s", strings.Join(seen, "\n"))
	}

	w.delete(policies, "shop", "deny-pay")
	w.leaves("shop", before)
}

// leaves waits until what is in a namespace is this, and else says the difference.
func (w *world) leaves(ns string, want map[string]string) {
	w.t.Helper()
	for deadline := time.Now().Add(busy * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		diff := cmp.Diff(want, w.inventory(ns))
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("what is left in %s, or gone too (-want +is):\n%s", ns, diff)
		}
	}
}

// common is the waypoint that profile shared shares.
const common = "waypoint-shared"

// sharing is a profile by which north and south share a waypoint in edge; stranger and edge have nobody who provides for them.
const sharing = `
apiVersion: waywarden.dev/v1alpha1
kind: WaypointProfile
metadata: {name: shared}
spec: {granularity: Shared, sharedNamespace: edge, retainFor: 0s}
---
apiVersion: waywarden.dev/v1alpha1
kind: Guardrail
metadata: {name: sharing}
spec:
  namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [north, south]}]}
  checks: [{ids: ["*"], action: Warn}]
  waypoints: {mode: Provision, profile: shared}
---
apiVersion: v1
kind: Namespace
metadata: {name: edge}
`

// TestSharedGranularity: two namespaces share a waypoint in a third. One joins and leaves while the other goes on being served, and
// istiod lets in those who have part in it and nobody else.
func TestSharedGranularity(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(sharing + "---" + fmt.Sprintf(shop, "north") + "---" + fmt.Sprintf(shop, "south") + "---" + fmt.Sprintf(shop, "stranger"))
	edge, south := w.settledInventory("edge"), w.settledInventory("south")
	gateway := func() *unstructured.Unstructured { return w.get(gateways, "edge", common) }
	admits := func() string { return field(gateway(), "spec.listeners") }
	serves := func(ns string) func() bool {
		return func() bool {
			return condition(w.get(policies, ns, "deny-get"), "WaypointAccepted") == "True" && w.boundTo(ns, "cart", "edge/"+common)
		}
	}

	w.apply(fmt.Sprintf(denyGet, "south"))
	w.until("the first one is served", time.Minute, serves("south"))
	if text := admits(); !strings.Contains(text, "values:[edge south]") || !strings.Contains(text, "kubernetes.io/metadata.name") || strings.Contains(text, "All") {
		t.Errorf("it lets in %s", text)
	}
	w.apply(fmt.Sprintf(denyGet, "stranger"))
	w.refuses("stranger") // who asks for it, needs one, and has no part in it
	if text := admits(); !strings.Contains(text, "values:[edge south]") {
		t.Errorf("asked by a label it lets in %s", text)
	}
	made := gateway()
	accepted, bound := w.lapses(policies, "south", "deny-get", "WaypointAccepted"), w.lapses(services, "south", "cart", "istio.io/WaypointBound")
	joined := time.Now()
	w.apply(fmt.Sprintf(denyGet, "north"))
	w.until("the second one is served", time.Minute, serves("north"))
	if text := admits(); !strings.Contains(text, "values:[edge north south]") {
		t.Errorf("it lets in %s", text)
	}
	w.inOrder(r, joined, "/namespaces/edge/gateways/"+common, "/namespaces/north?")
	for _, ns := range []string{"north", "south"} {
		if to := w.sentTo(ns, "cart"); !strings.HasPrefix(to, "edge/"+common+".") {
			t.Errorf("what is for %s is sent to %s", ns, to)
		}
		if l := w.get(namespaces, "", ns).GetLabels(); l[label.IoIstioUseWaypoint.Name] != common || l[label.IoIstioUseWaypointNamespace.Name] != "edge" {
			t.Errorf("Namespace %s has labels %v", ns, l)
		}
	}

	// What is bound stays bound until nothing needs the waypoint: taking one of several off would be a step that nobody asked for.
	w.delete(policies, "north", "deny-get")
	w.until("the Gateway says who still needs it", 20*time.Second, func() bool { return gateway().GetAnnotations()["waywarden.dev/needs"] == "1" })
	time.Sleep(3 * time.Second)
	if !w.boundTo("north", "cart", "edge/"+common) || !strings.Contains(admits(), "values:[edge north south]") {
		t.Errorf("the first one to need it no longer is bound to it: it lets in %s", admits())
	}
	w.delete(namespaces, "", "north")
	w.until("the one that is gone is no longer let in", time.Minute, func() bool {
		return w.get(namespaces, "", "north") == nil && strings.Contains(admits(), "values:[edge south]")
	})
	w.apply(fmt.Sprintf(shop, "north"))
	w.refuses("north") // what comes by the name of one that is gone
	if !serves("south")() || gateway().GetUID() != made.GetUID() {
		t.Error("the one that stayed is not served by the same waypoint")
	}
	if seen := append(accepted(), bound()...); len(seen) > 0 {
		t.Errorf("the one that stayed was not served meanwhile:\n%s", strings.Join(seen, "\n"))
	}

	w.delete(policies, "south", "deny-get")
	w.leaves("south", south)
	w.leaves("edge", edge)
}

// refuses has somebody label a Service for the shared waypoint, and fails unless istiod says that it is not let in, and sends nothing of it
// there. The label is taken off again.
func (w *world) refuses(ns string) {
	w.t.Helper()
	w.label(ns, "cart", map[string]any{label.IoIstioUseWaypoint.Name: common, label.IoIstioUseWaypointNamespace.Name: "edge"})
	w.until("istiod refuses "+ns, 20*time.Second, func() bool {
		o := w.get(services, ns, "cart")
		return condition(o, "istio.io/WaypointBound") == "False" && strings.Contains(field(o, "status.conditions"), "AttachmentDenied")
	})
	time.Sleep(3 * time.Second)
	if to := w.sentTo(ns, "cart"); to != oracle.Nothing {
		w.t.Errorf("what is for %s is sent to %s", ns, to)
	}
	w.label(ns, "cart", map[string]any{label.IoIstioUseWaypoint.Name: nil, label.IoIstioUseWaypointNamespace.Name: nil})
}

// label is a person who labels a Service; nil takes a label off.
func (w *world) label(ns, service string, labels map[string]any) {
	w.t.Helper()
	body := (&unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"labels": labels}}})
	raw, err := body.MarshalJSON()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Dynamic.Resource(services).Namespace(ns).Patch(w.t.Context(), service, types.MergePatchType, raw, metav1.PatchOptions{FieldManager: "kubectl-label"}); err != nil {
		w.t.Fatal(err)
	}
}

// inOrder fails unless a replica has written what is in one path before what is in another, each for the first time since.
func (w *world) inOrder(r replica, since time.Time, first, then string) {
	w.t.Helper()
	var order []string
	for _, c := range writes(r.since(since)) {
		if c.status < 300 && !strings.Contains(c.path, "/status") && !strings.Contains(c.path, "waywarden-waypoints-status") {
			order = append(order, c.path)
		}
	}
	at := func(path string) int {
		for i, p := range order {
			if strings.Contains(p, path) {
				return i
			}
		}
		return -1
	}
	if a, b := at(first), at(then); a < 0 || b < 0 || a > b {
		w.t.Errorf("%s was not written before %s:\n%s", first, then, strings.Join(order, "\n"))
	}
}
