//go:build cluster

package certs

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/waywarden/waywarden/certs"
)

// TestBundleIsRepaired: whoever overwrites, empties or recreates a configuration, the bundle is back soon; and nothing
// else that they wrote is touched.
func TestBundleIsRepaired(t *testing.T) {
	r := install(t)
	api := r.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	before, err := api.Get(t.Context(), hooks, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := before.Webhooks[0].ClientConfig.CABundle
	foreign := []byte("-----BEGIN CERTIFICATE-----\nZ2FyYmFnZQ==\n-----END CERTIFICATE-----\n")
	for _, tc := range []struct {
		name string
		do   func() error
	}{
		{"overwritten, and more changed", func() error {
			return retry.RetryOnConflict(retry.DefaultRetry, func() error {
				v, err := api.Get(t.Context(), hooks, metav1.GetOptions{})
				if err != nil {
					return err
				}
				v.Labels = map[string]string{"team": "platform"}
				v.Webhooks[0].ClientConfig.CABundle = foreign
				v.Webhooks[1].ClientConfig.CABundle = nil
				v.Webhooks[1].TimeoutSeconds = new(int32)
				*v.Webhooks[1].TimeoutSeconds = 7
				_, err = api.Update(t.Context(), v, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
				return err
			})
		}},
		{"recreated", func() error {
			if err := api.Delete(t.Context(), hooks, metav1.DeleteOptions{}); err != nil {
				return err
			}
			v := before.DeepCopy()
			v.ObjectMeta = metav1.ObjectMeta{Name: hooks, Labels: map[string]string{"team": "platform"}}
			v.Webhooks[0].ClientConfig.CABundle, v.Webhooks[1].ClientConfig.CABundle = nil, nil
			v.Webhooks[1].TimeoutSeconds = new(int32)
			*v.Webhooks[1].TimeoutSeconds = 7
			_, err := api.Create(t.Context(), v, metav1.CreateOptions{})
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.do(); err != nil {
				t.Fatal(err)
			}
			r.carries(t, want)
		})
	}
}

// carries waits until every webhook has the bundle, and looks whether what else was changed is still there.
func (r *replicas) carries(t *testing.T, bundle []byte) {
	t.Helper()
	var v *admissionv1.ValidatingWebhookConfiguration
	eventually(t, 10*time.Second, func() (err error) {
		if v, err = r.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), hooks, metav1.GetOptions{}); err != nil {
			return err
		}
		for _, w := range v.Webhooks {
			if string(w.ClientConfig.CABundle) != string(bundle) {
				return fmt.Errorf("webhook %s trusts %q", w.Name, w.ClientConfig.CABundle)
			}
		}
		return r.ready()
	})
	if v.Labels["team"] != "platform" || *v.Webhooks[1].TimeoutSeconds != 7 || len(v.Webhooks) != 2 {
		t.Errorf("more than the bundle was written: %v", v)
	}
}

// TestOnlyTheBundleIsOurs: of the configurations we own the bundles, and no other field.
func TestOnlyTheBundleIsOurs(t *testing.T) {
	r := install(t)
	v, err := r.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), hooks, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), hooks, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	one := func(name string) string {
		return fmt.Sprintf(`"k:{\"name\":\"%s.waywarden.dev\"}":{".":{},"f:clientConfig":{"f:caBundle":{}},"f:name":{}}`, name)
	}
	want := `{"f:webhooks":{` + one("a") + `,` + one("b") + `}}`
	for _, fields := range [][]metav1.ManagedFieldsEntry{v.ManagedFields, m.ManagedFields} {
		if diff := cmp.Diff([]string{want}, owned(fields, certs.BundleManager)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// owned are the fields of a manager, as JSON.
func owned(fields []metav1.ManagedFieldsEntry, manager string) []string {
	var out []string
	for _, f := range fields {
		if f.Manager == manager && f.Operation == metav1.ManagedFieldsOperationApply {
			out = append(out, f.FieldsV1.GetRawString())
		}
	}
	slices.Sort(out)
	return out
}

// TestConfigurationIsNotMade: what the chart does not install, or an operator deleted, stays away; and without it a
// replica is not ready, as nobody would call it.
func TestConfigurationIsNotMade(t *testing.T) {
	r := install(t)
	api := r.client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	if err := api.Delete(t.Context(), hooks, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, func() error {
		if r.ready() == nil {
			return fmt.Errorf("the replicas are ready, and nobody calls them")
		}
		return nil
	})
	time.Sleep(4 * poll)
	if list, err := api.List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) > 0 {
		t.Errorf("%v, %d configurations", err, len(list.Items))
	}
}
