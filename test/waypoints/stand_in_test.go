//go:build cluster

package waypoints

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/test/serving"
)

// TestStandIn: nobody deletes or changes by hand what stands in for policies behind a waypoint, unless the glass is broken. We change it
// with the policies for which it stands, and take it away with the waypoint, with two replicas of which either may be asked; and a
// namespace that goes takes it with it.
func TestStandIn(t *testing.T) {
	t.Parallel()
	w := start(t)
	replicas := []replica{w.replica(hurry...), w.replica(hurry...)}
	if err := serving.InForce(t.Context(), w.Cluster); err != nil {
		t.Fatal(err)
	}
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s}") + "---" + fmt.Sprintf(guardrail, ", bypass: Guard") + "---" + fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(allowFront, "shop"))
	before := w.inventory("shop")
	w.stoodFor()

	somebody := w.somebody("somebody")
	for role, name := range map[string]string{"twin": "allow-front", "admission": "allow-front", "guard": "deny-get"} {
		ours := w.roles("shop")[role].GetName()
		err := somebody.Delete(t.Context(), ours, deleteNow)
		refusedFor(t, role+" is deleted", err, name)
		wider := []byte(`{"metadata": {"annotations": {"istio.io/dry-run": "true"}}}`)
		_, err = somebody.Patch(t.Context(), ours, types.MergePatchType, wider, metav1.PatchOptions{})
		refusedFor(t, role+" is only tried", err, name)
		if _, err := somebody.Patch(t.Context(), ours, types.MergePatchType, []byte(`{"metadata": {"annotations": {"team": "web"}}}`), metav1.PatchOptions{}); err != nil {
			t.Errorf("%s is not to be noted on: %v", role, err)
		}
	}

	twin := w.roles("shop")["twin"]
	if _, err := somebody.Patch(t.Context(), twin.GetName(), types.MergePatchType, []byte(`{"metadata": {"annotations": {"waywarden.dev/break-glass": "incident 42"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := somebody.Delete(t.Context(), twin.GetName(), deleteNow); err != nil {
		t.Fatalf("break-glass does not let it be deleted: %v", err)
	}
	w.until("the twin is there again", 20*time.Second, func() bool {
		now := w.roles("shop")["twin"]
		return now != nil && now.GetUID() != twin.GetUID()
	})

	w.apply(strings.ReplaceAll(fmt.Sprintf(allowFront, "shop"), "sa/front]", "sa/front, cluster.local/ns/shop/sa/back]"))
	w.until("the twin says what the policy says", 20*time.Second, func() bool {
		return strings.Contains(field(w.roles("shop")["twin"], "spec"), "sa/back")
	})
	w.delete(policies, "shop", "deny-get")
	w.until("everything is as it was", time.Minute, func() bool { return fmt.Sprint(w.inventory("shop")) == fmt.Sprint(before) })

	w.stoodFor()
	if err := w.Dynamic.Resource(namespaces).Delete(t.Context(), "shop", deleteNow); err != nil {
		t.Fatal(err)
	}
	w.until("the namespace is gone", time.Minute, func() bool { return w.get(namespaces, "", "shop") == nil })
	for _, r := range replicas {
		for _, c := range writes(r.since(time.Time{})) {
			if c.status == http.StatusUnprocessableEntity && strings.Contains(c.path, "authorizationpolicies") && c.method == http.MethodDelete {
				t.Errorf("what we do ourselves is refused: %+v", c)
			}
		}
	}
}

// stoodFor waits until all three stand beside the waypoint.
func (w *world) stoodFor() {
	w.t.Helper()
	w.apply(fmt.Sprintf(denyGet, "shop"))
	w.takesEffect("shop")
	w.until("the policies of ours are there", 30*time.Second, func() bool {
		roles := w.roles("shop")
		return roles["twin"] != nil && roles["admission"] != nil && condition(roles["guard"], "ZtunnelAccepted") == "True"
	})
}

// somebody is a client for the policies of the shop by another name than that of the replicas, with every right.
func (w *world) somebody(name string) dynamic.ResourceInterface {
	w.t.Helper()
	cfg := rest.CopyConfig(w.Config)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: []string{"system:masters"}}
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return client.Resource(policies).Namespace("shop")
}

// refusedFor fails the test unless an error is a denial that names a policy of people.
func refusedFor(t *testing.T, what string, err error, policy string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "[change/stand-in]") || !strings.Contains(err.Error(), "shop/"+policy) {
		t.Errorf("%s: %v", what, err)
	}
}
