package serving

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/webhook"
)

// Namespace is Waywarden's own, and Name what its configurations are called.
const (
	Namespace = "waywarden-system"
	Name      = "waywarden"
)

// Register makes the CRDs and the webhook configurations in a cluster, with the webhooks at a URL.
func Register(ctx context.Context, c *cluster.Cluster, url string) error {
	top, err := cluster.Root()
	if err != nil {
		return err
	}
	crds, err := filepath.Glob(filepath.Join(top, "charts", "waywarden", "files", "crds", "*.yaml"))
	if err != nil || len(crds) == 0 {
		return fmt.Errorf("the chart has no CRDs: %v", err)
	}
	for _, file := range crds {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := c.Apply(ctx, raw); err != nil {
			return err
		}
	}
	namespace := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": Namespace}}
	if err := c.ApplyObject(ctx, &unstructured.Unstructured{Object: namespace}); err != nil {
		return err
	}
	for _, o := range Configurations(url) {
		if err := apply(ctx, c, o); err != nil {
			return err
		}
	}
	return served(ctx, c)
}

// served waits until the API server serves the CRDs.
func served(ctx context.Context, c *cluster.Cluster) error {
	for _, resource := range []string{"guardrails", "exemptions", "waypointprofiles", "rulepacks"} {
		r := c.Dynamic.Resource(schema.GroupVersionResource{Group: "waywarden.dev", Version: "v1alpha1", Resource: resource})
		for {
			_, err := r.List(ctx, metav1.ListOptions{})
			if err == nil {
				break
			}
			if !apierrors.IsNotFound(err) {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func apply(ctx context.Context, c *cluster.Cluster, o runtime.Object) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return err
	}
	return c.ApplyObject(ctx, &unstructured.Unstructured{Object: content})
}

// Configurations are the webhook configurations, with the webhooks at a URL.
func Configurations(url string) []runtime.Object {
	none, ignore, equivalent := admissionregistrationv1.SideEffectClassNoneOnDryRun, admissionregistrationv1.Ignore, admissionregistrationv1.Equivalent
	again := admissionregistrationv1.IfNeededReinvocationPolicy
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: Name},
	}
	for _, e := range webhook.ValidatingEntries() {
		at := url + e.Path
		w := admissionregistrationv1.ValidatingWebhook{Name: e.Name, ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &at}, Rules: e.Rules,
			MatchConditions: e.Conditions, SideEffects: &none, FailurePolicy: &ignore, TimeoutSeconds: &e.TimeoutSeconds, MatchPolicy: &equivalent, AdmissionReviewVersions: []string{"v1"}}
		validating.Webhooks = append(validating.Webhooks, w)
	}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "MutatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: Name},
	}
	for _, e := range webhook.MutatingEntries() {
		at := url + e.Path
		mutating.Webhooks = append(mutating.Webhooks, admissionregistrationv1.MutatingWebhook{Name: e.Name, ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &at},
			Rules: e.Rules, MatchConditions: e.Conditions, SideEffects: &none, FailurePolicy: &ignore, TimeoutSeconds: &e.TimeoutSeconds, MatchPolicy: &equivalent,
			ReinvocationPolicy: &again, AdmissionReviewVersions: []string{"v1"}})
	}
	return []runtime.Object{validating, mutating}
}
