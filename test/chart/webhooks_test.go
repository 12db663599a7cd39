package chart

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/webhook"
)

const (
	validating = "ValidatingWebhookConfiguration waywarden"
	mutating   = "MutatingWebhookConfiguration waywarden"
)

func ptr[T any](v T) *T { return &v }

// service is where the API server finds an entry.
func service(e webhook.Entry) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
		Namespace: namespace, Name: release, Path: &e.Path, Port: ptr(int32(443))}}
}

// elsewhere are the namespaces that are looked at.
func elsewhere() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"kube-system", "kube-public", "kube-node-lease"}}}}
}

// TestWebhooksAreTheTable: the chart asks the API server for what the webhook answers: the same names, paths, timeouts, rules
// and conditions, in that order, and nothing more.
func TestWebhooksAreTheTable(t *testing.T) {
	all := render(t, "")
	var wantV []admissionregistrationv1.ValidatingWebhook
	for _, e := range webhook.ValidatingEntries() {
		wantV = append(wantV, admissionregistrationv1.ValidatingWebhook{
			Name: e.Name, ClientConfig: service(e), Rules: e.Rules, MatchConditions: e.Conditions, NamespaceSelector: elsewhere(),
			FailurePolicy: ptr(admissionregistrationv1.Ignore), MatchPolicy: ptr(admissionregistrationv1.Equivalent),
			SideEffects: ptr(admissionregistrationv1.SideEffectClassNoneOnDryRun), TimeoutSeconds: &e.TimeoutSeconds, AdmissionReviewVersions: []string{"v1"},
		})
	}
	if diff := cmp.Diff(wantV, into[admissionregistrationv1.ValidatingWebhookConfiguration](t, all, validating).Webhooks); diff != "" {
		t.Errorf("%s (-table +chart):\n%s", validating, diff)
	}
	var wantM []admissionregistrationv1.MutatingWebhook
	for _, e := range webhook.MutatingEntries() {
		wantM = append(wantM, admissionregistrationv1.MutatingWebhook{
			Name: e.Name, ClientConfig: service(e), Rules: e.Rules, MatchConditions: e.Conditions, NamespaceSelector: elsewhere(),
			ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: webhook.CanaryLabel, Operator: metav1.LabelSelectorOpDoesNotExist}}},
			FailurePolicy:  ptr(admissionregistrationv1.Ignore), MatchPolicy: ptr(admissionregistrationv1.Equivalent),
			SideEffects: ptr(admissionregistrationv1.SideEffectClassNoneOnDryRun), TimeoutSeconds: &e.TimeoutSeconds, AdmissionReviewVersions: []string{"v1"},
			ReinvocationPolicy: ptr(admissionregistrationv1.IfNeededReinvocationPolicy),
		})
	}
	if diff := cmp.Diff(wantM, into[admissionregistrationv1.MutatingWebhookConfiguration](t, all, mutating).Webhooks); diff != "" {
		t.Errorf("%s (-table +chart):\n%s", mutating, diff)
	}
}

// TestWithoutRepairs: Exemptions are still stamped, or they would all be refused.
func TestWithoutRepairs(t *testing.T) {
	var got []string
	for _, w := range into[admissionregistrationv1.MutatingWebhookConfiguration](t, render(t, "webhooks: {mutate: false}"), mutating).Webhooks {
		got = append(got, w.Name)
	}
	if diff := cmp.Diff([]string{webhook.GrantEntry}, got); diff != "" {
		t.Error(diff)
	}
}

// TestTightRules: nothing is asked for in general, and nothing without which a cluster does not heal.
func TestTightRules(t *testing.T) {
	all := render(t, "failurePolicy: Fail")
	for _, w := range into[admissionregistrationv1.ValidatingWebhookConfiguration](t, all, validating).Webhooks {
		fails := *w.FailurePolicy == admissionregistrationv1.Fail
		if fails != (w.Name == webhook.PoliciesEntry) {
			t.Errorf("%s: failurePolicy is %s", w.Name, *w.FailurePolicy)
		}
		for _, r := range w.Rules {
			words := append(append(append([]string{}, r.APIGroups...), r.APIVersions...), r.Resources...)
			for _, o := range r.Operations {
				words = append(words, string(o))
				if fails && o == admissionregistrationv1.Delete {
					t.Errorf("%s: with every replica dead, no %v can be deleted", w.Name, r.Resources)
				}
			}
			for _, word := range words {
				if strings.Contains(word, "*") {
					t.Errorf("%s: %v has a wildcard", w.Name, r)
				}
			}
			for _, resource := range r.Resources {
				switch resource {
				case "pods", "nodes", "leases", "events", "endpoints", "endpointslices", "deployments", "replicasets", "configmaps", "secrets":
					t.Errorf("%s asks about %s", w.Name, resource)
				case "namespaces", "services":
					if fails {
						t.Errorf("%s: with every replica dead, no %s can be made", w.Name, resource)
					}
				}
			}
		}
	}
	for _, w := range into[admissionregistrationv1.MutatingWebhookConfiguration](t, all, mutating).Webhooks {
		if *w.FailurePolicy != admissionregistrationv1.Ignore {
			t.Errorf("%s: failurePolicy is %s", w.Name, *w.FailurePolicy)
		}
	}
}

// TestCABundle: the chart has none, so that nobody takes back what is written into it; cert-manager is told where to get one.
func TestCABundle(t *testing.T) {
	for name, inject := range map[string]string{"default": "", "cert-manager": namespace + "/waywarden"} {
		all := render(t, variants[name])
		v := into[admissionregistrationv1.ValidatingWebhookConfiguration](t, all, validating)
		m := into[admissionregistrationv1.MutatingWebhookConfiguration](t, all, mutating)
		for _, w := range v.Webhooks {
			if w.ClientConfig.CABundle != nil {
				t.Errorf("%s: %s has a caBundle", name, w.Name)
			}
		}
		for _, annotations := range []map[string]string{v.Annotations, m.Annotations} {
			if got := annotations["cert-manager.io/inject-ca-from"]; got != inject {
				t.Errorf("%s: the CA is injected from %q, want %q", name, got, inject)
			}
		}
	}
}

// TestCRDs: they are upgraded, so they are templates; they outlive the release; and they are those of the API.
func TestCRDs(t *testing.T) {
	all := render(t, "")
	for _, file := range []string{"waywarden.dev_guardrails.yaml", "waywarden.dev_exemptions.yaml"} {
		raw, err := os.ReadFile(dir + "/files/crds/" + file)
		if err != nil {
			t.Fatal(err)
		}
		want := parse(t, string(raw))
		metadata := want["metadata"].(map[string]any)
		got := all["CustomResourceDefinition "+metadata["name"].(string)]
		if got == nil {
			t.Errorf("%s is not rendered", file)
			continue
		}
		if got.GetAnnotations()["helm.sh/resource-policy"] != "keep" {
			t.Errorf("%s goes with the release", file)
		}
		if diff := cmp.Diff(want["spec"], parse(t, string(must(got.MarshalJSON())))["spec"]); diff != "" {
			t.Errorf("%s (-api +chart):\n%s", file, diff)
		}
	}
	if _, err := os.Stat(dir + "/crds"); err == nil {
		t.Error("there is a folder crds/, which Helm never upgrades")
	}
	for key := range render(t, "crds: {install: false}") {
		if strings.HasPrefix(key, "CustomResourceDefinition") {
			t.Errorf("%s is rendered all the same", key)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
