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

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/test/cluster"
)

// TestNothingStaysBehind: a policy that was only tried, or that another webhook refuses after ours admitted it, makes no
// waypoint: only what is stored does.
func TestNothingStaysBehind(t *testing.T) {
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop"))
	time.Sleep(2 * time.Second)
	before, began := w.inventory("shop"), time.Now()
	objects, err := cluster.Objects(fmt.Appendf(nil, denyGet, "shop"))
	if err != nil {
		t.Fatal(err)
	}
	create := func(o metav1.CreateOptions) error {
		_, err := w.Dynamic.Resource(policies).Namespace("shop").Create(t.Context(), objects[0], o)
		return err
	}
	if err := create(metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Errorf("the dry run: %v", err)
	}
	w.refuseAfterUs()
	w.until("the other webhook refuses", 20*time.Second, func() bool {
		err := create(metav1.CreateOptions{})
		return err != nil && strings.Contains(err.Error(), "another webhook says no")
	})
	time.Sleep(3 * time.Second)
	if after := w.inventory("shop"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("something stayed behind:\n%v\n%v", before, after)
	}
	if calls := writes(r.since(began)); len(calls) > 0 {
		t.Errorf("something was written: %v", calls)
	}
}

// refuseAfterUs registers a webhook that refuses policies. It is asked beside ours, so what we answered counts for nothing.
func (w *world) refuseAfterUs() {
	w.t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(in.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(out, "no review", http.StatusBadRequest)
			return
		}
		dry := review.Request.DryRun != nil && *review.Request.DryRun
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: dry, Result: &metav1.Status{Message: "another webhook says no"}}
		if err := json.NewEncoder(out).Encode(review); err != nil {
			w.t.Errorf("answer the API server: %v", err)
		}
	}))
	w.t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	configuration := map[string]any{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": map[string]any{"name": "zz-another"},
		"webhooks": []any{map[string]any{"name": "another.example.com", "sideEffects": "None", "admissionReviewVersions": []string{"v1"}, "failurePolicy": "Fail",
			"clientConfig": map[string]any{"url": server.URL, "caBundle": ca},
			"rules":        []any{map[string]any{"apiGroups": []string{"security.istio.io"}, "apiVersions": []string{"*"}, "resources": []string{"authorizationpolicies"}, "operations": []string{"CREATE"}}}}}}
	raw, err := json.Marshal(configuration)
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(string(raw))
}
