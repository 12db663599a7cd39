//go:build cluster

package waypoints

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/test/cluster"
)

// warnings are those of the API server, which has them from webhooks.
type warnings struct {
	mu   sync.Mutex
	text []string
}

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, text)
}

// take are those that came, once.
func (w *warnings) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := strings.Join(w.text, "\n")
	w.text = nil
	return out
}

// warned is a client, and the warnings that it gets.
func (w *world) warned() (dynamic.Interface, *warnings) {
	w.t.Helper()
	said := &warnings{}
	config := rest.CopyConfig(w.Config)
	config.WarningHandler = said
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		w.t.Fatal(err)
	}
	return client, said
}

// change is somebody who changes the policy of the shop, in a dry run or for good.
type change struct {
	what string
	make func(policies dynamic.ResourceInterface, dry []string) error
}

// later is in force at ztunnel, and needs no waypoint yet.
const later = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: later, namespace: shop}, spec: {action: DENY, rules: [{to: [{operation: {ports: ["9999"]}}]}]}}`

// l7 has it need one.
const l7 = `{"spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "cart"}], "rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]}}`

// making are the ways to have a policy that needs a waypoint.
func making(t *testing.T, deny *unstructured.Unstructured) []change {
	return []change{
		{"create", func(p dynamic.ResourceInterface, dry []string) error {
			_, err := p.Create(t.Context(), deny, metav1.CreateOptions{DryRun: dry})
			return err
		}},
		{"apply", func(p dynamic.ResourceInterface, dry []string) error {
			_, err := p.Apply(t.Context(), "deny-get", deny, metav1.ApplyOptions{FieldManager: "kubectl", DryRun: dry})
			return err
		}},
		{"change", func(p dynamic.ResourceInterface, dry []string) error {
			_, err := p.Patch(t.Context(), "later", types.MergePatchType, []byte(l7), metav1.PatchOptions{DryRun: dry})
			return err
		}},
	}
}

// TestNothingStaysBehind: what was only tried, or what another webhook refuses after ours admitted it, makes no waypoint and takes none
// away, though admission says what would be made: only what is stored counts.
func TestNothingStaysBehind(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(shop, "served") + "---" + fmt.Sprintf(denyGet, "served"))
	w.apply(later)
	w.takesEffect("served")
	w.until("there is nothing to tell any more", 20*time.Second, func() bool {
		return condition(w.get(gateways, "served", "waypoint"), "waywarden.dev/AsPlanned") == "True"
	})
	objects, err := cluster.Objects(fmt.Appendf(nil, denyGet, "shop"))
	if err != nil {
		t.Fatal(err)
	}
	client, said := w.warned()
	made := making(t, objects[0])
	unmade := change{"delete", func(p dynamic.ResourceInterface, dry []string) error {
		return p.Delete(t.Context(), "deny-get", metav1.DeleteOptions{DryRun: dry})
	}}

	before, served, generation := w.settledInventory("shop"), w.settledInventory("served"), field(w.get(policies, "shop", "later"), "metadata.generation")
	began := time.Now()
	nothing := func(after string) {
		t.Helper()
		time.Sleep(2 * time.Second)
		if diff := cmp.Diff(before, w.inventory("shop")) + cmp.Diff(served, w.inventory("served")); diff != "" {
			t.Errorf("after %s something stayed behind:\n%s", after, diff)
		}
		if now := field(w.get(policies, "shop", "later"), "metadata.generation"); now != generation {
			t.Errorf("after %s the policy was stored", after)
		}
	}
	for _, c := range made {
		said.take()
		if err := c.make(client.Resource(policies).Namespace("shop"), []string{metav1.DryRunAll}); err != nil {
			t.Errorf("%s in a dry run: %v", c.what, err)
		}
		if text := said.take(); !strings.Contains(text, "Gateway shop/waypoint will be made") {
			t.Errorf("%s in a dry run: admission says %q", c.what, text)
		}
		nothing(c.what + " in a dry run")
	}
	if err := unmade.make(client.Resource(policies).Namespace("served"), []string{metav1.DryRunAll}); err != nil {
		t.Errorf("delete in a dry run: %v", err)
	}
	nothing("delete in a dry run")

	w.refuseAfterUs()
	no := func(err error) bool { return err != nil && strings.Contains(err.Error(), "another webhook says no") }
	refused := func(c change, ns string) {
		t.Helper()
		p := client.Resource(policies).Namespace(ns)
		w.until("the other webhook is asked", 20*time.Second, func() bool { return no(c.make(p, []string{metav1.DryRunAll})) })
		if err := c.make(p, nil); !no(err) {
			t.Errorf("%s is not refused: %v", c.what, err)
		}
		nothing(c.what + ", which was refused")
	}
	for _, c := range made {
		refused(c, "shop")
	}
	refused(unmade, "served")
	if calls := writes(r.since(began)); len(calls) > 0 {
		t.Errorf("something was written: %v", calls)
	}
}

// refuseAfterUs registers a webhook that refuses all policies of two namespaces. It is asked beside ours, so what we answered counts for
// nothing.
func (w *world) refuseAfterUs() {
	w.t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(in.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(out, "no review", http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{Message: "another webhook says no"}}
		if err := json.NewEncoder(out).Encode(review); err != nil {
			w.t.Errorf("answer the API server: %v", err)
		}
	}))
	w.t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	configuration := map[string]any{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": map[string]any{"name": "zz-another"},
		"webhooks": []any{map[string]any{"name": "another.example.com", "sideEffects": "None", "admissionReviewVersions": []string{"v1"}, "failurePolicy": "Fail",
			"namespaceSelector": map[string]any{"matchExpressions": []any{map[string]any{"key": "kubernetes.io/metadata.name", "operator": "In", "values": []string{"shop", "served"}}}},
			"clientConfig":      map[string]any{"url": server.URL, "caBundle": ca},
			"rules":             []any{map[string]any{"apiGroups": []string{"security.istio.io"}, "apiVersions": []string{"*"}, "resources": []string{"authorizationpolicies"}, "operations": []string{"CREATE", "UPDATE", "DELETE"}}}}}}
	raw, err := json.Marshal(configuration)
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(string(raw))
}
