//go:build cluster

package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/audit/openreports"
	"github.com/waywarden/waywarden/policies/mesh"
)

const filter = `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: old, namespace: shop}
spec: {configPatches: [{applyTo: HTTP_FILTER, match: {context: SIDECAR_INBOUND}, patch: {operation: INSERT_BEFORE, value: {name: x}}}]}
`

// TestUnread: a report says what could not be read and that the audit is held, also of one that has only begun; what was found stands
// meanwhile; and when everything can be read again what is gone is gone, without that anything else has to change.
func TestUnread(t *testing.T) {
	for _, api := range []openreports.API{openreports.OpenReports, openreports.PolicyReport} {
		t.Run(api.Group, func(t *testing.T) { unread(t, api) })
	}
}

func unread(t *testing.T, api openreports.API) {
	w := start(t)
	w.install(api)
	w.apply(shop + "---\n" + filter)
	w.watcher = rest.CopyConfig(w.Config)
	w.watcher.Impersonate = rest.ImpersonationConfig{UserName: "reader", Groups: []string{"system:authenticated"}}
	says := func(want string) {
		t.Helper()
		w.eventually(fmt.Sprintf("a report that says %q", want), func() error {
			u, err := w.report(api, "shop")
			if err != nil {
				return err
			}
			if got := u.GetAnnotations()["waywarden.dev/unread"]; !strings.HasPrefix(got, want) || want == "" && got != "" {
				return fmt.Errorf("it says %q", got)
			}
			return nil
		})
	}

	w.mayRead()
	stop := w.audit(time.Hour, api)
	says("")
	w.eventually("the filter is found", func() error { return w.stands(api, "old", "") })
	u, err := w.report(api, "shop")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := times(t, u, "old")
	stop()

	w.mayRead(mesh.EnvoyFilter)
	filters := schema.GroupVersionResource{Group: mesh.EnvoyFilter.Group(), Version: "v1alpha3", Resource: mesh.EnvoyFilter.Resource()}
	if err := w.Dynamic.Resource(filters).Namespace("shop").Delete(t.Context(), "old", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	stop = w.audit(time.Hour, api)
	says("Not everything could be read. envoyfilters.networking.istio.io: ")
	if err := w.stands(api, "old", first); err != nil {
		t.Error(err)
	}
	stop()

	w.mayRead(mesh.EnvoyFilter, mesh.Namespace)
	w.audit(time.Hour, api) // which has judged nothing yet
	says("The audit is held: ")
	for _, name := range []string{"old", "no-get"} {
		if err := w.stands(api, name, ""); err != nil {
			t.Error(err)
		}
	}

	w.mayRead(mesh.EnvoyFilter)
	says("Not everything could be read. envoyfilters.networking.istio.io: ")
	if err := w.stands(api, "old", first); err != nil {
		t.Error(err)
	}
	w.mayRead()
	says("")
	w.eventually("the filter is gone", func() error {
		u, err := w.report(api, "shop")
		if err != nil {
			return err
		}
		if was, resolved := times(t, u, "old"); was != first || resolved == "" {
			return fmt.Errorf("it was first seen %s, was %s, and resolved %q", was, first, resolved)
		}
		return nil
	})
}

// stands is whether something is still found in an object, and since when; "" for whenever.
func (w *world) stands(api openreports.API, name, since string) error {
	u, err := w.report(api, "shop")
	if err != nil {
		return err
	}
	results, _, err := unstructured.NestedSlice(u.Object, "results")
	if err != nil {
		return err
	}
	for _, r := range results {
		subjects, _ := r.(map[string]any)["resources"].([]any)
		properties, _ := r.(map[string]any)["properties"].(map[string]any)
		if len(subjects) == 0 || subjects[0].(map[string]any)["name"] != name || properties["resolvedAt"] != nil {
			continue
		}
		if since != "" && properties["firstSeen"] != since {
			return fmt.Errorf("%s was first seen %v, and %s before", name, properties["firstSeen"], since)
		}
		return nil
	}
	return fmt.Errorf("nothing is found in %s", name)
}

// mayRead lets whoever watches read all kinds but some.
func (w *world) mayRead(but ...mesh.Kind) {
	w.Helper()
	var resources []string
	for _, kind := range mesh.Kinds() {
		if !slices.Contains(but, kind) {
			resources = append(resources, kind.Resource())
		}
	}
	w.apply(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: ["*"], resources: [` + strings.Join(resources, ", ") + `], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: reader}]
`)
}
