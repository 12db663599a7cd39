//go:build cluster

package waypoints

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/oracle"
)

// roles are the policies of ours in a namespace, by their role.
func (w *world) roles(ns string) map[string]*unstructured.Unstructured {
	w.t.Helper()
	list, err := w.Dynamic.Resource(policies).Namespace(ns).List(w.t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=waywarden"})
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]*unstructured.Unstructured{}
	for i := range list.Items {
		if role := list.Items[i].GetAnnotations()["waywarden.dev/role"]; role != "" {
			out[role] = &list.Items[i]
		}
	}
	return out
}

// run has the pods of a namespace run that were held.
func (w *world) run(ns string, which func(*unstructured.Unstructured) bool) {
	w.t.Helper()
	list, err := w.Dynamic.Resource(pods).Namespace(ns).List(w.t.Context(), all)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range list.Items {
		if p := &list.Items[i]; which(p) && field(p, "spec.nodeName") == "<nil>" {
			if err := w.Bind(w.t.Context(), ns, p.GetName()); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func ofWaypoint(pod *unstructured.Unstructured) bool {
	return pod.GetLabels()[label.IoK8sNetworkingGatewayGatewayName.Name] != ""
}

// TestHold: with pending: Guard a Service is closed at ztunnel until its waypoint serves, where its owner agreed, or nobody was served
// when its policy came; and one that serves somebody, and whose owner did not agree, is not. The hold goes when every proxy knows the
// label, not before.
func TestHold(t *testing.T) {
	t.Parallel()
	var waypoints, carts atomic.Bool
	waypoints.Store(true)
	carts.Store(true)
	w := start(t, cluster.Hold(func(pod *unstructured.Unstructured) bool {
		return waypoints.Load() && ofWaypoint(pod) || carts.Load() && pod.GetNamespace() == "new" && !ofWaypoint(pod)
	}))
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s}") + "---" + fmt.Sprintf(guardrail, ", pending: Guard"))
	for _, ns := range []string{"agreed", "new", "open"} {
		w.apply(fmt.Sprintf(shop, ns))
	}
	w.apply(`{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: agreed, annotations: {waywarden.dev/hold: "a planned outage"}}, spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}}`)
	for _, ns := range []string{"agreed", "open"} {
		w.until("the pod of "+ns+" serves", 30*time.Second, func() bool { return w.endpoints(ns) == 1 })
	}
	for _, ns := range []string{"agreed", "new", "open"} {
		w.apply(fmt.Sprintf(denyGet, ns))
	}
	for _, ns := range []string{"agreed", "new"} {
		w.until(ns+" is held, which istiod accepts", 30*time.Second, func() bool {
			return condition(w.roles(ns)["guard"], "ZtunnelAccepted") == "True"
		})
		w.closedTo(ns, "cluster.local/ns/"+ns+"/sa/waypoint")
	}
	carts.Store(false)
	w.run("new", func(p *unstructured.Unstructured) bool { return !ofWaypoint(p) })
	w.until("the pod of the new one is ready, and ztunnel closes it", 30*time.Second, func() bool {
		return w.endpoints("new") == 1 && slices.Equal(w.carried("new", "cart"), []string{"new/waywarden-guard-cart"})
	})
	time.Sleep(3 * time.Second)
	for ns, held := range map[string]bool{"agreed": true, "new": true, "open": false} {
		if got := w.carried(ns, "cart"); (len(got) > 0) != held || (w.roles(ns)["guard"] != nil) != held {
			t.Errorf("%s: ztunnel enforces %v, and it is held: %v", ns, got, !held)
		}
		if l := w.get(namespaces, "", ns).GetLabels()[label.IoIstioUseWaypoint.Name]; l != "" {
			t.Errorf("%s is bound to %s, which does not serve", ns, l)
		}
	}

	released := time.Now()
	waypoints.Store(false)
	for _, ns := range []string{"agreed", "new", "open"} {
		w.run(ns, ofWaypoint)
		w.takesEffect(ns)
		w.until(ns+" is open, by its waypoint", 30*time.Second, func() bool { return w.roles(ns)["guard"] == nil && len(w.carried(ns, "cart")) == 0 })
		if to := w.sentTo(ns, "cart"); !strings.HasPrefix(to, ns+"/waypoint.") || to == oracle.Nothing {
			t.Errorf("what is for %s is sent to %s", ns, to)
		}
	}
	for _, ns := range []string{"agreed", "new"} {
		w.inOrder(r, released, "/namespaces/"+ns+"?", "/namespaces/"+ns+"/authorizationpolicies/waywarden-guard-cart")
	}
}

// endpoints is how many endpoints of the Service of a shop are ready.
func (w *world) endpoints(ns string) int {
	w.t.Helper()
	list, err := w.Dynamic.Resource(slicesOf).Namespace(ns).List(w.t.Context(), metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=cart"})
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for i := range list.Items {
		all, _, _ := unstructured.NestedSlice(list.Items[i].Object, "endpoints")
		for _, e := range all {
			if ready, _, _ := unstructured.NestedBool(e.(map[string]any), "conditions", "ready"); ready {
				n++
			}
		}
	}
	return n
}

// closedTo fails unless ztunnels are sent a policy for a shop that denies everybody but these.
func (w *world) closedTo(ns string, but ...string) {
	w.t.Helper()
	var found []string
	for _, p := range w.sent().Policies {
		if p.Namespace != ns || p.Name != "waywarden-guard-cart" {
			continue
		}
		for _, g := range p.Groups {
			for _, rule := range g.Rules {
				found = append(found, fmt.Sprint(p.Scope, p.Action, rule.Matches))
			}
		}
	}
	if len(found) != 1 || !strings.HasPrefix(found[0], "WORKLOAD_SELECTORDENY") || strings.Count(found[0], "exact:") != len(but) ||
		slices.ContainsFunc(but, func(id string) bool { return !strings.Contains(found[0], "notPrincipals:[map[exact:"+id) }) {
		w.t.Errorf("what ztunnels are sent to close %s is %v", ns, found)
	}
}
