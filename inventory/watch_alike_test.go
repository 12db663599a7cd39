package inventory

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestNamesOfPodsThatStandForThemselves: rules ask for the workloads of an object by its name, and are asked of pods that no owner
// stands for. Of others a name would keep siblings from sharing their content.
func TestNamesOfPodsThatStandForThemselves(t *testing.T) {
	for name, c := range map[string]struct {
		owner string // its kind; "" for none
		want  any
	}{
		"bare":                  {"", "cart-1"},
		"of a node":             {"Node", "cart-1"},
		"of what is not read":   {"Rollout", "cart-1"},
		"of a ReplicaSet":       {"ReplicaSet", nil},
		"of what makes its own": {"DaemonSet", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			content := pod("shop", "cart", 1, "10.0.0.1")
			metadata := content["metadata"].(fields)
			metadata["name"] = "cart-1"
			delete(metadata, "ownerReferences")
			if c.owner != "" {
				metadata["ownerReferences"] = []any{fields{"apiVersion": "apps/v1", "kind": c.owner, "name": "cart", "uid": "u"}}
			}
			w.mirror.serve(w.discovered())
			kept := w.feed(w.served[groupResource(mesh.Pod)]).item(raw(content)).object.Content()
			got := kept["metadata"].(map[string]any)
			if diff := cmp.Diff(c.want, got["name"]); diff != "" || got["namespace"] != "shop" {
				t.Errorf("%v (-want +got):\n%s", got, diff)
			}
			if _, itself := kept["spec"]; itself != (c.want != nil) {
				t.Errorf("it is kept with its spec: %t", itself)
			}
		})
	}
}
