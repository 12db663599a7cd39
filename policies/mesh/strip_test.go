package mesh

import "testing"

// TestNodeOfZtunnel: of a ztunnel it is kept on which node it is, and of no other pod, as those of one owner are held once.
func TestNodeOfZtunnel(t *testing.T) {
	for app, want := range map[string]any{"ztunnel": "worker-1", "cart": nil} {
		pod := map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": app}}, "spec": map[string]any{"nodeName": "worker-1", "volumes": []any{}}}
		Strip(Pod, pod)
		if got := pod["spec"].(map[string]any)["nodeName"]; got != want {
			t.Errorf("%s: %v", app, got)
		}
	}
}
