//go:build cluster

package chart

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/cli"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/webhook"
)

// helm is Helm with a real cluster.
type helm struct {
	*cluster.Cluster
	cfg *action.Configuration
}

func connect(t *testing.T, c *cluster.Cluster) *helm {
	t.Helper()
	settings := cli.New()
	settings.KubeConfig = c.Kubeconfig
	settings.SetNamespace(namespace)
	cfg := &action.Configuration{}
	if err := cfg.Init(settings.RESTClientGetter(), namespace, "secret", t.Logf); err != nil {
		t.Fatal(err)
	}
	return &helm{c, cfg}
}

func (h *helm) install(t *testing.T, c *chart.Chart, values string) {
	t.Helper()
	install := action.NewInstall(h.cfg)
	install.ReleaseName, install.Namespace, install.CreateNamespace = release, namespace, true
	if _, err := install.Run(c, parse(t, values)); err != nil {
		t.Fatal(err)
	}
}

func (h *helm) upgrade(t *testing.T, values string) {
	t.Helper()
	upgrade := action.NewUpgrade(h.cfg)
	upgrade.Namespace = namespace
	if _, err := upgrade.Run(release, load(t), parse(t, values)); err != nil {
		t.Fatal(err)
	}
}

func (h *helm) uninstall(t *testing.T) {
	t.Helper()
	if _, err := action.NewUninstall(h.cfg).Run(release); err != nil {
		t.Fatal(err)
	}
}

const admission = "admissionregistration.k8s.io"

var (
	validatingResource = schema.GroupVersionResource{Group: admission, Version: "v1", Resource: "validatingwebhookconfigurations"}
	mutatingResource   = schema.GroupVersionResource{Group: admission, Version: "v1", Resource: "mutatingwebhookconfigurations"}
	crdResource        = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	policyResource     = schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "authorizationpolicies"}
	serviceResource    = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	podResource        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

func object(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	return &unstructured.Unstructured{Object: parse(t, manifest)}
}

// entry is one webhook as the API server has it.
func (h *helm) entry(t *testing.T, name string) map[string]any {
	t.Helper()
	live, err := h.Dynamic.Resource(validatingResource).Get(t.Context(), release, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range live.Object["webhooks"].([]any) {
		if w := w.(map[string]any); w["name"] == name {
			return w
		}
	}
	t.Fatalf("no webhook %s", name)
	return nil
}

func (h *helm) policy(t *testing.T) string {
	return h.entry(t, webhook.PoliciesEntry)["failurePolicy"].(string)
}

func (h *helm) bundle(t *testing.T) string {
	b, _ := h.entry(t, webhook.PoliciesEntry)["clientConfig"].(map[string]any)["caBundle"].(string)
	return b
}

// raise does what Waywarden does once it runs: it applies failurePolicy and caBundle of one webhook, and nothing else.
func (h *helm) raise(t *testing.T) {
	t.Helper()
	ca := base64.StdEncoding.EncodeToString(h.Config.CAData)
	apply := object(t, `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: waywarden}}`)
	apply.Object["webhooks"] = []any{map[string]any{"name": webhook.PoliciesEntry, "failurePolicy": "Fail", "clientConfig": map[string]any{"caBundle": ca}}}
	if _, err := h.Dynamic.Resource(validatingResource).Apply(t.Context(), release, apply, metav1.ApplyOptions{FieldManager: "waywarden-failure-policy", Force: true}); err != nil {
		t.Fatal(err)
	}
}

// store tries to store a policy, without a trace.
func (h *helm) store(ctx context.Context, t *testing.T, in string) error {
	t.Helper()
	_, err := h.Dynamic.Resource(policyResource).Namespace(in).Create(ctx, object(t, `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy,
		metadata: {name: probe}, spec: {action: ALLOW, rules: [{}]}}`), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// TestRelease is the life of a release: install, upgrade, uninstall, install again. No pod runs here, so all the while every
// replica is dead.
func TestRelease(t *testing.T) {
	h := connect(t, cluster.Start(t))
	older := load(t)
	for _, f := range older.Files {
		if strings.HasSuffix(f.Name, "guardrails.yaml") {
			f.Data = []byte(strings.ReplaceAll(string(f.Data), "    - gr\n", "    - older\n"))
		}
	}
	h.install(t, older, "")
	if got := h.policy(t); got != "Ignore" {
		t.Errorf("installed with failurePolicy %s", got)
	}
	if err := h.store(t.Context(), t, "default"); err != nil {
		t.Errorf("before the first replica runs, policies cannot be stored: %v", err)
	}
	h.raise(t)
	t.Run("the cluster heals without us", func(t *testing.T) { heals(t, h) })

	h.upgrade(t, "replicas: 3")
	if got := h.policy(t); got != "Fail" {
		t.Errorf("an upgrade sets failurePolicy back to %s", got)
	}
	if h.bundle(t) == "" {
		t.Error("an upgrade takes the caBundle")
	}
	if names := h.shortNames(t); names != "gr" {
		t.Errorf("the CRD was not upgraded: its short name is %s", names)
	}
	h.upgrade(t, "failurePolicy: Ignore")
	if got := h.policy(t); got != "Ignore" {
		t.Errorf("pinned to Ignore, and it is %s", got)
	}
	h.raise(t)
	h.upgrade(t, "failurePolicy: managed")
	if got := h.policy(t); got != "Fail" {
		t.Errorf("managed again, and an upgrade sets it to %s", got)
	}
	guardrail := schema.GroupVersionResource{Group: "waywarden.dev", Version: "v1alpha1", Resource: "guardrails"}
	h.upgrade(t, "failurePolicy: Ignore")
	if _, err := h.Dynamic.Resource(guardrail).Create(t.Context(), object(t, kept), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.raise(t)
	h.uninstall(t)
	h.gone(t)
	if err := h.store(t.Context(), t, "default"); err != nil {
		t.Errorf("after the release is gone, policies cannot be stored: %v", err)
	}
	if _, err := h.Dynamic.Resource(guardrail).Get(t.Context(), "kept", metav1.GetOptions{}); err != nil {
		t.Errorf("Guardrails went with the release: %v", err)
	}
	h.install(t, load(t), "")
	if got := h.policy(t); got != "Ignore" {
		t.Errorf("installed again with failurePolicy %s", got)
	}
}

const kept = `{apiVersion: waywarden.dev/v1alpha1, kind: Guardrail, metadata: {name: kept}, spec: {checks: [{ids: ["effect/*"], action: Warn}]}}`

func (h *helm) shortNames(t *testing.T) string {
	t.Helper()
	crd, err := h.Dynamic.Resource(crdResource).Get(t.Context(), "guardrails.waywarden.dev", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names, _, _ := unstructured.NestedStringSlice(crd.Object, "spec", "names", "shortNames")
	return strings.Join(names, ",")
}

// gone: nothing of the release is left but CRDs.
func (h *helm) gone(t *testing.T) {
	t.Helper()
	for _, r := range []schema.GroupVersionResource{validatingResource, mutatingResource,
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"}} {
		list, err := h.Dynamic.Resource(r).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/instance=" + release})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			t.Errorf("%s %s is left behind", o.GetKind(), o.GetName())
		}
	}
}

// heals: with failurePolicy Fail and nobody there, policies cannot be stored, and all that a cluster is healed by can.
func heals(t *testing.T, h *helm) {
	if err := h.store(t.Context(), t, "default"); err == nil || !strings.Contains(err.Error(), webhook.PoliciesEntry) {
		t.Errorf("%v, want a refusal, as failurePolicy is Fail and nobody answers", err)
	}
	if err := h.store(t.Context(), t, "kube-system"); err != nil {
		t.Errorf("kube-system is excluded, and yet: %v", err)
	}
	for resource, manifest := range map[schema.GroupVersionResource]string{
		{Version: "v1", Resource: "namespaces"}: `{apiVersion: v1, kind: Namespace, metadata: {name: healed}}`,
		serviceResource:                         `{apiVersion: v1, kind: Service, metadata: {name: healed}, spec: {ports: [{port: 80}]}}`,
		podResource:                             `{apiVersion: v1, kind: Pod, metadata: {name: healed}, spec: {containers: [{name: c, image: i}]}}`,
		{Version: "v1", Resource: "configmaps"}: `{apiVersion: v1, kind: ConfigMap, metadata: {name: healed}}`,
		{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}:         `{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: healed}}`,
		{Group: "apps", Version: "v1", Resource: "deployments"}:                   `{apiVersion: apps/v1, kind: Deployment, metadata: {name: healed}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}`,
		{Group: "networking.istio.io", Version: "v1", Resource: "serviceentries"}: `{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: healed}, spec: {hosts: [a.example.com], ports: [{number: 80, name: http, protocol: HTTP}]}}`,
	} {
		o, at := object(t, manifest), h.Dynamic.Resource(resource).Namespace("default")
		into := h.Dynamic.Resource(resource).Create
		if resource.Resource != "namespaces" {
			into = at.Create
		}
		if _, err := into(t.Context(), o, metav1.CreateOptions{}); err != nil {
			t.Errorf("%s: %v", resource.Resource, err)
		}
	}
	if err := h.Dynamic.Resource(serviceResource).Namespace("default").Delete(t.Context(), "healed", metav1.DeleteOptions{}); err != nil {
		t.Errorf("a Service cannot be deleted: %v", err)
	}
}

// TestEveryObjectIsServed: an API server takes what each variant renders, field by field.
func TestEveryObjectIsServed(t *testing.T) {
	c := cluster.Start(t)
	paths := []string{filepath.Join(dir, "files", "crds"),
		filepath.Join(download(t, "github.com/cert-manager/cert-manager@v1.21.2"), "deploy", "crds"),
		filepath.Join(download(t, "github.com/prometheus-operator/prometheus-operator@v0.90.1"), "example", "prometheus-operator-crd")}
	if _, err := envtest.InstallCRDs(c.Config, envtest.CRDInstallOptions{Paths: paths, ErrorIfPathMissing: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), []byte(`{apiVersion: v1, kind: Namespace, metadata: {name: `+namespace+`, labels: {pod-security.kubernetes.io/enforce: restricted}}}`)); err != nil {
		t.Fatal(err)
	}
	for _, secretsOf := range []string{"istio-system", "edge"} { // where a variant reads one
		if err := c.Apply(t.Context(), []byte(`{apiVersion: v1, kind: Namespace, metadata: {name: `+secretsOf+`}}`)); err != nil {
			t.Fatal(err)
		}
	}
	for name, values := range variants {
		t.Run(name, func(t *testing.T) {
			for key, o := range render(t, values) {
				if err := dryRun(t, c, o); err != nil {
					t.Errorf("%s: %v", key, err)
				}
				if o.GetKind() == "Deployment" {
					restricted(t, c, o)
				}
			}
		})
	}
}

// dryRun has the API server validate an object strictly, and store nothing.
func dryRun(t *testing.T, c *cluster.Cluster, o *unstructured.Unstructured) error {
	t.Helper()
	raw, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	r, namespaced, err := c.Resource(o.GroupVersionKind())
	if err != nil {
		return err
	}
	force, opts := true, metav1.PatchOptions{FieldManager: "test", DryRun: []string{metav1.DryRunAll}, FieldValidation: "Strict"}
	opts.Force = &force
	if namespaced {
		_, err = c.Dynamic.Resource(r).Namespace(o.GetNamespace()).Patch(t.Context(), o.GetName(), types.ApplyPatchType, raw, opts)
	} else {
		_, err = c.Dynamic.Resource(r).Patch(t.Context(), o.GetName(), types.ApplyPatchType, raw, opts)
	}
	return err
}

// restricted: PodSecurity's strictest profile takes the Deployment's pods, and does not take just any.
func restricted(t *testing.T, c *cluster.Cluster, deployment *unstructured.Unstructured) {
	t.Helper()
	template, _, err := unstructured.NestedMap(deployment.Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	pod := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "p"}, "spec": template["spec"]}}
	pods := c.Dynamic.Resource(podResource).Namespace(namespace)
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: "Strict"}); err != nil {
		t.Errorf("the pod is refused: %v", err)
	}
	unstructured.RemoveNestedField(pod.Object, "spec", "securityContext", "runAsNonRoot")
	_, err = pods.Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "PodSecurity") {
		t.Errorf("%v, want a refusal by PodSecurity: is it in force?", err)
	}
}

// download is the folder of a module at a version. Only its files are wanted, so it is in no go.mod.
func download(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", module).Output()
	var m struct{ Dir string }
	if jsonErr := json.Unmarshal(out, &m); err != nil || jsonErr != nil || m.Dir == "" {
		t.Fatalf("download %s: %v\n%s", module, err, out)
	}
	return m.Dir
}
