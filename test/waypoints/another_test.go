//go:build cluster

package waypoints

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/test/cluster"
)

// answer is what a webhook of somebody else's says of a request.
type answer func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse

// no refuses everything.
func no(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{Message: "another webhook says no"}}
}

func saysNo(err error) bool {
	return err != nil && strings.Contains(err.Error(), "another webhook says no")
}

// patches has all that is asked about become something else.
func patches(patch string) answer {
	return func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		kind := admissionv1.PatchTypeJSONPatch
		return &admissionv1.AdmissionResponse{Allowed: true, PatchType: &kind, Patch: []byte(patch)}
	}
}

// another registers a webhook of somebody else's, Validating or Mutating, for a resource in some namespaces. Its name is the last one, so
// that it is asked after ours where they are asked one after another. It goes when the test ends, or when its configuration is deleted.
func (w *world) another(kind, group, resource string, in []string, says answer) (name string) {
	w.t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(in.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(out, "no review", http.StatusBadRequest)
			return
		}
		review.Response = says(review.Request)
		review.Response.UID = review.Request.UID
		if err := json.NewEncoder(out).Encode(review); err != nil {
			w.t.Errorf("answer the API server: %v", err)
		}
	}))
	w.t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	name = "zz-another-" + in[0]
	operations := []string{"CREATE", "UPDATE"}
	if kind == "Validating" { // what is deleted cannot be changed
		operations = append(operations, "DELETE")
	}
	configuration := map[string]any{"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind + "WebhookConfiguration", "metadata": map[string]any{"name": name},
		"webhooks": []any{map[string]any{"name": "another.example.com", "sideEffects": "None", "admissionReviewVersions": []string{"v1"}, "failurePolicy": "Fail",
			"namespaceSelector": map[string]any{"matchExpressions": []any{map[string]any{"key": "kubernetes.io/metadata.name", "operator": "In", "values": in}}},
			"clientConfig":      map[string]any{"url": server.URL, "caBundle": ca},
			"rules":             []any{map[string]any{"apiGroups": []string{group}, "apiVersions": []string{"*"}, "resources": []string{resource}, "operations": operations}}}}}
	raw, err := json.Marshal(configuration)
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(string(raw))
	return name
}

// TestAnotherRefuses: where a webhook of somebody else's refuses what we make, or our label, nothing is bound, it is said what it said, and it is
// tried again seldom. When it refuses no longer it goes on.
func TestAnotherRefuses(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "ungated") + "---" + fmt.Sprintf(shop, "unbound"))
	before := w.settledInventory("ungated")
	refuse := []string{w.another("Validating", "gateway.networking.k8s.io", "gateways", []string{"ungated"}, no),
		w.another("Validating", "", "namespaces", []string{"unbound"}, func(r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
			if strings.Contains(string(r.Object.Raw), label.IoIstioUseWaypoint.Name) {
				return no(r)
			}
			return &admissionv1.AdmissionResponse{Allowed: true}
		})}
	var ns unstructured.Unstructured
	ns.Object = map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "unbound", "labels": map[string]any{label.IoIstioUseWaypoint.Name: "any"}}}
	gw, err := cluster.Objects(fmt.Appendf(nil, ownWaypoint, "ungated"))
	if err != nil {
		t.Fatal(err)
	}
	w.until("the other webhooks are asked", 20*time.Second, func() bool {
		dry := metav1.ApplyOptions{FieldManager: "test", DryRun: []string{metav1.DryRunAll}}
		_, err := w.Dynamic.Resource(gateways).Namespace("ungated").Apply(t.Context(), "by-hand", gw[0], dry)
		_, other := w.Dynamic.Resource(namespaces).Apply(t.Context(), "unbound", &ns, dry)
		return saysNo(err) && saysNo(other)
	})
	began := time.Now()
	w.apply(fmt.Sprintf(denyGet, "ungated") + "---" + fmt.Sprintf(denyGet, "unbound"))
	for _, ns := range []string{"ungated", "unbound"} {
		w.until("it is said what stops "+ns, 30*time.Second, func() bool { return w.says(ns, "Stopped", "another webhook says no") })
		w.until("the profile says what stops "+ns, 30*time.Second, func() bool {
			return strings.Contains(w.state(ns), "state:Stopped") && strings.Contains(w.state(ns), "another webhook says no")
		})
	}
	time.Sleep(8 * time.Second)
	tried := map[string]int{}
	for _, c := range writes(r.since(began)) {
		path, _, _ := strings.Cut(c.path, "?")
		if c.status >= 400 {
			tried[path]++
		}
	}
	want := map[string]int{"/apis/gateway.networking.k8s.io/v1/namespaces/ungated/gateways/waypoint": 1, "/api/v1/namespaces/unbound": 1}
	if diff := cmp.Diff(want, tried); diff != "" && time.Since(began) < 28*time.Second {
		t.Errorf("it was tried (-want +got):\n%s", diff)
	}
	delete(before, "AuthorizationPolicy deny-get")
	now := w.inventory("ungated")
	delete(now, "AuthorizationPolicy deny-get")
	if diff := cmp.Diff(before, now); diff != "" {
		t.Errorf("something is left of what was refused (-before +after):\n%s", diff)
	}
	if gw := w.get(gateways, "unbound", "waypoint"); condition(gw, "Programmed") != "True" || bindingOf(w.get(namespaces, "", "unbound")) != "" {
		t.Errorf("the waypoint of which the label was refused is %v", gw)
	}
	for _, name := range refuse {
		w.delete(validating, "", name)
	}
	for _, ns := range []string{"ungated", "unbound"} {
		took := w.until("the policy of "+ns+" takes effect", 90*time.Second, func() bool {
			return condition(w.get(policies, ns, "deny-get"), "WaypointAccepted") == "True"
		})
		t.Logf("%s took effect %s later", ns, took)
	}
}

// TestAnotherChanges: only what is stored counts. Where a webhook of somebody else's, asked after ours, has a policy become one that needs no
// waypoint, none is made; and where it changes what we make, that is not written again and again.
func TestAnotherChanges(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s, replicas: 2}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "undone") + "---" + fmt.Sprintf(shop, "dressed"))
	before := w.settledInventories()
	w.another("Mutating", "security.istio.io", "authorizationpolicies", []string{"undone"},
		patches(`[{"op": "remove", "path": "/spec/targetRefs"}, {"op": "replace", "path": "/spec/rules", "value": [{"to": [{"operation": {"ports": ["9999"]}}]}]}]`))
	w.another("Mutating", "gateway.networking.k8s.io", "gateways", []string{"dressed"},
		patches(`[{"op": "add", "path": "/metadata/labels/team", "value": "others"}, {"op": "add", "path": "/metadata/annotations/others.example.com~1note", "value": "seen"}]`))
	deny, err := cluster.Objects(fmt.Appendf(nil, denyGet, "undone"))
	if err != nil {
		t.Fatal(err)
	}
	client, said := w.warned()
	w.until("the other webhook is asked", 20*time.Second, func() bool {
		o, err := client.Resource(policies).Namespace("undone").Create(t.Context(), deny[0].DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && strings.Contains(field(o, "spec"), "9999")
	})
	said.take()
	if _, err := client.Resource(policies).Namespace("undone").Create(t.Context(), deny[0], metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if text := said.take(); strings.Contains(text, "will be made") {
		t.Errorf("it is said of what will not be stored: %s", text)
	}
	w.apply(fmt.Sprintf(denyGet, "dressed"))
	w.takesEffect("dressed")
	gateway := func() *unstructured.Unstructured { return w.get(gateways, "dressed", "waypoint") }
	if gateway().GetLabels()["team"] != "others" {
		t.Errorf("the other webhook was not asked: %v", gateway())
	}
	w.until("there is nothing to tell any more", 20*time.Second, func() bool { return condition(gateway(), "waywarden.dev/AsPlanned") != "" })
	t.Log(field(gateway(), "spec"), field(gateway(), "status.conditions"))
	w.still("the Gateway", gateway)
	began := time.Now()
	time.Sleep(5 * time.Second)
	if calls := writes(r.since(began)); len(calls) > 0 {
		t.Errorf("it is written again and again: %s", calls[0])
	}
	now := w.inventory("undone")
	delete(now, "AuthorizationPolicy deny-get")
	if diff := cmp.Diff(before["undone"], now); diff != "" {
		t.Errorf("something was made for what was not stored (-before +after):\n%s", diff)
	}
	w.delete(policies, "dressed", "deny-get")
	w.leaves("dressed", before["dressed"])
}

// TestAnotherTakesBack: where a webhook of somebody else's changes back what we write, nothing is bound, and it is said which field is another
// one and that a webhook does it. It is tried again seldom. When the webhook is gone it goes on.
func TestAnotherTakesBack(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop"))
	name := w.another("Mutating", "gateway.networking.k8s.io", "gateways", []string{"shop"}, patches(`[{"op": "replace", "path": "/metadata/labels/istio.io~1waypoint-for", "value": "workload"}]`))
	gw, err := cluster.Objects(fmt.Appendf(nil, ownWaypoint, "shop"))
	if err != nil {
		t.Fatal(err)
	}
	gw[0].SetLabels(map[string]string{label.IoIstioWaypointFor.Name: "service"})
	w.until("the other webhook is asked", 20*time.Second, func() bool {
		o, err := w.Dynamic.Resource(gateways).Namespace("shop").Apply(t.Context(), "by-hand", gw[0], metav1.ApplyOptions{FieldManager: "test", DryRun: []string{metav1.DryRunAll}})
		return err == nil && o.GetLabels()[label.IoIstioWaypointFor.Name] == "workload"
	})
	w.apply(fmt.Sprintf(denyGet, "shop"))
	const field, by = `metadata.labels[istio.io/waypoint-for] is "workload" and not "service"`, "An admission webhook changes it on the way"
	took := w.until("an Event says what is changed", 30*time.Second, func() bool { return w.says("shop", "Stopped", field, by) })
	t.Logf("it was said after %s", took)
	w.until("the profile says it", 10*time.Second, func() bool {
		return strings.Contains(w.state("shop"), "state:Stopped") && strings.Contains(w.state("shop"), field)
	})
	gateway := func() *unstructured.Unstructured { return w.get(gateways, "shop", "waypoint") }
	w.until("the Gateway says it", 10*time.Second, func() bool { return condition(gateway(), "waywarden.dev/AsPlanned") == "False" })
	w.still("the Gateway", gateway)
	began := time.Now()
	time.Sleep(15 * time.Second)
	if calls := writes(r.since(began)); len(calls) > 2 {
		t.Errorf("it is written again and again: %d times in 15s", len(calls))
	}
	if bound := bindingOf(w.get(namespaces, "", "shop")); bound != "" || !strings.Contains(w.state("shop"), "state:Stopped") {
		t.Errorf("bound to %q: %s", bound, w.state("shop"))
	}
	w.delete(mutating, "", name)
	t.Logf("it took effect %s later", w.until("the policy takes effect", 3*time.Minute, func() bool {
		return condition(w.get(policies, "shop", "deny-get"), "WaypointAccepted") == "True"
	}))
}
