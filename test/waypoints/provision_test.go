//go:build cluster

package waypoints

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"istio.io/api/label"
)

// moments are when something was first seen to hold.
type moments struct {
	mu sync.Mutex
	at map[string]time.Time
}

// watch takes down when each of some things holds, for objects of a resource in a namespace, until the test ends.
func (m *moments) watch(w *world, r schema.GroupVersionResource, ns string, holds map[string]func(*unstructured.Unstructured) bool) {
	w.t.Helper()
	watcher, err := w.Dynamic.Resource(r).Namespace(ns).Watch(w.t.Context(), all)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(watcher.Stop)
	go func() {
		for e := range watcher.ResultChan() {
			o, ok := e.Object.(*unstructured.Unstructured)
			for what, f := range holds {
				if ok && f(o) {
					m.see(what)
				}
			}
		}
	}()
}

func (m *moments) see(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == nil {
		m.at = map[string]time.Time{}
	}
	if _, already := m.at[what]; !already {
		m.at[what] = time.Now()
	}
}

// seen are the moments, where all of some things were seen.
func (m *moments) seen(all ...string) (map[string]time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, what := range all {
		if _, ok := m.at[what]; !ok {
			return nil, false
		}
	}
	return maps.Clone(m.at), true
}

func named(name string, holds func(*unstructured.Unstructured) bool) func(*unstructured.Unstructured) bool {
	return func(o *unstructured.Unstructured) bool { return o.GetName() == name && holds(o) }
}

// ready is the pod of a waypoint that is ready.
func readyWaypoint(o *unstructured.Unstructured) bool {
	return o.GetLabels()[label.IoK8sNetworkingGatewayGatewayName.Name] != "" && condition(o, "Ready") == "True"
}

// TestFromPolicyToEffect: a policy is applied, and takes effect, with nobody doing anything else. Of the time that it takes
// less than a second is ours, in all steps together: from the policy to the parameters, from those to the Gateway, and from the waypoint
// that is ready to the label. Each counts from when a watch of the API server tells what the step has to wait for, to when one tells that it is
// written. How long each took is printed (go test -v).
func TestFromPolicyToEffect(t *testing.T) {
	w := start(t)
	w.replica()
	w.apply(fmt.Sprintf(profile, "{labels: {team: mesh}}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop"))
	w.until("the pod of the shop is ready", 30*time.Second, func() bool {
		list, err := w.Dynamic.Resource(pods).Namespace("shop").List(t.Context(), all)
		return err == nil && len(list.Items) == 1 && condition(&list.Items[0], "Ready") == "True"
	})
	var m moments
	m.watch(w, policies, "shop", map[string]func(*unstructured.Unstructured) bool{
		"policy":   func(*unstructured.Unstructured) bool { return true },
		"accepted": func(o *unstructured.Unstructured) bool { return condition(o, "WaypointAccepted") == "True" }})
	m.watch(w, configMaps, "shop", map[string]func(*unstructured.Unstructured) bool{
		"parameters": named("waypoint-parameters", func(*unstructured.Unstructured) bool { return true })})
	m.watch(w, gateways, "shop", map[string]func(*unstructured.Unstructured) bool{
		"gateway":    func(*unstructured.Unstructured) bool { return true },
		"programmed": func(o *unstructured.Unstructured) bool { return condition(o, "Programmed") == "True" }})
	m.watch(w, pods, "shop", map[string]func(*unstructured.Unstructured) bool{"pod": readyWaypoint})
	m.watch(w, namespaces, "", map[string]func(*unstructured.Unstructured) bool{
		"label": named("shop", func(o *unstructured.Unstructured) bool {
			return o.GetLabels()[label.IoIstioUseWaypoint.Name] == "waypoint"
		})})
	m.watch(w, services, "shop", map[string]func(*unstructured.Unstructured) bool{
		"bound": named("cart", func(o *unstructured.Unstructured) bool { return condition(o, "istio.io/WaypointBound") == "True" })})
	w.apply(fmt.Sprintf(denyGet, "shop"))
	var seen map[string]time.Time
	w.until("the policy is accepted at its waypoint, and the Service bound", time.Minute, func() (ok bool) {
		seen, ok = m.seen("policy", "parameters", "gateway", "programmed", "pod", "label", "bound", "accepted")
		return ok
	})
	ready := seen["programmed"]
	if seen["pod"].After(ready) {
		ready = seen["pod"]
	}
	effect := seen["accepted"]
	if seen["bound"].After(effect) {
		effect = seen["bound"]
	}
	total := effect.Sub(seen["policy"])
	asked, made, bound := seen["parameters"].Sub(seen["policy"]), seen["gateway"].Sub(seen["parameters"]), max(0, seen["label"].Sub(ready))
	ours := max(0, asked) + max(0, made) + bound
	t.Logf("policy → parameters %s (ours) → Gateway %s (ours) → waypoint ready %s (istiod, pod) → label %s (ours) → accepted and bound %s (istiod): %s, of which %s ours",
		asked, made, ready.Sub(seen["gateway"]), bound, effect.Sub(seen["label"]), total, ours)
	if total > 15*time.Second || ours > time.Second {
		t.Errorf("it took %s, of which %s are ours", total, ours)
	}
}

// kinds are all in which something could be left behind.
var kinds = []schema.GroupVersionResource{gateways, configMaps, services, accounts, deployments, policies, autoscalers, budgets}

// inventory is what is in a namespace, with labels and annotations, and whether our field manager owns any of it.
func (w *world) inventory(ns string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, r := range kinds {
		list, err := w.Dynamic.Resource(r).Namespace(ns).List(w.t.Context(), all)
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range list.Items {
			enter(out, &list.Items[i])
		}
	}
	enter(out, w.get(namespaces, "", ns))
	return out
}

// inventories are those of all namespaces.
func (w *world) inventories() map[string]map[string]string {
	w.t.Helper()
	out := map[string]map[string]string{}
	for _, r := range append([]schema.GroupVersionResource{namespaces}, kinds...) {
		list, err := w.Dynamic.Resource(r).List(w.t.Context(), all)
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range list.Items {
			o := &list.Items[i]
			ns := o.GetNamespace()
			if r == namespaces {
				ns = o.GetName()
			}
			if out[ns] == nil {
				out[ns] = map[string]string{}
			}
			enter(out[ns], o)
		}
	}
	return out
}

// enter enters an object into an inventory.
func enter(inventory map[string]string, o *unstructured.Unstructured) {
	annotations := maps.Clone(o.GetAnnotations())
	delete(annotations, "deployment.kubernetes.io/revision")
	mine := slices.ContainsFunc(o.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool { return f.Manager == "waywarden-waypoints" })
	inventory[o.GetKind()+" "+o.GetName()] = fmt.Sprint(o.GetLabels(), annotations, mine)
}

// TestWhatIsOursGoes: when nothing needs a waypoint any more it goes after retainFor, with all that was made for it and
// nothing else.
func TestWhatIsOursGoes(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(`{apiVersion: waywarden.dev/v1alpha1, kind: WaypointProfile, metadata: {name: default}, spec: {retainFor: 3s, replicas: 2, disruptionBudget: {minAvailable: 1}}}`)
	w.apply(fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + `---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: theirs, namespace: shop}, spec: {action: DENY, rules: [{to: [{operation: {ports: ["9999"]}}]}]}}`)
	w.until("the pod of the shop is there", 30*time.Second, func() bool {
		list, err := w.Dynamic.Resource(pods).Namespace("shop").List(t.Context(), all)
		return err == nil && len(list.Items) == 1
	})
	time.Sleep(time.Second) // for the ServiceAccount and ConfigMap that controllers make in each namespace
	before := w.inventory("shop")
	w.apply(fmt.Sprintf(denyGet, "shop"))
	w.until("the policy takes effect", time.Minute, func() bool {
		return condition(w.get(policies, "shop", "deny-get"), "WaypointAccepted") == "True"
	})
	if w.get(configMaps, "shop", "waypoint-parameters") == nil || w.get(budgets, "shop", "waypoint") == nil {
		t.Error("the waypoint has no parameters, or istiod made no PodDisruptionBudget of them")
	}
	w.delete(policies, "shop", "deny-get")
	deleted := time.Now()
	w.until("the Gateway is gone", time.Minute, func() bool { return w.get(gateways, "shop", "waypoint") == nil })
	if kept := time.Since(deleted); kept < 3*time.Second {
		t.Errorf("the waypoint was kept for %s, and not for 3s", kept)
	}
	w.until("what istiod and we made is gone", time.Minute, func() bool {
		return cmp.Equal(before, w.inventory("shop")) || time.Since(deleted) > busy*50*time.Second
	})
	if diff := cmp.Diff(before, w.inventory("shop")); diff != "" {
		t.Errorf("what is left, or gone too (-before +after):\n%s", diff)
	}
	t.Logf("gone %s after the policy", time.Since(deleted))
	for _, c := range writes(r.since(deleted)) {
		t.Log(c)
	}
}
