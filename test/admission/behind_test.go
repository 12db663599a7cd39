//go:build cluster

package admission

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestBehindAdmission: what takes a policy away, or out of a Guardrail's reach, without touching it is judged as well.
func TestBehindAdmission(t *testing.T) {
	w := installed(t)
	w.shop()
	if err := w.create(object(t, in("shop", noOp)), false); err != nil { // older than the Guardrail
		t.Fatal(err)
	}
	w.apply(production)
	w.apply(guard)
	w.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}\n---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}")
	namespace := object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}")
	root := object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}")
	gateway := object(t, "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: waypoint, namespace: shop}")
	owned := `{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "gone", "uid": "17"}]}}`
	permissive := object(t, "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: cart, namespace: shop}\nspec: {selector: {matchLabels: {app: cart}}, mtls: {mode: PERMISSIVE}}")
	dry := []string{metav1.DryRunAll}
	for _, c := range []struct {
		name, field, check string
		do                 func() error
	}{
		{"take the Namespace out of the Guardrail", "metadata.labels", noOpCheck, func() error {
			_, err := w.resource(namespace).Patch(t.Context(), "shop", types.MergePatchType, []byte(`{"metadata": {"labels": {"env": null}}}`), metav1.PatchOptions{DryRun: dry})
			return err
		}},
		{"give the waypoint an owner that is not there", "metadata.ownerReferences", "change/policy-broken", func() error {
			_, err := w.resource(gateway).Patch(t.Context(), "waypoint", types.MergePatchType, []byte(owned), metav1.PatchOptions{DryRun: dry})
			return err
		}},
		{"open with a new PeerAuthentication what another one closed", "metadata", "change/strict-removed", func() error { return w.create(permissive, true) }},
		{"delete Istio's root namespace", "metadata", "change/root-removed", func() error {
			return w.resource(root).Delete(t.Context(), "istio-system", metav1.DeleteOptions{DryRun: dry})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			w.eventually("it is denied", func() error {
				err := c.do()
				if err == nil {
					return errors.New("admitted")
				}
				w.denied(err, c.field, c.check)
				return nil
			})
		})
	}
	w.t = t
	// Without what the Guardrail would not let pass the Namespace may go.
	if err := w.resource(object(t, in("shop", noOp))).Delete(t.Context(), "no-op", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the Namespace leaves the Guardrail", func() error {
		_, err := w.resource(namespace).Patch(t.Context(), "shop", types.MergePatchType, []byte(`{"metadata": {"labels": {"env": null}}}`), metav1.PatchOptions{})
		return err
	})
}

// TestInForceIsTold: a webhook that is no longer asked is told of on every Guardrail, and by an Event.
func TestInForceIsTold(t *testing.T) {
	w := start(t, 1)
	w.shop()
	w.apply(production)
	guardrail := object(t, "apiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: production}")
	condition := func(status, reason string) {
		t.Helper()
		w.eventually("the condition is "+status, func() error {
			got, err := w.resource(guardrail).Get(t.Context(), "production", metav1.GetOptions{})
			if err != nil {
				return err
			}
			text := fmt.Sprint(got.Object["status"])
			if !strings.Contains(text, "reason:"+reason+" status:"+status+" type:AdmissionInForce") {
				return errors.New(text)
			}
			return nil
		})
	}
	condition("True", "Refused")
	hooks := object(t, "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: waywarden}")
	if err := w.resource(hooks).Delete(t.Context(), "waywarden", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	condition("False", "Admitted")
	event := object(t, "apiVersion: events.k8s.io/v1\nkind: Event\nmetadata: {name: x, namespace: default}")
	w.eventually("an Event tells of it", func() error {
		list, err := w.resource(event).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Object["reason"] == "CanaryAdmitted" && strings.Contains(fmt.Sprint(e.Object["note"]), "admission is not in force") {
				return nil
			}
		}
		return fmt.Errorf("%d Events, and none", len(list.Items))
	})
}
