package istiod

import (
	"context"
	"math/rand/v2"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/policies/mesh"
)

// edited are the kinds whose objects take over the labels, annotations and spec of another of the kind.
var edited = map[string]bool{
	"Namespace": true, "AuthorizationPolicy": true, "PeerAuthentication": true, "Service": true, "ServiceEntry": true,
	"WorkloadEntry": true, "Gateway": true, "HTTPRoute": true, "GRPCRoute": true, "TCPRoute": true, "TLSRoute": true,
}

// Edit says what becomes of a mesh: which objects to write again, as others of their kind are, and which to delete.
func Edit(seed uint64, objects []*unstructured.Unstructured) (write, remove []*unstructured.Unstructured) {
	r := rand.New(rand.NewPCG(seed, 1))
	byKind := map[string][]*unstructured.Unstructured{}
	for _, o := range objects {
		byKind[o.GetKind()] = append(byKind[o.GetKind()], o)
	}
	for _, o := range objects {
		same := byKind[o.GetKind()]
		switch n := r.IntN(10); {
		case !edited[o.GetKind()]:
		case n == 0 && o.GetKind() != "Namespace":
			remove = append(remove, o)
		case n < 4:
			write = append(write, like(o, same[r.IntN(len(same))]))
		}
	}
	return write, remove
}

// like is o with the content of another.
func like(o, other *unstructured.Unstructured) *unstructured.Unstructured {
	out := other.DeepCopy()
	out.SetName(o.GetName())
	out.SetNamespace(o.GetNamespace())
	delete(out.Object, "status")
	return out
}

// removeAll deletes objects.
func (w *world) removeAll(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		kind, ok := mesh.KindOf(o.GetAPIVersion(), o.GetKind())
		if !ok {
			continue
		}
		r := schema.GroupVersionResource{Group: o.GroupVersionKind().Group, Version: o.GroupVersionKind().Version, Resource: kind.Resource()}
		err := w.Dynamic.Resource(r).Namespace(o.GetNamespace()).Delete(ctx, o.GetName(), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// touch writes every PeerAuthentication again, so that istiod converts it with the parents that are
// there now.
func (w *world) touch(ctx context.Context) error {
	r := schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "peerauthentications"}
	list, err := w.Dynamic.Resource(r).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		o := &list.Items[i]
		o.SetAnnotations(map[string]string{"example.com/touched": "yes"})
		if _, err := w.Dynamic.Resource(r).Namespace(o.GetNamespace()).Update(ctx, o, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return nil
}
