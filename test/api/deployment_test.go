//go:build cluster

package api

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/test/cluster"
)

// istiods are cases that istiod refuses, or that would take a waypoint's pods from it: an API server would take them, or is never asked, or
// refuses the pods only.
var istiods = []string{"name.yaml", "namespace.yaml", "finalizers.yaml", "owners.yaml", "kind.yaml", "bad-directive.yaml", "uncomparable.yaml", "without-merge-key.yaml", "pod-label.yaml", "identity.yaml",
	"without-proxy.yaml", "replicas-twice.yaml", "label-of-istio.yaml", "annotation-of-istio.yaml", "selector.yaml",
	"recreate-alone.yaml", "generation.yaml", "metadata-null.yaml", "no-replicas.yaml", "replicas-null.yaml", "captured.yaml", "capture-unsaid.yaml", "injected.yaml", "revision.yaml", "class.yaml",
	"stamp.yaml", "no-annotations.yaml", "annotations-go.yaml", "spread-key-twice.yaml", "spread-key-selected.yaml"}

// TestDeployments: of what profiles make of a waypoint's Deployment an API server takes and refuses what we say it does.
func TestDeployments(t *testing.T) {
	c := cluster.Start(t)
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	deployments := client.Resource(appsv1.SchemeGroupVersion.WithResource("deployments")).Namespace("default")
	asked := 0
	for _, name := range []string{"render.txtar", "refused.txtar"} {
		a, err := txtar.ParseFile("../../api/parameters/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if slices.Contains(istiods, f.Name) {
				continue
			}
			text, _, _ := strings.Cut(string(f.Data), "=>\n")
			var spec v1alpha1.WaypointProfileSpec
			if err := yaml.UnmarshalStrict([]byte(text), &spec); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			made, err := deployed(&spec)
			if err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			o := &unstructured.Unstructured{Object: made}
			o.SetNamespace("default")
			o.SetOwnerReferences(nil)
			_, err = deployments.Apply(t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "istiod", Force: true, DryRun: []string{metav1.DryRunAll}})
			if asked++; (err == nil) != (name == "render.txtar") {
				t.Errorf("%s of %s: the API server says %v", f.Name, name, err)
			}
		}
	}
	if asked < 25 {
		t.Errorf("it was asked about %d only", asked)
	}
}
