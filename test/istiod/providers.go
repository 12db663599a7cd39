package istiod

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// providers gives the mesh external authorizers: one by gRPC, one by HTTP, and one whose Service is not
// there. The policies name them, and one more that the mesh does not know.
func (w *world) providers(ctx context.Context) error {
	maps := w.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(rootNamespace)
	o, err := maps.Get(ctx, "istio", metav1.GetOptions{})
	if err != nil {
		return err
	}
	text, _, err := unstructured.NestedString(o.Object, "data", "mesh")
	if err != nil {
		return err
	}
	mesh := m{}
	if err := yaml.Unmarshal([]byte(text), &mesh); err != nil {
		return err
	}
	mesh["extensionProviders"] = l{
		m{"name": "ext-authz", "envoyExtAuthzGrpc": m{"service": "ext-authz." + rootNamespace + ".svc.cluster.local", "port": 9000}},
		m{"name": "ext-http", "envoyExtAuthzHttp": m{"service": "ext-http." + rootNamespace + ".svc.cluster.local", "port": 9000}},
		m{"name": "ext-lost", "envoyExtAuthzGrpc": m{"service": "ext-lost." + rootNamespace + ".svc.cluster.local", "port": 9000}},
	}
	raw, err := yaml.Marshal(mesh)
	if err != nil {
		return err
	}
	if err := unstructured.SetNestedField(o.Object, string(raw), "data", "mesh"); err != nil {
		return err
	}
	_, err = maps.Update(ctx, o, metav1.UpdateOptions{})
	return err
}
