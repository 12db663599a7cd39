//go:build cluster

package waypoints

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"istio.io/api/annotation"
	"istio.io/api/label"
)

// atGateway names the waypoint itself, and so does not follow when another one takes its place.
const atGateway = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny-put, namespace: %[1]s}
spec:
  action: DENY
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]
  rules: [{to: [{operation: {methods: [PUT]}}]}]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: %[1]s}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]
  jwtRules: [{issuer: "https://tokens.example.com", jwks: '{"keys": []}'}]
`

var tokens = schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "requestauthentications"}

// bindingOf is how a Namespace sends its calls: its waypoint, and what share of them goes to which other one.
func bindingOf(o *unstructured.Unstructured) string {
	out := o.GetLabels()[label.IoIstioUseWaypoint.Name]
	if canary := o.GetLabels()[label.IoIstioUseWaypointCanary.Name]; canary != "" {
		out += "+" + canary + "=" + o.GetAnnotations()[annotation.IoIstioUseWaypointCanaryWeight.Name]
	}
	return out
}

// bindings takes down each binding of Namespace shop, from the one that it has. The function that it returns says them.
func (w *world) bindings() func() []string {
	w.t.Helper()
	ns := w.get(namespaces, "", "shop")
	watcher, err := w.Dynamic.Resource(namespaces).Watch(w.t.Context(), metav1.ListOptions{ResourceVersion: ns.GetResourceVersion(), FieldSelector: "metadata.name=shop"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(watcher.Stop)
	var mu sync.Mutex
	seen := []string{bindingOf(ns)}
	go func() {
		for e := range watcher.ResultChan() {
			o, ok := e.Object.(*unstructured.Unstructured)
			mu.Lock()
			if ok && bindingOf(o) != seen[len(seen)-1] {
				seen = append(seen, bindingOf(o))
			}
			mu.Unlock()
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), seen...)
	}
}

// annotate is a person who annotates a Gateway, as soon as somebody is there who admits it; nil takes an annotation off.
func (w *world) annotate(ns, name string, annotations map[string]any) {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.until("Gateway "+ns+"/"+name+" is annotated", 2*time.Minute, func() bool {
		_, err := w.Dynamic.Resource(gateways).Namespace(ns).Patch(w.t.Context(), name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: "kubectl-annotate"})
		return err == nil
	})
}

// TestMove: what is bound moves to a waypoint that an annotation names, by one write of the label, after what names the old one is
// said at the new one; then the old one goes. By steps it moves with Istio's canary, which istiod attaches; one write takes that back.
func TestMove(t *testing.T) {
	t.Parallel()
	w, r := served(t, "{}")
	w.apply(fmt.Sprintf(atGateway, "shop"))
	w.until("the policy at the Gateway takes effect", 20*time.Second, func() bool { return condition(w.get(policies, "shop", "deny-put"), "WaypointAccepted") == "True" })
	bindings := w.bindings()
	boundTo := func(waypoint string) bool {
		o := w.get(services, "shop", "cart")
		return condition(o, "istio.io/WaypointBound") == "True" && strings.Contains(field(o, "status.conditions"), "attached to waypoint shop/"+waypoint)
	}
	gone := func(waypoint string) bool {
		return w.get(gateways, "shop", waypoint) == nil && w.get(deployments, "shop", waypoint) == nil
	}

	w.annotate("shop", "waypoint", map[string]any{"waywarden.dev/migrate-to": "second"})
	took := w.until("all is bound to the second waypoint, and the first is gone", time.Minute, func() bool { return boundTo("second") && gone("waypoint") })
	t.Logf("moved, and the old waypoint gone, after %s: %q", took, bindings())
	if moves := strings.Join(bindings(), " "); moves != "waypoint second" {
		t.Errorf("on the way the Namespace was bound to %q", moves)
	}
	copied := w.get(policies, "shop", "waywarden-copy-deny-put.second")
	if condition(copied, "WaypointAccepted") != "True" || !strings.Contains(field(copied, "spec"), "PUT") {
		t.Errorf("what names the old waypoint is not in force at the new one: %v", copied)
	}
	if o := w.get(tokens, "shop", "waywarden-copy-tokens.second"); !strings.Contains(field(o, "spec.targetRefs"), "name:second") || !strings.Contains(field(o, "spec"), "tokens.example.com") {
		t.Errorf("which tokens the old waypoint takes is not said at the new one: %v", o)
	}
	w.until("nothing is left to do", 20*time.Second, func() bool { return condition(w.get(profiles, "", "default"), "Ready") == "True" })

	w.annotate("shop", "second", map[string]any{"waywarden.dev/migrate-to": "third", "waywarden.dev/migrate-steps": "20/2s,60"})
	w.until("60% go to the third waypoint", time.Minute, func() bool {
		return bindingOf(w.get(namespaces, "", "shop")) == "second+third=60"
	})
	w.until("the profile says who is waited for", 10*time.Second, func() bool {
		return strings.Contains(field(w.get(profiles, "", "default"), "status.needed"), "60% of its connections take waypoint third until annotation waywarden.dev/migrate-go")
	})
	if o := w.get(services, "shop", "cart"); !boundTo("second") || strings.Contains(field(o, "status.conditions"), "Canary waypoint not attached") {
		t.Errorf("istiod says %s", field(o, "status.conditions"))
	}
	quiet := time.Now()
	time.Sleep(5 * time.Second)
	if calls := r.since(quiet); len(calls) > 0 {
		t.Errorf("%d requests while a step is held, as in %s", len(calls), calls[0])
	}

	back := time.Now()
	w.annotate("shop", "second", map[string]any{"waywarden.dev/migrate-to": nil})
	w.until("the third waypoint is gone", time.Minute, func() bool { return gone("third") })
	var labels []call
	for _, c := range writes(r.since(back)) {
		if strings.Contains(c.path, "/namespaces/shop?") {
			labels = append(labels, c)
		}
	}
	if len(labels) != 1 || bindingOf(w.get(namespaces, "", "shop")) != "second" {
		t.Errorf("it took %v to take it back, to %s", labels, bindingOf(w.get(namespaces, "", "shop")))
	}

	// What is said while nothing moves lets no move go on.
	over := func() string {
		return w.get(gateways, "shop", "second").GetAnnotations()["waywarden.dev/migrate-go-over"]
	}
	w.annotate("shop", "second", map[string]any{"waywarden.dev/migrate-go": "60"})
	w.until("it is written down that it is of no move", 20*time.Second, func() bool { return over() == "60" })
	w.annotate("shop", "second", map[string]any{"waywarden.dev/migrate-to": "third"})
	w.until("the profile says that it does not count", time.Minute, func() bool {
		return strings.Contains(field(w.get(profiles, "", "default"), "status.needed"), "it says was there before this move, and does not count: take it off first")
	})
	time.Sleep(3 * time.Second)
	if bound := bindingOf(w.get(namespaces, "", "shop")); bound != "second+third=60" {
		t.Errorf("it goes on unasked: %s", bound)
	}
	w.annotate("shop", "second", map[string]any{"waywarden.dev/migrate-go": nil})
	w.until("it is forgotten", 20*time.Second, func() bool { return over() == "" })
	w.annotate("shop", "second", map[string]any{"waywarden.dev/migrate-go": "60"})
	w.until("all is bound to the third waypoint, and the second is gone", time.Minute, func() bool { return boundTo("third") && gone("second") })
	want := "waypoint second second+third=20 second+third=60 second second+third=20 second+third=60 third"
	if moves := strings.Join(bindings(), " "); moves != want {
		t.Errorf("on the way the Namespace was bound to %q", moves)
	}
	if condition(w.get(policies, "shop", "waywarden-copy-deny-put.third"), "WaypointAccepted") != "True" {
		t.Error("what names the first waypoint is not in force at the third one")
	}
	for _, c := range writes(r.since(time.Time{})) {
		gone := c.status == 404 && strings.Contains(c.path, "waywarden-waypoints-status") // what was to be told of one that has just been deleted
		if c.status >= 400 && c.status != 409 && !gone {
			t.Errorf("a write was refused: %s", c)
		}
	}
}
