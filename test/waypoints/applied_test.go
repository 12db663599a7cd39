//go:build cluster

package waypoints

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// noSeven is a policy of somebody else's, under which no Deployment has seven replicas. istiod only logs that.
const noSeven = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-seven}
spec:
  failurePolicy: Fail
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE, UPDATE]}]}
  validations: [{expression: "!has(object.spec.replicas) || object.spec.replicas != 7"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-seven}
spec: {policyName: no-seven, validationActions: [Deny]}
`

var (
	admissionBindings = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"}
	replicaSets       = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}
)

// reason is that of a condition.
func reason(o *unstructured.Unstructured, name string) string {
	if o == nil {
		return ""
	}
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		if m := c.(map[string]any); m["type"] == name {
			return fmt.Sprint(m["reason"])
		}
	}
	return ""
}

// TestProfileNotApplied: a profile that istiod does not apply is not told to be applied. That what istiod made says by which parameters is no
// reason to replace a pod.
func TestProfileNotApplied(t *testing.T) {
	t.Parallel()
	w, _ := served(t, "{}")
	ready := func() bool {
		p := w.get(profiles, "", "default")
		conditions, _, _ := unstructured.NestedSlice(p.Object, "status", "conditions")
		for _, c := range conditions {
			if m := c.(map[string]any); m["type"] == "Ready" {
				return m["status"] == "True" && m["observedGeneration"] == p.GetGeneration()
			}
		}
		return false
	}
	w.until("the profile is ready", 20*time.Second, ready)
	first := w.replicaSets("shop")
	w.apply(fmt.Sprintf(profile, "{replicas: 2, disruptionBudget: {minAvailable: 1}}"))
	w.until("the profile is ready as it is now", 30*time.Second, ready)
	d, pdb := w.get(deployments, "shop", "waypoint"), w.get(budgets, "shop", "waypoint")
	if stamp := d.GetAnnotations()["waywarden.dev/parameters"]; stamp == "" || field(d, "spec.replicas") != "2" || pdb == nil || pdb.GetAnnotations()["waywarden.dev/parameters"] != stamp {
		t.Errorf("it is told to be ready before it is: %s replicas, stamp %q, budget %v", field(d, "spec.replicas"), stamp, pdb)
	}
	if now := w.replicaSets("shop"); now != first {
		t.Errorf("the pods were replaced: ReplicaSets %s, then %s", first, now)
	}

	w.apply(noSeven)
	w.until("the API server refuses seven", 20*time.Second, func() bool {
		_, err := w.Dynamic.Resource(deployments).Namespace("shop").Patch(t.Context(), "waypoint", types.MergePatchType, []byte(`{"spec": {"replicas": 7}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil
	})
	w.apply(fmt.Sprintf(profile, "{replicas: 7}"))
	w.until("the profile says that istiod has not applied it", 60*time.Second, func() bool {
		if ready() {
			t.Fatal("the profile says that it is ready")
		}
		return reason(w.get(profiles, "", "default"), "Ready") == "NotApplied"
	})
	if text := field(w.get(profiles, "", "default"), "status.conditions"); !strings.Contains(text, "istiod has not made Deployment waypoint as its parameters say, since 20") || !strings.Contains(text, "look for shop/waypoint in its log") {
		t.Errorf("it says %s", text)
	}
	w.until("the Gateway says so", 20*time.Second, func() bool {
		return reason(w.get(gateways, "shop", "waypoint"), "waywarden.dev/AsPlanned") == "NotApplied"
	})
	w.until("an Event says so", 20*time.Second, func() bool { return w.says("shop", "NotApplied", "istiod has not made Deployment waypoint") })

	w.delete(admissionBindings, "", "no-seven")
	time.Sleep(time.Second)
	w.apply(fmt.Sprintf(profile, "{replicas: 3}"))
	w.until("the profile is ready again", 30*time.Second, ready)
	if n := field(w.get(deployments, "shop", "waypoint"), "spec.replicas"); n != "3" {
		t.Errorf("it is told to be ready with %s replicas", n)
	}
}

// replicaSets are those of the waypoint.
func (w *world) replicaSets(ns string) string {
	w.t.Helper()
	all, err := w.Dynamic.Resource(replicaSets).Namespace(ns).List(w.t.Context(), metav1.ListOptions{LabelSelector: "gateway.networking.k8s.io/gateway-name=waypoint"})
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, o := range all.Items {
		names = append(names, o.GetName())
	}
	return strings.Join(names, " ")
}

// TestProfileDown: a waypoint without a pod is not told to be serving, whoever took them away.
func TestProfileDown(t *testing.T) {
	t.Parallel()
	w, _ := served(t, "{}")
	w.until("the profile is ready", 20*time.Second, func() bool { return condition(w.get(profiles, "", "default"), "Ready") == "True" })
	scale := func(n int) {
		if _, err := w.Dynamic.Resource(deployments).Namespace("shop").Patch(t.Context(), "waypoint", types.MergePatchType, fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, n), metav1.PatchOptions{FieldManager: "kubectl-scale"}, "scale"); err != nil {
			t.Fatal(err)
		}
	}
	scale(0)
	w.until("the profile says that nobody is served", 20*time.Second, func() bool {
		p := w.get(profiles, "", "default")
		return reason(p, "Ready") == "Unready" && strings.Contains(field(p, "status.conditions"), "none of its pods is ready")
	})
	w.until("the Gateway says so", 20*time.Second, func() bool {
		return reason(w.get(gateways, "shop", "waypoint"), "waywarden.dev/AsPlanned") == "Unready"
	})
	w.until("an Event says so", 20*time.Second, func() bool { return w.says("shop", "Down", "Calls to what is bound to it get no answer") })
	scale(1)
	w.until("the profile is ready again", 30*time.Second, func() bool { return condition(w.get(profiles, "", "default"), "Ready") == "True" })
}
