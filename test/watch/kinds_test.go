//go:build cluster

package watch

import (
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies/mesh"
)

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// reset forgets which kinds are served.
func (w *world) reset() {
	client, err := discovery.NewDiscoveryClientForConfig(w.Config)
	w.must(err)
	w.Mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client))
}

// install makes a CRD that takes any content, and waits until it is served.
func (w *world) install(kind mesh.Kind, group string, versions ...string) {
	var served []any
	for i, v := range versions {
		served = append(served, map[string]any{"name": v, "served": true, "storage": i == 0,
			"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
	}
	singular := strings.ToLower(kind.String())
	crd := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": kind.Resource() + "." + group,
			"annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, for a test"}},
		"spec": map[string]any{"group": group, "scope": "Namespaced", "versions": served,
			"names": map[string]any{"plural": kind.Resource(), "singular": singular, "kind": kind.String(), "listKind": kind.String() + "List"}}}}
	_, err := w.Dynamic.Resource(crds).Create(w.t.Context(), crd, metav1.CreateOptions{})
	w.must(err)
	w.eventually("the kind is served", func() bool {
		w.reset()
		client, _ := w.client(kind, group)
		if client == nil {
			return false
		}
		_, err := client.List(w.t.Context(), metav1.ListOptions{})
		return err == nil
	})
}

func (w *world) uninstall(resource string) {
	w.must(w.Dynamic.Resource(crds).Delete(w.t.Context(), resource, metav1.DeleteOptions{}))
	w.eventually("the CRD is gone", func() bool {
		_, err := w.Dynamic.Resource(crds).Get(w.t.Context(), resource, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	w.reset()
}

func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(45 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if is() {
			return
		}
	}
	w.t.Fatalf("not in time: %s", what)
}

// comeAndGo installs a kind in two API groups while the cluster is watched, and removes kinds.
func (w *world) comeAndGo(live *inventory.Live) {
	pool := mesh.InferencePool
	for _, group := range pool.Groups() {
		w.install(pool, group, pool.Versions()...)
		for range 8 {
			w.write(pool, group)
		}
		w.caughtUp("installed in "+group, live, w.Config)
		if live.Status().Objects[pool] == 0 {
			w.t.Errorf("no %s is watched", pool)
		}
	}
	w.uninstall(pool.Resource() + "." + pool.Group())
	w.caughtUp("left in one group", live, w.Config)
	if live.Status().Objects[pool] == 0 {
		w.t.Errorf("no %s is watched, and a group is left", pool)
	}
	for range 20 {
		w.write(mesh.Telemetry, mesh.Telemetry.Group())
	}
	w.caughtUp("with Telemetry", live, w.Config)
	before := live.Status().Objects[mesh.Telemetry]
	w.uninstall("telemetries.telemetry.istio.io")
	w.caughtUp("without Telemetry", live, w.Config)
	if n := live.Status().Objects[mesh.Telemetry]; before == 0 || n != 0 {
		w.t.Errorf("%d Telemetries of %d are left", n, before)
	}
	w.eventually("the kind is no longer watched", func() bool { return len(live.Status().Stale) == 0 })
	w.install(mesh.Telemetry, mesh.Telemetry.Group(), "v1")
	w.write(mesh.Telemetry, mesh.Telemetry.Group())
	w.caughtUp("with Telemetry again", live, w.Config)
}

// permissions watches as somebody who may not read everything, and then as one who may.
func (w *world) permissions() {
	cfg := rest.CopyConfig(w.Config)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: "reader", Groups: []string{"system:authenticated"}}
	w.grant("some", "list watch", "pods", "namespaces")
	w.grant("listed", "list", "services")
	live := w.watch(cfg)
	if live.Snapshot().Whole() || live.Snapshot().Len() == 0 {
		w.t.Errorf("a Snapshot without Gateways and policies is whole, or empty: %d objects", live.Snapshot().Len())
	}
	w.caughtUp("as one who may read little", live, cfg)
	w.eventually("Services are known to be listed only", func() bool {
		stale := live.Status().Stale
		return len(stale) == 1 && stale[0].Resource == "services" && strings.Contains(stale[0].Why, "not watched")
	})
	for range 5 {
		w.write(mesh.Service, "")
	}
	w.caughtUp("with Services that are listed only", live, cfg)
	w.grant("all", "list watch", "*")
	w.caughtUp("as one who may read everything", live, cfg)
	if !live.Snapshot().Whole() {
		w.t.Error("everything can be read and the Snapshot is not whole")
	}
}

// grant lets the reader do what the verbs say with the resources.
func (w *world) grant(role, verbs string, resources ...string) {
	rule := map[string]any{"apiGroups": []any{"*"}, "resources": texts(resources), "verbs": texts(strings.Fields(verbs))}
	for kind, content := range map[string]map[string]any{
		"ClusterRole": {"rules": []any{rule}},
		"ClusterRoleBinding": {"subjects": []any{map[string]any{"kind": "User", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}},
			"roleRef": map[string]any{"kind": "ClusterRole", "name": role, "apiGroup": "rbac.authorization.k8s.io"}},
	} {
		content["apiVersion"], content["kind"] = "rbac.authorization.k8s.io/v1", kind
		content["metadata"] = map[string]any{"name": role}
		gvr := schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: strings.ToLower(kind) + "s"}
		if _, err := w.Dynamic.Resource(gvr).Create(w.t.Context(), &unstructured.Unstructured{Object: content}, metav1.CreateOptions{}); err != nil {
			w.must(fmt.Errorf("%s %s: %w", kind, role, err))
		}
	}
}

func texts(of []string) []any {
	out := make([]any, len(of))
	for i, s := range of {
		out[i] = s
	}
	return out
}

// gvr is a kind in the version that is preferred.
func gvr(kind mesh.Kind) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: kind.Group(), Version: kind.Versions()[0], Resource: kind.Resource()}
}
