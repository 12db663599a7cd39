//go:build cluster

package waypoints

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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

// TestProfileChanges: what a profile says is in what istiod renders, as it changes; what it no longer asks for goes, also
// what istiod leaves behind; and what others change in the parameters is put right.
func TestProfileChanges(t *testing.T) {
	w, r := served(t, "{}")
	if w.get(configMaps, "shop", "waypoint-parameters") != nil {
		t.Error("a profile that asks for nothing made parameters")
	}
	w.until("the Gateway says how many need it", 10*time.Second, func() bool {
		return w.get(gateways, "shop", "waypoint").GetAnnotations()["waywarden.dev/needs"] == "1"
	})
	w.apply(fmt.Sprintf(profile, `
  autoscaling: {minReplicas: 2, maxReplicas: 5, targetCPUUtilization: 60}
  disruptionBudget: {minAvailable: 1}
  resources: {requests: {cpu: 250m}}
  affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, podAffinityTerm: {topologyKey: kubernetes.io/hostname}}]}}
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}]
  tolerations: [{key: mesh, operator: Exists}]
  labels: {team: mesh}
  patch: {spec: {template: {spec: {terminationGracePeriodSeconds: 61}}}}`))
	w.until("istiod has rendered the profile", 30*time.Second, func() bool {
		d, hpa, pdb := w.get(deployments, "shop", "waypoint"), w.get(autoscalers, "shop", "waypoint"), w.get(budgets, "shop", "waypoint")
		pod := "spec.template.spec."
		return field(hpa, "spec.minReplicas") == "2" && field(hpa, "spec.maxReplicas") == "5" && strings.Contains(field(hpa, "spec.metrics"), "averageUtilization:60") &&
			field(pdb, "spec.minAvailable") == "1" && strings.Contains(field(d, pod+"containers"), "cpu:250m") &&
			strings.Contains(field(d, pod+"affinity"), "kubernetes.io/hostname") && strings.Contains(field(d, pod+"topologySpreadConstraints"), "matchLabelKeys") &&
			strings.Contains(field(d, pod+"tolerations"), "mesh") && field(d, pod+"terminationGracePeriodSeconds") == "61" &&
			d.GetLabels()["team"] == "mesh" && field(d, "spec.template.metadata.labels.team") == "mesh" && w.get(accounts, "shop", "waypoint").GetLabels()["team"] == "mesh"
	})
	drifts(t, w)
	w.apply(fmt.Sprintf(profile, "{replicas: 3}"))
	w.until("three pods, and no autoscaler or budget is left behind", 30*time.Second, func() bool {
		return field(w.get(deployments, "shop", "waypoint"), "spec.replicas") == "3" && w.get(autoscalers, "shop", "waypoint") == nil && w.get(budgets, "shop", "waypoint") == nil
	})
	if w.get(gateways, "shop", "waypoint").GetGeneration() > 3 {
		t.Errorf("the Gateway was written more often than its profile changed: generation %d", w.get(gateways, "shop", "waypoint").GetGeneration())
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
