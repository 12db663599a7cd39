//go:build cluster

package admission

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestNotAsked: the API server does not ask about what only carries out a decision from before: the controller that empties a namespace, and
// updates of one that terminates. It does about the same by somebody else.
func TestNotAsked(t *testing.T) {
	w := start(t, 1)
	w.apply(`
apiVersion: v1
kind: Namespace
metadata: {name: brief}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: by-hand, namespace: brief}
spec: {action: DENY, rules: [{to: [{operation: {ports: ["9"]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: by-controller, namespace: brief, finalizers: [example.com/wait]}
spec: {action: DENY, rules: [{to: [{operation: {ports: ["9"]}}]}]}
`)
	policies := w.resource(object(t, "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: x, namespace: brief}}"))
	namespaces := w.resource(object(t, "{apiVersion: v1, kind: Namespace, metadata: {name: brief}}"))
	label := func(value string) {
		t.Helper()
		if _, err := namespaces.Patch(t.Context(), "brief", types.MergePatchType, []byte(`{"metadata": {"labels": {"a": "`+value+`"}}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	asked := func(want ...string) {
		t.Helper()
		got := w.metrics(w.replicas[0])
		for _, line := range want {
			if !strings.Contains(got, "waywarden_admission_duration_seconds_count"+line+"\n") {
				t.Errorf("no %s in\n%s", line, got)
			}
		}
	}
	once := []string{`{kind="AuthorizationPolicy",operation="DELETE"} 1`, `{kind="Namespace",operation="UPDATE"} 1`, `{kind="Namespace",operation="DELETE"} 1`}
	label("before")
	for _, err := range []error{policies.Delete(t.Context(), "by-hand", metav1.DeleteOptions{}), namespaces.Delete(t.Context(), "brief", metav1.DeleteOptions{})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("the controller deletes the policy", func() error {
		if p, err := policies.Get(t.Context(), "by-controller", metav1.GetOptions{}); err != nil || p.GetDeletionTimestamp() == nil {
			return errors.Join(errors.New("it is not deleted"), err)
		}
		return nil
	})
	label("meanwhile")
	asked(once...)
	if _, err := policies.Patch(t.Context(), "by-controller", types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the namespace is gone", func() error {
		if _, err := namespaces.Get(t.Context(), "brief", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("it is there"), err)
		}
		return nil
	})
	asked(once...)
}
