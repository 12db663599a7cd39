//go:build cluster

package chart

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

const provisioned = `
{apiVersion: waywarden.dev/v1alpha1, kind: WaypointProfile, metadata: {name: default}, spec: {retainFor: 0s, autoscaling: {maxReplicas: 2}, disruptionBudget: {maxUnavailable: 1}}}
---
{apiVersion: waywarden.dev/v1alpha1, kind: Guardrail, metadata: {name: everywhere}, spec: {checks: [{ids: ["*"], action: Warn}], waypoints: {mode: Provision}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}
---
{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {selector: {app: cart}, ports: [{name: http, port: 80}]}}
`

const needsWaypoint = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: deny-get, namespace: shop},
spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: cart}], rules: [{to: [{operation: {methods: [GET]}}]}]}}`

var (
	gatewayResource    = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}
	configMapResource  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	namespaceResource  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	profileResource    = schema.GroupVersionResource{Group: "waywarden.dev", Version: "v1alpha1", Resource: "waypointprofiles"}
	deploymentResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	budgetResource     = schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}
)

// TestProvisionsWithItsRights: with the rights of the chart and no others a waypoint is made, changed and taken away.
func TestProvisionsWithItsRights(t *testing.T) {
	h := connect(t, cluster.Start(t, cluster.WithIstiod(), cluster.Capture()))
	h.install(t, load(t), "")
	binary, err := serving.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	args := serving.Arguments(into[appsv1.Deployment](t, render(t, ""), deployment).Spec.Template.Spec.Containers[0].Args)
	replica := func() *serving.Replica {
		r, err := serving.Start(binary, h.account(t), t.TempDir(), append(args, "--drain=0s", "--istiod-settle=1s", "--waypoint-drain=1s")...)
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
		return r
	}
	r := replica()
	apply := func(text string) {
		if err := h.Apply(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	get := func(r schema.GroupVersionResource, ns, name string) *unstructured.Unstructured {
		o, err := h.Dynamic.Resource(r).Namespace(ns).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return nil
		}
		return o
	}
	apply(provisioned + "---\n" + needsWaypoint)
	h.eventually(t, "the namespace is bound", func() bool {
		return get(namespaceResource, "", "shop").GetLabels()["istio.io/use-waypoint"] == "waypoint"
	})
	h.eventually(t, "istiod has made a disruption budget", func() bool { return get(budgetResource, "shop", "waypoint") != nil })
	apply(strings.ReplaceAll(strings.Split(provisioned, "---")[0], "autoscaling: {maxReplicas: 2}, disruptionBudget: {maxUnavailable: 1}", "replicas: 2"))
	h.eventually(t, "the disruption budget that istiod leaves behind is gone", func() bool { return get(budgetResource, "shop", "waypoint") == nil })
	replicas := func() int64 {
		n, _, _ := unstructured.NestedInt64(get(deploymentResource, "shop", "waypoint").Object, "spec", "replicas")
		return n
	}
	h.eventually(t, "there are two pods", func() bool { return replicas() == 2 })
	apply(strings.Split(provisioned, "---")[0]) // an autoscaler, which takes over what there is
	h.eventually(t, "istiod has made a disruption budget again", func() bool { return get(budgetResource, "shop", "waypoint") != nil })
	if n := replicas(); n != 2 {
		t.Errorf("the autoscaler takes over %d pods", n)
	}
	said, err := os.ReadFile(r.Log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(said)) {
		if strings.Contains(line, "forbidden") {
			t.Errorf("a right is missing: %s", line)
		}
	}
	r.Kill()
	may := h.mayNotRead(t, "virtualservices")
	replica()
	if err := h.Dynamic.Resource(policyResource).Namespace("shop").Delete(t.Context(), "deny-get", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	unread := func() bool {
		said, _, _ := unstructured.NestedSlice(get(profileResource, "", "default").Object, "status", "conditions")
		return slices.ContainsFunc(said, func(c any) bool { return c.(map[string]any)["reason"] == "Unread" })
	}
	h.eventually(t, "the profile says that VirtualServices are not read", unread)
	time.Sleep(3 * time.Second) // retainFor is none
	if get(gatewayResource, "shop", "waypoint") == nil || get(namespaceResource, "", "shop").GetLabels()["istio.io/use-waypoint"] == "" {
		t.Error("a waypoint was taken away that a VirtualService may need, which nobody may read")
	}
	may()
	h.eventually(t, "VirtualServices are read", func() bool { return !unread() })
	// No proxy answers here how many connections there are, for which is waited a good two minutes (docs/provisioning.md).
	h.within(t, 5*time.Minute, "the waypoint and its parameters are gone", func() bool {
		return get(gatewayResource, "shop", "waypoint") == nil && get(configMapResource, "shop", "waypoint-parameters") == nil &&
			get(namespaceResource, "", "shop").GetLabels()["istio.io/use-waypoint"] == ""
	})
	h.keptToItsOwn(t)
}

// mayNotRead takes the right to read a resource from our account, until what it returns is called.
func (h *helm) mayNotRead(t *testing.T, resource string) func() {
	t.Helper()
	roles := h.Dynamic.Resource(schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"})
	role, err := roles.Get(t.Context(), release, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	update := func(rules any) {
		role.Object["rules"] = rules
		if role, err = roles.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	before := role.DeepCopy().Object["rules"]
	rules := role.DeepCopy().Object["rules"].([]any)
	for _, rule := range rules {
		rule := rule.(map[string]any)
		if resources, ok := rule["resources"].([]any); ok {
			rule["resources"] = slices.DeleteFunc(resources, func(r any) bool { return r == resource })
		}
	}
	update(rules)
	return func() { update(before) }
}

// keptToItsOwn: of what RBAC grants on all objects of a kind, the API server lets our account use what concerns our own.
func (h *helm) keptToItsOwn(t *testing.T) {
	t.Helper()
	config := rest.CopyConfig(h.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + namespace + ":" + release}
	us, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	theirs := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs}, data: {a: b}}`)
	if _, err := h.Dynamic.Resource(configMapResource).Namespace("kube-system").Create(t.Context(), theirs, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	budget := object(t, `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: theirs}, spec: {maxUnavailable: 1, selector: {matchLabels: {app: cart}}}}`)
	if _, err := h.Dynamic.Resource(budgetResource).Namespace("shop").Create(t.Context(), budget, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	theirDeployment := object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: theirs}, spec: {selector: {matchLabels: {app: theirs}}, template: {metadata: {labels: {app: theirs}}, spec: {containers: [{name: a, image: a}]}}}}`)
	if _, err := h.Dynamic.Resource(deploymentResource).Namespace("shop").Create(t.Context(), theirDeployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	gateway := object(t, `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: theirs}, spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}}`)
	if _, err := h.Dynamic.Resource(gatewayResource).Namespace("shop").Create(t.Context(), gateway, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	patch := func(r schema.GroupVersionResource, ns, name, body string, subresources ...string) error {
		_, err := us.Resource(r).Namespace(ns).Patch(t.Context(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{}, subresources...)
		return err
	}
	for what, try := range map[string]func() error{
		"change a ConfigMap of others": func() error { return patch(configMapResource, "kube-system", "theirs", `{"data": {"a": "c"}}`) },
		"take over a ConfigMap of others": func() error {
			return patch(configMapResource, "kube-system", "theirs", `{"metadata": {"labels": {"app.kubernetes.io/managed-by": "waywarden"}}}`)
		},
		"delete a ConfigMap of others": func() error {
			return us.Resource(configMapResource).Namespace("kube-system").Delete(t.Context(), "theirs", metav1.DeleteOptions{})
		},
		"tell of a Gateway of others where it is": func() error {
			return patch(gatewayResource, "shop", "theirs", `{"status": {"addresses": [{"type": "IPAddress", "value": "192.0.2.1"}]}}`, "status")
		},
		"create a ConfigMap without a label": func() error {
			return second(us.Resource(configMapResource).Namespace("shop").Create(t.Context(), theirs, metav1.CreateOptions{}))
		},
		"set another label of a Namespace": func() error {
			return patch(namespaceResource, "", "shop", `{"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}`)
		},
		"remove a label of a Namespace": func() error {
			return patch(namespaceResource, "", "shop", `{"metadata": {"labels": {"istio.io/dataplane-mode": null}}}`)
		},
		"annotate a Service": func() error {
			return patch(serviceResource, "shop", "cart", `{"metadata": {"annotations": {"a": "b"}}}`)
		},
		"change the spec of a Service": func() error {
			return patch(serviceResource, "shop", "cart", `{"spec": {"selector": {"app": "other"}}}`)
		},
		"give a Service an owner that is not there": func() error {
			return patch(serviceResource, "shop", "cart", `{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "00000000-0000-0000-0000-000000000000"}]}}`)
		},
		"keep a Service from being deleted": func() error {
			return patch(serviceResource, "shop", "cart", `{"metadata": {"finalizers": ["example.com/never"]}}`)
		},
		"scale a Deployment": func() error {
			return patch(deploymentResource, "shop", "theirs", `{"spec": {"replicas": 0}}`, "scale")
		},
		"delete a disruption budget of others": func() error {
			return us.Resource(budgetResource).Namespace("shop").Delete(t.Context(), "theirs", metav1.DeleteOptions{})
		},
	} {
		if err := try(); !apierrors.IsForbidden(err) {
			t.Errorf("we may %s: %v", what, err)
		}
	}
	if err := patch(namespaceResource, "", "shop", `{"metadata": {"labels": {"istio.io/use-waypoint": "waypoint"}, "annotations": {"waywarden.dev/profile": "default"}}}`); err != nil {
		t.Errorf("the label that binds: %v", err)
	}
}
