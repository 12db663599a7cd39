//go:build cluster

package admission

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

const repairing = `
apiVersion: waywarden.dev/v1alpha1
kind: Guardrail
metadata: {name: repairing}
spec:
  namespaceSelector: {matchLabels: {env: prod}}
  fix: Admission
  checks:
  - {ids: ["*"], action: Deny, minSeverity: high}
`

// created creates an object as a dry run and is what would be stored.
func (w *world) created(o *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	return w.resource(o).Create(w.t.Context(), o.DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: manager})
}

// TestRepair: a policy that would do nothing is bound to its Service on its way in, and nothing else of it changes.
func TestRepair(t *testing.T) {
	w := installed(t)
	w.shop()
	w.apply(repairing)
	policy := object(t, in("shop", noOp))
	policy.SetAnnotations(map[string]string{"example.com/kept": "yes"})
	var stored *unstructured.Unstructured
	w.eventually("it is repaired", func() (err error) {
		if stored, err = w.created(policy, "test"); err != nil {
			return err
		}
		if _, found, _ := unstructured.NestedSlice(stored.Object, "spec", "targetRefs"); !found {
			return fmt.Errorf("spec %v", stored.Object["spec"])
		}
		return nil
	})
	w.warned("waywarden repaired this")
	want := map[string]any{
		"action": "DENY", "rules": policy.Object["spec"].(map[string]any)["rules"],
		"targetRefs": []any{map[string]any{"group": "", "kind": "Service", "name": "cart"}},
	}
	if diff := cmp.Diff(want, stored.Object["spec"]); diff != "" {
		t.Errorf("the spec (-want +got):\n%s", diff)
	}
	if stored.GetAnnotations()["example.com/kept"] != "yes" {
		t.Error("an annotation is lost")
	}

	// Again, on what was repaired: nothing.
	w.warnings.take()
	again := object(t, in("shop", noOp))
	again.Object["spec"] = stored.Object["spec"]
	if stored, err := w.created(again, "test"); err != nil {
		t.Error(err)
	} else if diff := cmp.Diff(want, stored.Object["spec"]); diff != "" {
		t.Errorf("repaired twice (-want +got):\n%s", diff)
	}
	for _, text := range w.warnings.take() {
		if strings.Contains(text, "repaired") {
			t.Errorf("it is repaired again: %s", text)
		}
	}

	// Server-side apply of the same file again and again: the same object, and no conflict.
	w.apply(in("shop", noOp))
	first, err := w.resource(policy).Get(t.Context(), "no-op", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.apply(in("shop", noOp))
	second, err := w.resource(policy).Get(t.Context(), "no-op", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.Object["spec"], second.Object["spec"]); diff != "" {
		t.Errorf("applied again it differs:\n%s", diff)
	}
}

// TestRepairLeavesAlone: what a GitOps tool keeps, and what another manager would write back, is denied with the patch in
// a warning, and not changed.
func TestRepairLeavesAlone(t *testing.T) {
	w := installed(t)
	w.shop()
	w.apply(repairing)
	w.eventually("repairs are made", func() error {
		_, err := w.created(object(t, in("shop", noOp)), "test")
		return err
	})
	tracked := object(t, in("shop", noOp))
	tracked.SetAnnotations(map[string]string{"argocd.argoproj.io/tracking-id": "shop:security.istio.io/AuthorizationPolicy:shop/no-op"})
	w.warnings.take()
	_, err := w.created(tracked, "argocd-controller")
	w.denied(err, noOpField, noOpCheck)
	w.warned("Argo CD keeps it as it is in Git")

	tracked.SetAnnotations(map[string]string{"argocd.argoproj.io/tracking-id": "x", "waywarden.dev/fix": "Admission"})
	if _, err := w.created(tracked, "argocd-controller"); err != nil {
		t.Errorf("opted in, and not repaired: %v", err)
	}
}

// TestNoRepairWithoutAsking: fix is Never unless a Guardrail says otherwise.
func TestNoRepairWithoutAsking(t *testing.T) {
	w := installed(t)
	w.shop()
	w.apply(production)
	w.eventually("it is denied", func() error {
		_, err := w.created(object(t, in("shop", noOp)), "test")
		if err == nil {
			return errors.New("admitted")
		}
		w.denied(err, noOpField, noOpCheck)
		return nil
	})
}

// TestBreakGlass: whoever may admits what would be denied, and others learn why they may not.
func TestBreakGlass(t *testing.T) {
	w := installed(t)
	w.shop()
	w.apply(production)
	policy := object(t, in("shop", noOp))
	policy.SetAnnotations(map[string]string{"waywarden.dev/break-glass": "incident 42"})
	w.eventually("the admin may", func() error {
		w.warnings.take()
		if err := w.create(policy, true); err != nil {
			return err
		}
		for _, text := range w.warnings.take() {
			if strings.Contains(text, "break-glass (incident 42)") {
				return nil
			}
		}
		return errors.New("no warning")
	})
	w.apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: writer}
rules: [{apiGroups: [security.istio.io], resources: [authorizationpolicies], verbs: [create, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: writer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: writer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: mallory}]
`)
	other := w.as("mallory")
	w.eventually("others may not", func() error {
		err := other.create(policy, true)
		if err == nil {
			return errors.New("admitted")
		}
		if strings.Contains(err.Error(), "forbidden") {
			return err // the role is not in force yet
		}
		other.denied(err, noOpField, noOpCheck)
		return nil
	})
	other.warned("takes the verb break-glass")
}

// TestEvents: a denial is told on the object, and a dry run is not.
func TestEvents(t *testing.T) {
	w := installed(t)
	w.shop()
	w.apply(production)
	policy := object(t, in("shop", noOp))
	w.eventually("it is denied", func() error {
		if err := w.create(policy, true); err == nil {
			return errors.New("admitted")
		}
		return nil
	})
	event := object(t, "apiVersion: events.k8s.io/v1\nkind: Event\nmetadata: {name: x, namespace: shop}")
	reasons := func() map[string]int {
		list, err := w.resource(event).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]int{}
		for _, e := range list.Items {
			regarding, _ := e.Object["regarding"].(map[string]any)
			if regarding["name"] == "no-op" {
				out[e.Object["reason"].(string)]++
			}
		}
		return out
	}
	if n := reasons(); len(n) > 0 {
		t.Errorf("Events of dry runs: %v", n)
	}
	w.denied(w.create(policy, false), noOpField, noOpCheck)
	w.eventually("an Event tells of it", func() error {
		if reasons()["Denied"] == 0 {
			return fmt.Errorf("%v", reasons())
		}
		return nil
	})
}

// TestDeletions: the last STRICT and the last ALLOW are kept.
func TestDeletions(t *testing.T) {
	w := installed(t)
	w.shop()
	w.apply(production)
	w.apply(`
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: shop}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: default-deny, namespace: shop}
spec: {}
`)
	for name, c := range map[string]struct{ kind, check string }{
		"strict": {"PeerAuthentication", "change/strict-removed"}, "default-deny": {"AuthorizationPolicy", "change/last-allow"},
	} {
		o := object(t, "apiVersion: security.istio.io/v1\nkind: "+c.kind+"\nmetadata: {name: "+name+", namespace: shop}")
		w.eventually(name+" stays", func() error {
			err := w.resource(o).Delete(t.Context(), name, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
			if err == nil {
				return errors.New("deleted")
			}
			w.denied(err, "metadata", c.check)
			return nil
		})
		// Break-glass for a deletion stands on the stored object.
		patch := []byte(`{"metadata": {"annotations": {"waywarden.dev/break-glass": "planned"}}}`)
		if _, err := w.resource(o).Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := w.resource(o).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("%s: break-glass does not let it be deleted: %v", name, err)
		}
	}
}
