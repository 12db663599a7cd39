//go:build cluster

package chart

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/cluster"
)

var (
	revisionResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "controllerrevisions"}
	packResource     = schema.GroupVersionResource{Group: "waywarden.dev", Version: "v1alpha1", Resource: "rulepacks"}
)

// TestRights tries what our account may and may not do, in the API server's own judgement.
func TestRights(t *testing.T) {
	h := connect(t, cluster.Start(t))
	h.install(t, load(t), "evidence: {rbac: true, webhooks: false, secrets: [default/named]}")
	config := rest.CopyConfig(h.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + namespace + ":" + release}
	us, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range mesh.Kinds() {
		if k.Evidence() != "" && k.Evidence() != mesh.RBAC {
			continue
		}
		for _, group := range k.Groups() {
			r := schema.GroupVersionResource{Group: group, Version: k.Versions()[0], Resource: k.Resource()}
			if _, err := us.Resource(r).List(t.Context(), metav1.ListOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Errorf("list %s: %v", r, err)
			}
			if k.Evidence() != "" {
				continue
			}
			name := us.Resource(r).Namespace("default")
			if _, err := name.Get(t.Context(), "nobody", metav1.GetOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Errorf("get %s: %v", r, err)
			}
		}
	}
	canary := object(t, `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: waywarden-canary}, spec: {rules: [{}]}}`)
	if _, err := us.Resource(policyResource).Namespace(namespace).Create(t.Context(), canary, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Errorf("the canary: %v", err)
	}
	kept := object(t, `{apiVersion: apps/v1, kind: ControllerRevision, metadata: {name: rulepack-acme, labels: {waywarden.dev/kept: rule-pack}}, revision: 1, data: {pack: acme}}`)
	if _, err := us.Resource(revisionResource).Namespace(namespace).Create(t.Context(), kept, metav1.CreateOptions{}); err != nil {
		t.Errorf("keep a revision of a RulePack: %v", err)
	}
	if err := us.Resource(revisionResource).Namespace(namespace).Delete(t.Context(), "rulepack-acme", metav1.DeleteOptions{}); err != nil {
		t.Errorf("forget a revision of a RulePack: %v", err)
	}
	secrets := schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	only := metav1.ListOptions{FieldSelector: "metadata.name=waywarden-tls"}
	if _, err := us.Resource(secrets).Namespace(namespace).List(t.Context(), only); err != nil {
		t.Errorf("list our Secret: %v", err)
	}
	if _, err := us.Resource(validatingResource).List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=waywarden"}); err != nil {
		t.Errorf("list our configuration: %v", err)
	}
	named := metav1.ListOptions{FieldSelector: "metadata.name=named"}
	if _, err := us.Resource(secrets).Namespace("default").List(t.Context(), named); err != nil {
		t.Errorf("list a Secret that is named: %v", err)
	}
	for what, err := range map[string]error{
		"list a namespace's Secrets":            second(us.Resource(secrets).Namespace("default").List(t.Context(), metav1.ListOptions{})),
		"read a Secret that is named, with get": second(us.Resource(secrets).Namespace("default").Get(t.Context(), "named", metav1.GetOptions{})),
		"write a role":                          us.Resource(schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}).Delete(t.Context(), "view", metav1.DeleteOptions{}),
		"list Secrets of the namespace":         second(us.Resource(secrets).Namespace(namespace).List(t.Context(), metav1.ListOptions{})),
		"read a Secret elsewhere":               second(us.Resource(secrets).Namespace("kube-system").List(t.Context(), only)),
		"list all configurations":               second(us.Resource(validatingResource).List(t.Context(), metav1.ListOptions{})),
		"delete its configuration":              us.Resource(validatingResource).Delete(t.Context(), release, metav1.DeleteOptions{}),
		"create a policy elsewhere":             second(us.Resource(policyResource).Namespace("default").Create(t.Context(), canary, metav1.CreateOptions{})),
		"delete a Service":                      us.Resource(serviceResource).Namespace("default").Delete(t.Context(), "kubernetes", metav1.DeleteOptions{}),
		"keep a revision elsewhere":             second(us.Resource(revisionResource).Namespace("default").Create(t.Context(), kept, metav1.CreateOptions{})),
		"patch a RulePack, but for its status":  second(us.Resource(packResource).Patch(t.Context(), "p", "application/merge-patch+json", []byte("{}"), metav1.PatchOptions{})),
		"patch a Guardrail, but for its status": second(us.Resource(schema.GroupVersionResource{Group: "waywarden.dev", Version: "v1alpha1", Resource: "guardrails"}).Patch(t.Context(), "g", "application/merge-patch+json", []byte("{}"), metav1.PatchOptions{})),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("we may %s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
