//go:build cluster

package admission

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestNotAsked: the API server does not ask about deletions that only carry out what was decided before, and about updates of a Namespace
// that is being deleted. It does about the same of somebody else, and of a Namespace that stays.
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
metadata: {name: by-controller, namespace: brief}
spec: {action: DENY, rules: [{to: [{operation: {ports: ["9"]}}]}]}
`)
	policy := object(t, "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: x, namespace: brief}}")
	namespaces := w.resource(object(t, "{apiVersion: v1, kind: Namespace, metadata: {name: brief}}"))
	label := func(value string) func() error {
		return func() error {
			_, err := namespaces.Patch(t.Context(), "brief", types.MergePatchType, []byte(`{"metadata": {"labels": {"a": "`+value+`"}}}`), metav1.PatchOptions{})
			return err
		}
	}
	remove := func(user, name string) func() error {
		return func() error { return w.as(user).resource(policy).Delete(t.Context(), name, metav1.DeleteOptions{}) }
	}
	empty := func() error { return namespaces.Delete(t.Context(), "brief", metav1.DeleteOptions{}) }
	const (
		updated = `{kind="Namespace",operation="UPDATE"} 1`
		deleted = `{kind="AuthorizationPolicy",operation="DELETE"} 1`
		ended   = `{kind="Namespace",operation="DELETE"} 1`
	)
	for _, step := range []struct {
		name string
		do   func() error
		want []string // what was asked so far, and how often
	}{
		{"a Namespace that stays", label("before"), []string{updated}},
		{"a deletion by hand", remove("", "by-hand"), []string{updated, deleted}},
		{"the end of the Namespace", empty, []string{updated, deleted, ended}},
		{"a Namespace that is being deleted", label("meanwhile"), []string{updated, deleted, ended}},
		{"a deletion by the controller", remove("system:serviceaccount:kube-system:namespace-controller", "by-controller"), []string{updated, deleted, ended}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		got := w.metrics(w.replicas[0])
		for _, want := range step.want {
			if !strings.Contains(got, "waywarden_admission_duration_seconds_count"+want+"\n") {
				t.Errorf("%s: no %s in\n%s", step.name, want, got)
			}
		}
	}
}
