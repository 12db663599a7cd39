//go:build cluster

package watch

import (
	"context"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/cluster"
)

// TestMarks: of what a writer needs to know of objects a watch tells what the API server holds: versions, and what a field
// manager owns, as it changes hands.
func TestMarks(t *testing.T) {
	c := cluster.Start(t)
	live, err := inventory.Watch(c.Config, inventory.WatchOptions{Manager: "us"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- live.Start(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	if err := live.WaitForSync(ctx); err != nil {
		t.Fatal(err)
	}
	services := c.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "services"}).Namespace("default")
	apply := func(manager, manifest string) *unstructured.Unstructured {
		t.Helper()
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(manifest), &o.Object); err != nil {
			t.Fatal(err)
		}
		out, err := services.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: manager, Force: true})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	ref := mesh.Ref{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "marked"}
	is := func(what string, managed bool, labels []string, version string) {
		t.Helper()
		var snapshot *mesh.Snapshot
		var marks map[mesh.Ref]inventory.Mark
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			snapshot, marks, _ = live.Marked()
			if marks[ref].Version == version {
				break
			}
		}
		m, ok := marks[ref]
		if m.Version != version || ok != (version != "") || m.Managed != managed || !slices.Equal(m.Labels, labels) {
			t.Errorf("%s: %+v, want version %s, managed %v, labels %v", what, m, version, managed, labels)
		}
		if got, owns := live.Managed()[ref]; owns != managed || !slices.Equal(got, labels) {
			t.Errorf("%s: managed %v, with labels %v", what, owns, got)
		}
		if stored := snapshot.Get(mesh.Service, "default", "marked"); (stored != nil) != ok {
			t.Errorf("%s: marks and Snapshot are of different moments", what)
		}
	}
	o := apply("them", `{apiVersion: v1, kind: Service, metadata: {name: marked, labels: {a: theirs}}, spec: {ports: [{port: 80}]}}`)
	is("somebody else's", false, nil, o.GetResourceVersion())
	o = apply("us", `{apiVersion: v1, kind: Service, metadata: {name: marked, labels: {b: ours, c: ours}}}`)
	is("labels of ours", true, []string{"b", "c"}, o.GetResourceVersion())
	o = apply("them", `{apiVersion: v1, kind: Service, metadata: {name: marked, labels: {a: theirs, b: theirs}}, spec: {ports: [{port: 80}]}}`)
	is("one is taken over", true, []string{"c"}, o.GetResourceVersion())
	o = apply("us", `{apiVersion: v1, kind: Service, metadata: {name: marked}}`)
	is("given up", false, nil, o.GetResourceVersion())
	o = apply("us", `{apiVersion: v1, kind: Service, metadata: {name: marked, annotations: {x: ours}}}`)
	is("an annotation of ours", true, nil, o.GetResourceVersion())
	if err := services.Delete(ctx, "marked", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	is("gone", false, nil, "")
}
