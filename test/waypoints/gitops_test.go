//go:build cluster

package waypoints

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/test/cluster"
)

// coOwn applies an object as another field manager, and not by force: what is on it already both own then.
func (w *world) coOwn(manager string, r schema.GroupVersionResource, text string) {
	w.t.Helper()
	objects, err := cluster.Objects([]byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range objects {
		if _, err := w.Dynamic.Resource(r).Namespace(o.GetNamespace()).Apply(w.t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: manager}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// insist has another field manager say something of an object that is there whenever that is not so, by force, as GitOps does that heals
// itself. The function that it returns ends that, and says how often it was said.
func (w *world) insist(manager string, r schema.GroupVersionResource, text string) func() int {
	w.t.Helper()
	objects, err := cluster.Objects([]byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	o, said := objects[0], 0
	ctx, cancel := context.WithCancel(w.t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
			stored, err := w.Dynamic.Resource(r).Namespace(o.GetNamespace()).Get(ctx, o.GetName(), metav1.GetOptions{})
			if err != nil {
				continue
			}
			as := o.DeepCopy()
			as.SetUID(stored.GetUID()) // of one that has gone meanwhile it says nothing
			after, err := w.Dynamic.Resource(r).Namespace(o.GetNamespace()).Apply(ctx, o.GetName(), as, metav1.ApplyOptions{FieldManager: manager, Force: true})
			if err == nil && after.GetResourceVersion() != stored.GetResourceVersion() {
				said++
			}
		}
	})
	end := func() int {
		cancel()
		group.Wait()
		return said
	}
	w.t.Cleanup(func() { end() })
	return end
}

// steps are the writes by which a replica has tried to carry something out since, but for those that only tell of it.
func steps(r replica, since time.Time) []call {
	return slices.DeleteFunc(writes(r.since(since)), func(c call) bool {
		return c.method != http.MethodDelete && !strings.Contains(c.path, "fieldManager=waywarden-waypoints&")
	})
}

// wrote are those of what is in a path.
func wrote(r replica, since time.Time, path string) []call {
	return slices.DeleteFunc(steps(r, since), func(c call) bool {
		p, _, _ := strings.Cut(c.path, "?")
		return p != path
	})
}

// TestInsisted: another field manager, which says it again whenever it is not so, owns part of the parameters that we made, of the Gateway
// and of the Namespace. Nobody fights: it stays as that one says, few writes are tried, and the finding has what to commit; where the Namespace
// is opted out, the Service has the label itself. When that one says it no longer, it is as planned.
func TestInsisted(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.serveReports()
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{replicas: 2, disruptionBudget: {minAvailable: 1}}") + "---" + fmt.Sprintf(guardrail, ""))
	names := []string{"parameters", "gateway", "namespace"}
	for _, ns := range names {
		w.apply(fmt.Sprintf(shop, ns) + "---" + fmt.Sprintf(denyGet, ns))
	}
	planned := func(ns string) bool {
		return condition(w.get(gateways, ns, "waypoint"), "waywarden.dev/AsPlanned") == "True" && w.boundTo(ns, "cart", ns+"/waypoint")
	}
	for _, ns := range names {
		w.until(ns+" is as planned", time.Minute, func() bool { return planned(ns) })
	}
	began := time.Now()
	ends := []func() int{
		w.insist("argocd", configMaps, `{apiVersion: v1, kind: ConfigMap, metadata: {name: waypoint-parameters, namespace: parameters}, data: {podDisruptionBudget: "spec: {minAvailable: 2}"}}`),
		w.insist("argocd", gateways, `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: gateway, labels: {istio.io/waypoint-for: all}}}`),
		w.insist("argocd", namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: namespace, labels: {istio.io/use-waypoint: none}}}`),
	}
	for ns, words := range map[string][]string{
		"parameters": {"kind:ConfigMap", "argocd", "podDisruptionBudget", "minAvailable"},
		"gateway":    {"kind:Gateway", "argocd", `"istio.io/waypoint-for":"service"`},
	} {
		w.until("the audit's report of "+ns+" has what to commit", time.Minute, func() bool {
			text := w.reported(ns, "waypoint/stopped")
			return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
		})
	}
	w.until("the Service has the label itself", time.Minute, func() bool {
		return w.get(services, "namespace", "cart").GetLabels()[label.IoIstioUseWaypoint.Name] == "waypoint" && w.boundTo("namespace", "cart", "namespace/waypoint")
	})
	time.Sleep(10 * time.Second) // in which it would be tried again and again
	for i, end := range ends {
		if said := end(); said > 2 {
			t.Errorf("the other one had to say %d times what it says of %s", said, names[i])
		}
	}
	w.letBe(r, began)
	w.as("argocd", configMaps, `{apiVersion: v1, kind: ConfigMap, metadata: {name: waypoint-parameters, namespace: parameters}}`)
	w.as("argocd", gateways, `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: gateway}}`)
	w.as("argocd", namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: namespace}}`)
	for _, ns := range names {
		w.until(ns+" is as planned again", time.Minute, func() bool { return planned(ns) })
	}
}

// letBe fails where another one's fields are not as that one says, or it was tried more than a few times to write them.
func (w *world) letBe(r replica, since time.Time) {
	w.t.Helper()
	// The parameters are put right once, as it may have been a slip: a write that conflicts, one that deletes them and one that makes them.
	// A refusal is looked at again when the object changes, as it does when istiod and we say what comes of that, and after 30 seconds and more.
	again := int(time.Since(since) / (30 * time.Second))
	for path, most := range map[string]int{"/api/v1/namespaces/parameters/configmaps/waypoint-parameters": 4, "/apis/gateway.networking.k8s.io/v1/namespaces/gateway/gateways/waypoint": 3,
		"/api/v1/namespaces/namespace": 2} {
		tried := wrote(r, since, path)
		if len(tried) > most+again {
			w.t.Errorf("it was tried %d times: %v", len(tried), tried)
		}
		w.t.Logf("%s: %d writes were tried", path, len(tried))
	}
	if text := field(w.get(configMaps, "parameters", "waypoint-parameters"), "data"); !strings.Contains(text, "minAvailable: 2") {
		w.t.Errorf("the parameters do not say what the other one says: %s", text)
	}
	if l := w.get(gateways, "gateway", "waypoint").GetLabels()[label.IoIstioWaypointFor.Name]; l != "all" {
		w.t.Errorf("the Gateway is for %q, which the other one says otherwise", l)
	}
	if l := w.get(namespaces, "", "namespace").GetLabels()[label.IoIstioUseWaypoint.Name]; l != "none" {
		w.t.Errorf("the Namespace is labelled for %q, which the other one says otherwise", l)
	}
}

// TestCoOwned: another field manager says the same as we do, and so owns it too. Nothing is written for that. What nothing needs any more
// goes, but for the label that the other one keeps: then the waypoint stays, with what is said of clients, and it is said who keeps it.
func TestCoOwned(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s, replicas: 2, disruptionBudget: {minAvailable: 1}}") + "---" + fmt.Sprintf(guardrail, ""))
	w.apply(fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(allowFront, "shop"))
	before := w.settledInventory("shop")
	w.apply(fmt.Sprintf(denyGet, "shop"))
	w.until("it is as planned", time.Minute, func() bool {
		return condition(w.get(gateways, "shop", "waypoint"), "waywarden.dev/AsPlanned") == "True" && w.boundTo("shop", "cart", "shop/waypoint")
	})
	began := time.Now()
	w.coOwn("argocd", gateways, `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: shop, labels: {istio.io/waypoint-for: service}}}`)
	w.coOwn("argocd", namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/use-waypoint: waypoint}}}`)
	data := w.get(configMaps, "shop", "waypoint-parameters")
	data.Object = map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "waypoint-parameters", "namespace": "shop"}, "data": data.Object["data"]}
	raw, err := data.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	w.coOwn("argocd", configMaps, string(raw))
	time.Sleep(5 * time.Second)
	if calls := steps(r, began); len(calls) > 0 {
		t.Errorf("because another one owns it too it was tried to write: %v", calls)
	}

	// What both own we do not own alone: the other one is not to say otherwise by what we write.
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s, replicas: 2, disruptionBudget: {minAvailable: 2}}"))
	w.until("istiod has the profile as it is now", time.Minute, func() bool { return field(w.get(budgets, "shop", "waypoint"), "spec.minAvailable") == "2" })
	if tried := wrote(r, began, "/api/v1/namespaces/shop/configmaps/waypoint-parameters"); len(tried) > 4 {
		t.Errorf("it was tried %d times to write the parameters: %v", len(tried), tried)
	}

	w.delete(policies, "shop", "deny-get")
	w.until("it is said who keeps the waypoint", time.Minute, func() bool {
		return strings.Contains(w.state("shop"), "asks for it by a label of somebody else's")
	})
	kept := time.Now()
	time.Sleep(5 * time.Second)
	if calls := steps(r, kept); len(calls) > 0 {
		t.Errorf("it is written again and again: %v", calls)
	}
	roles := w.roles("shop")
	if !w.boundTo("shop", "cart", "shop/waypoint") || condition(roles["twin"], "WaypointAccepted") != "True" || condition(roles["admission"], "ZtunnelAccepted") != "True" {
		t.Errorf("what the other one keeps bound is not as before: %v", roles)
	}
	w.as("argocd", namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`)
	w.leaves("shop", before)
}

// TestCanaryTakenOff: while something moves by steps, somebody takes off the labels by which a share of the calls takes the new waypoint.
// All take the old one then, and stay there, until somebody says that it is to move.
func TestCanaryTakenOff(t *testing.T) {
	t.Parallel()
	w, r := served(t, "{}")
	bindings := w.bindings()
	w.annotate("shop", "waypoint", map[string]any{"waywarden.dev/migrate-to": "second", "waywarden.dev/migrate-steps": "20/1s,60"})
	w.until("60% go to the second waypoint", time.Minute, func() bool { return bindingOf(w.get(namespaces, "", "shop")) == "waypoint+second=60" })
	w.until("it is waited for somebody", time.Minute, func() bool {
		return strings.Contains(w.state("shop"), "60% of its connections take waypoint second until")
	})
	off := time.Now()
	body := fmt.Appendf(nil, `{"metadata": {"labels": {%q: null}}}`, label.IoIstioUseWaypointCanary.Name)
	if _, err := w.Dynamic.Resource(namespaces).Patch(t.Context(), "shop", types.MergePatchType, body, metav1.PatchOptions{FieldManager: "kubectl-label"}); err != nil {
		t.Fatal(err)
	}
	w.until("it is said that somebody has taken it off", time.Minute, func() bool { return strings.Contains(w.state("shop"), "somebody has taken off the label") })
	time.Sleep(5 * time.Second)
	if tried := wrote(r, off, "/api/v1/namespaces/shop"); len(tried) > 0 || !w.boundTo("shop", "cart", "shop/waypoint") || w.get(deployments, "shop", "second") == nil {
		t.Errorf("after it was taken off it was tried to write %v, and the Namespace is bound to %s", tried, bindingOf(w.get(namespaces, "", "shop")))
	}

	w.annotate("shop", "waypoint", map[string]any{"waywarden.dev/migrate-to": nil})
	w.until("the second waypoint is gone, and nothing is noted", time.Minute, func() bool {
		return w.get(gateways, "shop", "second") == nil && w.get(deployments, "shop", "second") == nil && w.get(namespaces, "", "shop").GetAnnotations()["waywarden.dev/canary-since"] == ""
	})
	if tried := wrote(r, off, "/api/v1/namespaces/shop"); len(tried) != 1 {
		t.Errorf("to note it no longer it was tried to write %v", tried)
	}

	w.annotate("shop", "waypoint", map[string]any{"waywarden.dev/migrate-to": "second"})
	w.until("60% go to the second waypoint", time.Minute, func() bool { return bindingOf(w.get(namespaces, "", "shop")) == "waypoint+second=60" })
	want := "waypoint waypoint+second=20 waypoint+second=60 waypoint waypoint+second=20 waypoint+second=60"
	if seen := strings.Join(bindings(), " "); seen != want {
		t.Errorf("on the way the Namespace was bound to %q", seen)
	}
}
