//go:build cluster

package waypoints

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

const profile = `
apiVersion: waywarden.dev/v1alpha1
kind: WaypointProfile
metadata: {name: default}
spec: %s
`

// served starts a world in which the policy of the shop takes effect at a waypoint that was made by a profile.
func served(t *testing.T, spec string, flags ...string) (*world, replica) {
	t.Helper()
	w := start(t)
	r := w.replica(slices.Concat(hurry, flags)...)
	w.apply(fmt.Sprintf(profile, spec) + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(denyGet, "shop"))
	w.takesEffect("shop")
	return w, r
}

func (w *world) takesEffect(ns string) {
	w.t.Helper()
	w.until("the policy takes effect", time.Minute, func() bool { return condition(w.get(policies, ns, "deny-get"), "WaypointAccepted") == "True" })
}

// field is what a field of an object is, as text.
func field(o *unstructured.Unstructured, path string) string {
	if o == nil {
		return "<gone>"
	}
	value, _, _ := unstructured.NestedFieldNoCopy(o.Object, strings.Split(path, ".")...)
	return fmt.Sprint(value)
}

// highPriority is what pods of waypoints may have: the API server admits none of a class that there is not.
const highPriority = `
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: mesh-high}
value: 1000
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: mesh-higher}
value: 2000
`

// wholeSpec asks for something by each field of a profile, and otherSpec for something else by each.
const (
	wholeSpec = `
  autoscaling: {minReplicas: 2, maxReplicas: 5, targetCPUUtilization: 60}
  disruptionBudget: {minAvailable: 1}
  resources: {requests: {cpu: 250m, memory: 200Mi}}
  affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, podAffinityTerm: {topologyKey: kubernetes.io/hostname}}]}}
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}]
  tolerations: [{key: mesh, operator: Exists}]
  nodeSelector: {pool: mesh}
  priorityClassName: mesh-high
  labels: {team: mesh}
  annotations: {example.com/cost: "12"}
  patch: {spec: {template: {spec: {terminationGracePeriodSeconds: 61, dnsPolicy: Default}}}}`
	otherSpec = `
  autoscaling: {minReplicas: 3, maxReplicas: 6, targetCPUUtilization: 70}
  disruptionBudget: {maxUnavailable: 1}
  resources: {requests: {cpu: 300m, memory: 300Mi}}
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [edge]}]}]}}}
  topologySpreadConstraints: [{maxSkew: 2, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {team: edge}}}]
  tolerations: [{key: edge, operator: Equal, value: "yes", effect: NoSchedule}]
  nodeSelector: {pool: edge}
  priorityClassName: mesh-higher
  labels: {team: edge}
  annotations: {example.com/cost: "13"}
  patch: {spec: {template: {spec: {terminationGracePeriodSeconds: 62}}}}`
)

// rendered is what a profile decides about in what istiod has made of the Gateway of the shop. What there is not is "<nil>", and "<gone>"
// where its object is not.
func (w *world) rendered() map[string]string {
	d, hpa, pdb := w.get(deployments, "shop", "waypoint"), w.get(autoscalers, "shop", "waypoint"), w.get(budgets, "shop", "waypoint")
	pod := func(name string) string { return field(d, "spec.template.spec."+name) }
	out := map[string]string{
		"least": field(hpa, "spec.minReplicas"), "most": field(hpa, "spec.maxReplicas"), "target": field(hpa, "spec.metrics"),
		"budget": field(pdb, "spec.minAvailable") + " " + field(pdb, "spec.maxUnavailable"), "requests": "<gone>",
		"affinity": pod("affinity"), "spread": pod("topologySpreadConstraints"), "tolerations": pod("tolerations"), "nodes": pod("nodeSelector"),
		"priority": pod("priorityClassName"), "grace": pod("terminationGracePeriodSeconds"), "dns": pod("dnsPolicy"),
	}
	if d != nil {
		containers, _, _ := unstructured.NestedSlice(d.Object, "spec", "template", "spec", "containers")
		for _, c := range containers {
			if c := c.(map[string]any); c["name"] == "istio-proxy" {
				out["requests"] = field(&unstructured.Unstructured{Object: c}, "resources.requests")
			}
		}
		template, _, _ := unstructured.NestedMap(d.Object, "spec", "template")
		out["marks of the pods"] = marks(&unstructured.Unstructured{Object: template})
	}
	for what, o := range map[string]*unstructured.Unstructured{"Deployment": d, "HorizontalPodAutoscaler": hpa, "PodDisruptionBudget": pdb,
		"Service": w.get(services, "shop", "waypoint"), "ServiceAccount": w.get(accounts, "shop", "waypoint")} {
		out["marks of the "+what] = marks(o)
	}
	return out
}

// marks are the label and the annotation of a profile on an object.
func marks(o *unstructured.Unstructured) string {
	if o == nil {
		return "<gone>"
	}
	return strings.TrimSpace(o.GetLabels()["team"] + " " + o.GetAnnotations()["example.com/cost"])
}

// renders waits until istiod has rendered what a profile says, and else says what is different.
func (w *world) renders(want map[string]string) {
	w.t.Helper()
	for deadline := time.Now().Add(busy * 30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		diff := cmp.Diff(want, w.rendered())
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("istiod has not rendered the profile (-profile +rendered):\n%s", diff)
		}
	}
}

// TestProfileChanges: what a profile says is in what istiod renders, each field of it, as it changes; what it no longer asks for goes,
// also what istiod leaves behind; and what others change in the parameters is put right.
func TestProfileChanges(t *testing.T) {
	t.Parallel()
	w, r := served(t, "{}")
	if w.get(configMaps, "shop", "waypoint-parameters") != nil {
		t.Error("a profile that asks for nothing made parameters")
	}
	w.until("the Gateway says how many need it", 10*time.Second, func() bool {
		return w.get(gateways, "shop", "waypoint").GetAnnotations()["waywarden.dev/needs"] == "1"
	})
	plain := w.rendered()
	w.apply(highPriority)
	w.apply(fmt.Sprintf(profile, wholeSpec))
	want := map[string]string{
		"least": "2", "most": "5", "target": "[map[resource:map[name:cpu target:map[averageUtilization:60 type:Utilization]] type:Resource]]", "budget": "1 <nil>",
		"requests": "map[cpu:250m memory:200Mi]",
		"affinity": "map[podAntiAffinity:map[preferredDuringSchedulingIgnoredDuringExecution:[map[podAffinityTerm:map[topologyKey:kubernetes.io/hostname] weight:100]]]]",
		"spread": "[map[labelSelector:map[matchExpressions:[map[key:gateway.istio.io/managed operator:Exists]]] matchLabelKeys:[gateway.networking.k8s.io/gateway-name] " +
			"maxSkew:1 topologyKey:topology.kubernetes.io/zone whenUnsatisfiable:ScheduleAnyway]]",
		"tolerations": "[map[key:mesh operator:Exists]]", "nodes": "map[pool:mesh]", "priority": "mesh-high", "grace": "61", "dns": "Default",
		"marks of the pods": "mesh 12", "marks of the Deployment": "mesh 12", "marks of the Service": "mesh 12", "marks of the ServiceAccount": "mesh 12",
		"marks of the HorizontalPodAutoscaler": "mesh 12", "marks of the PodDisruptionBudget": "mesh 12",
	}
	w.renders(want)
	drifts(t, w)
	w.apply(fmt.Sprintf(profile, otherSpec))
	maps.Copy(want, map[string]string{
		"least": "3", "most": "6", "target": "[map[resource:map[name:cpu target:map[averageUtilization:70 type:Utilization]] type:Resource]]", "budget": "<nil> 1",
		"requests":    "map[cpu:300m memory:300Mi]",
		"affinity":    "map[nodeAffinity:map[requiredDuringSchedulingIgnoredDuringExecution:map[nodeSelectorTerms:[map[matchExpressions:[map[key:pool operator:In values:[edge]]]]]]]]",
		"spread":      "[map[labelSelector:map[matchLabels:map[team:edge]] maxSkew:2 topologyKey:kubernetes.io/hostname whenUnsatisfiable:ScheduleAnyway]]",
		"tolerations": "[map[effect:NoSchedule key:edge operator:Equal value:yes]]", "nodes": "map[pool:edge]", "priority": "mesh-higher", "grace": "62", "dns": plain["dns"],
	})
	for what := range want {
		if strings.HasPrefix(what, "marks of") {
			want[what] = "edge 13"
		}
	}
	w.renders(want)
	w.apply(fmt.Sprintf(profile, "{replicas: 3}"))
	w.renders(plain)
	w.until("there are three pods", 30*time.Second, func() bool { return field(w.get(deployments, "shop", "waypoint"), "spec.replicas") == "3" })
	if n := w.get(gateways, "shop", "waypoint").GetGeneration(); n > 4 {
		t.Errorf("the Gateway was written more often than its profile changed: generation %d", n)
	}
	for _, c := range r.since(time.Time{}) {
		if c.status >= 400 && c.status != 404 {
			t.Log(c)
		}
	}
}

// drifts: what others do to the parameters is put right: a value, a key, all of it.
func drifts(t *testing.T, w *world) {
	t.Helper()
	first := w.get(configMaps, "shop", "waypoint-parameters")
	for what, change := range map[string]func() error{
		"a value": func() error {
			_, err := w.Dynamic.Resource(configMaps).Namespace("shop").Patch(t.Context(), first.GetName(), types.MergePatchType,
				[]byte(`{"data": {"podDisruptionBudget": "spec: {minAvailable: 0}"}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
			return err
		},
		"a key": func() error {
			_, err := w.Dynamic.Resource(configMaps).Namespace("shop").Patch(t.Context(), first.GetName(), types.MergePatchType,
				[]byte(`{"data": {"horizontalPodAutoscaler": null}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
			return err
		},
		"all of it": func() error {
			return w.Dynamic.Resource(configMaps).Namespace("shop").Delete(t.Context(), first.GetName(), metav1.DeleteOptions{})
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		took := w.until("the parameters are as the profile says, after somebody changed "+what, 30*time.Second, func() bool {
			now := w.get(configMaps, "shop", "waypoint-parameters")
			return now != nil && field(now, "data") == field(first, "data")
		})
		t.Logf("%s was put right after %s", what, took)
		w.until("the autoscaler is there", 10*time.Second, func() bool { return w.get(autoscalers, "shop", "waypoint") != nil })
	}
}
