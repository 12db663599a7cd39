//go:build cluster

package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

// TestServesWithItsRights runs the binary with the arguments of the chart's Deployment, as the chart's account, with the rights
// that the chart gives it and no others: it makes its certificate, publishes it, flies its canary, raises failurePolicy, keeps
// the status of a Guardrail, and denies.
func TestServesWithItsRights(t *testing.T) {
	h := connect(t, cluster.Start(t))
	h.install(t, load(t), "")
	binary, err := serving.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	balancer, err := serving.Balance()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { balancer.Close() })
	h.call(t, balancer.URL())
	args := serving.Arguments(into[appsv1.Deployment](t, render(t, ""), deployment).Spec.Template.Spec.Containers[0].Args)
	r, err := serving.Start(binary, h.account(t), t.TempDir(), append(args, "--canary-interval=5s", "--drain=0s")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Kill)
	ready, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.WaitReady(ready); err != nil {
		said, _ := os.ReadFile(r.Log) // what it said is all there is to say
		t.Fatalf("%v\n%s", err, said)
	}
	balancer.Add(r.Addr)
	h.eventually(t, "failurePolicy is raised", func() bool { return h.policy(t) == "Fail" && h.bundle(t) != "" })

	guardrails := h.Dynamic.Resource(schema.GroupVersionResource{Group: "waywarden.dev", Version: "v1alpha1", Resource: "guardrails"})
	if _, err := guardrails.Create(t.Context(), object(t, strings.NewReplacer("Warn", "Deny", `"effect/*"`, `"effect/*", "acme/*"`).Replace(kept)), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.eventually(t, "the Guardrail has a status", func() bool {
		g, err := guardrails.Get(t.Context(), "kept", metav1.GetOptions{})
		return err == nil && g.Object["status"] != nil
	})
	if err := h.Apply(t.Context(), []byte(`{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}`)); err != nil {
		t.Fatal(err)
	}
	h.eventually(t, "a DENY that denies nothing is denied", func() bool {
		_, err := h.Dynamic.Resource(policyResource).Namespace("shop").Create(t.Context(), object(t, `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy,
			metadata: {name: nothing}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`),
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), "effect/l7-deny-no-op")
	})
	h.packed(t)
	said, err := os.ReadFile(r.Log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(said)) {
		if strings.Contains(line, "forbidden") {
			t.Errorf("a right is missing: %s", line)
		}
	}
}

// packed: a RulePack is judged, kept, put in force and told of, with the rights of the chart.
func (h *helm) packed(t *testing.T) {
	t.Helper()
	modules := map[string]any{}
	for _, name := range []string{"acme/owned.rego", "acme/owned.txtar"} {
		modules[name] = string(must(os.ReadFile(filepath.Join("..", "admission", "testdata", "packs", name))))
	}
	pack := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "waywarden.dev/v1alpha1", "kind": "RulePack", "metadata": map[string]any{"name": "acme"}, "spec": map[string]any{"modules": modules}}}
	if _, err := h.Dynamic.Resource(packResource).Create(t.Context(), pack, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.eventually(t, "the RulePack is in force", func() bool {
		_, err := h.Dynamic.Resource(policyResource).Namespace("shop").Create(t.Context(), object(t, `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: bare}, spec: {rules: [{}]}}`),
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), "acme/owned")
	})
}

// call has the API server call a URL instead of the Service, which has no pods.
func (h *helm) call(t *testing.T, url string) {
	t.Helper()
	for _, r := range []schema.GroupVersionResource{validatingResource, mutatingResource} {
		live, err := h.Dynamic.Resource(r).Get(t.Context(), release, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var patch []map[string]any
		for i, w := range live.Object["webhooks"].([]any) {
			path := w.(map[string]any)["clientConfig"].(map[string]any)["service"].(map[string]any)["path"].(string)
			patch = append(patch, map[string]any{"op": "replace", "path": fmt.Sprintf("/webhooks/%d/clientConfig", i), "value": map[string]any{"url": url + path}})
		}
		raw := must(json.Marshal(patch))
		if _, err := h.Dynamic.Resource(r).Patch(t.Context(), release, types.JSONPatchType, raw, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *helm) account(t *testing.T) string {
	t.Helper()
	return must(serving.Account(t.Context(), h.Cluster, t.TempDir()))
}

func (h *helm) eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	h.within(t, time.Minute, what, done)
}

func (h *helm) within(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in %s: %s", limit, what)
		}
	}
}
