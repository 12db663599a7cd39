package webhook

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestOrphaned: who gives an object an owner that is not there has the garbage collector delete it, and nobody is asked then.
// So that is judged as a deletion.
func TestOrphaned(t *testing.T) {
	owned := func(owners ...any) map[string]any { return set(content(t, defaultDeny), "ownerReferences", owners) }
	by := func(apiVersion, kind, name, uid string) any {
		return map[string]any{"apiVersion": apiVersion, "kind": kind, "name": name, "uid": uid}
	}
	gone, there := by("v1", "Service", "gone", "1"), by("v1", "Service", "cart", "1")
	live := snapshot(t, `{apiVersion: v1, kind: Service, metadata: {name: gone, namespace: shop, uid: "1"}, spec: {}}`)
	for name, c := range map[string]struct {
		object  map[string]any
		stored  *mesh.Snapshot // what the API server has besides
		allowed bool
		asks    int
	}{
		"an owner that is not there":             {object: owned(gone), asks: 1},
		"one that has come meanwhile":            {object: owned(gone), stored: live, allowed: true, asks: 1},
		"another object of its name":             {object: owned(by("v1", "Service", "uid", "2")), asks: 1},
		"an owner that is there":                 {object: owned(there), allowed: true},
		"one that is there, and one that is not": {object: owned(gone, there), allowed: true},
		"an owner of which nobody knows":         {object: owned(gone, by("example.com/v1", "App", "app", "1")), allowed: true},
		"a ConfigMap, of which few are kept":     {object: owned(by("v1", "ConfigMap", "settings", "1")), allowed: true},
		"one that it had":                        {object: set(owned(gone), "labels", map[string]any{"a": "b"}), allowed: true},
	} {
		t.Run(name, func(t *testing.T) {
			old := content(t, defaultDeny)
			if name == "one that it had" {
				old = owned(gone)
			}
			o := denying(t)
			s := with(t, defaultDeny, `{apiVersion: v1, kind: Service, metadata: {name: uid, namespace: shop, uid: "1"}, spec: {}}`)
			o.Snapshot = func() *mesh.Snapshot { return s }
			k := asked{stored: c.stored}
			k.of(&o)
			got := answer(t, New(o).Validating(), request(t, admissionv1.Update, c.object, old))
			if got.Allowed != c.allowed || !c.allowed && !strings.Contains(got.Result.Message, "the garbage collector would delete this, because its owner Service shop/") {
				t.Errorf("allowed %v: %v", got.Allowed, got.Result)
			}
			if len(k.got) != c.asks {
				t.Errorf("asked %q", k.got)
			}
		})
	}
}
