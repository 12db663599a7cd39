package istiod

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// providers gives the mesh external authorizers: one by gRPC, one by HTTP, and one whose Service is not
// there. The policies name them, and one more that the mesh does not know. restore gives the mesh back those that it
// had: a cluster that was given outlives the test.
func (w *world) providers(ctx context.Context) (restore func(context.Context) error, err error) {
	had, err := w.configure(ctx, func(text string) (string, error) {
		mesh := m{}
		if err := yaml.Unmarshal([]byte(text), &mesh); err != nil {
			return "", err
		}
		mesh["extensionProviders"] = l{
			m{"name": "ext-authz", "envoyExtAuthzGrpc": m{"service": "ext-authz." + rootNamespace + ".svc.cluster.local", "port": 9000}},
			m{"name": "ext-http", "envoyExtAuthzHttp": m{"service": "ext-http." + rootNamespace + ".svc.cluster.local", "port": 9000}},
			m{"name": "ext-lost", "envoyExtAuthzGrpc": m{"service": "ext-lost." + rootNamespace + ".svc.cluster.local", "port": 9000}},
		}
		raw, err := yaml.Marshal(mesh)
		return string(raw), err
	})
	return func(ctx context.Context) error {
		_, err := w.configure(ctx, func(string) (string, error) { return had, nil })
		return err
	}, err
}

// configure edits the mesh configuration, and returns what it was.
func (w *world) configure(ctx context.Context, edit func(string) (string, error)) (had string, err error) {
	maps := w.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(rootNamespace)
	o, err := maps.Get(ctx, "istio", metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	had, _, err = unstructured.NestedString(o.Object, "data", "mesh")
	if err != nil {
		return "", err
	}
	text, err := edit(had)
	if err != nil {
		return "", err
	}
	if err := unstructured.SetNestedField(o.Object, text, "data", "mesh"); err != nil {
		return "", err
	}
	_, err = maps.Update(ctx, o, metav1.UpdateOptions{})
	return had, err
}
