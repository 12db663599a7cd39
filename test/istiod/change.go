package istiod

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/policies/mesh"
)

// aged are the kinds of which the oldest counts. An age is in seconds, and of two that are equally old
// istiod takes either, so no two in a namespace are made in the same second.
var aged = map[string]bool{"PeerAuthentication": true, "ServiceEntry": true}

// applyInTurn applies objects, those that are aged one after another.
func (w *world) applyInTurn(ctx context.Context, objects []*unstructured.Unstructured) error {
	objects, err := w.spare(ctx, objects)
	if err != nil {
		return err
	}
	var rounds [][]*unstructured.Unstructured
	seen := map[string]int{}
	rest := slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool {
		if !aged[o.GetKind()] {
			return false
		}
		key := o.GetKind() + o.GetNamespace()
		n := seen[key]
		seen[key]++
		if n == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[n] = append(rounds[n], o)
		return true
	})
	if err := w.applyAll(ctx, rest); err != nil {
		return err
	}
	for i, round := range rounds {
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
		}
		if err := w.applyAll(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

var deploymentResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

// spare leaves out istiod's Deployment where there is one: in a cluster that was given it runs, and ours has no pods.
func (w *world) spare(ctx context.Context, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	there, err := w.Dynamic.Resource(deploymentResource).Namespace(rootNamespace).List(ctx, metav1.ListOptions{LabelSelector: "app=istiod"})
	if err != nil || len(there.Items) == 0 {
		return objects, err
	}
	return slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool {
		return o.GetKind() == mesh.Deployment.String()
	}), nil
}

// applyAll applies objects: those without a namespace in order, the others a few at a time.
func (w *world) applyAll(ctx context.Context, objects []*unstructured.Unstructured) error {
	changes := make([]Change, len(objects))
	for i, o := range objects {
		changes[i] = Change{Object: o}
	}
	return w.change(ctx, changes)
}

// change makes changes, a few at a time but for those of objects without a namespace. What the API server
// does not take is counted.
func (w *world) change(ctx context.Context, changes []Change) error {
	const parallel = 6
	var first error
	var lock sync.Mutex
	var group sync.WaitGroup
	slots := make(chan struct{}, parallel)
	one := func(c Change) {
		do := w.apply
		if c.Remove {
			do = w.remove
		}
		err := do(ctx, c.Object)
		lock.Lock()
		defer lock.Unlock()
		if apierrors.IsInvalid(err) {
			w.refused++
		} else if err != nil && first == nil {
			first = err
		}
	}
	for _, c := range changes {
		if c.Object.GetNamespace() == "" {
			one(c)
			continue
		}
		slots <- struct{}{}
		group.Go(func() { one(c); <-slots })
	}
	group.Wait()
	return first
}

// apply applies an object, and its status where it brings one.
func (w *world) apply(ctx context.Context, o *unstructured.Unstructured) error {
	status, has := o.Object["status"]
	o = o.DeepCopy()
	delete(o.Object, "status")
	if err := w.ApplyObject(ctx, o); err != nil || !has {
		return err
	}
	o.Object["status"] = status
	delete(o.Object, "spec")
	_, err := w.Dynamic.Resource(schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}).
		Namespace(o.GetNamespace()).ApplyStatus(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: "waywarden-test", Force: true})
	return err
}

// remove deletes an object, if it is there.
func (w *world) remove(ctx context.Context, o *unstructured.Unstructured) error {
	kind, ok := mesh.KindOf(o.GetAPIVersion(), o.GetKind())
	if !ok {
		return fmt.Errorf("delete %s: no kind that is known here", o.GetKind())
	}
	gvk := o.GroupVersionKind()
	r := schema.GroupVersionResource{Group: gvk.Group, Version: gvk.Version, Resource: kind.Resource()}
	err := w.Dynamic.Resource(r).Namespace(o.GetNamespace()).Delete(ctx, o.GetName(), metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// carryOut makes what a round says of a mesh.
func (w *world) carryOut(ctx context.Context, r Round) error {
	for _, ns := range r.Reborn {
		if err := w.Dynamic.Resource(namespaceResource).Delete(ctx, ns, metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	if err := w.change(ctx, r.Changes); err != nil {
		return err
	}
	for _, ns := range r.Reborn {
		if err := w.gone(ctx, ns); err != nil {
			return err
		}
	}
	return w.applyInTurn(ctx, r.Returning)
}

var namespaceResource = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

// gone waits until a Namespace is deleted.
func (w *world) gone(ctx context.Context, ns string) error {
	for start := time.Now(); ; {
		_, err := w.Dynamic.Resource(namespaceResource).Get(ctx, ns, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil && time.Since(start) > time.Minute {
			err = fmt.Errorf("delete Namespace %s: it is still there after a minute", ns)
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
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
		o.SetAnnotations(map[string]string{"example.com/touched": time.Now().Format(time.RFC3339)})
		if _, err := w.Dynamic.Resource(r).Namespace(o.GetNamespace()).Update(ctx, o, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return nil
}
