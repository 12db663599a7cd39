//go:build cluster

package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/waywarden/waywarden/policies/mesh"
)

// orders is in how many orders the directory is applied.
const orders = 24

// TestAnyOrder applies a directory in many orders while the Guardrail denies: nothing is denied that only waits for the rest,
// and what is wrong is denied all the same when everything is there.
//
// No kubectl is needed, because what it sends stands for it: for each file in turn, one server-side apply, as `kubectl apply
// --server-side` does, or, in every second order, one create with the annotation kubectl.kubernetes.io/last-applied-configuration,
// as without that flag. What the API server refuses because its namespace is not there yet is sent again, as by whoever
// repeats the command.
func TestAnyOrder(t *testing.T) {
	w := installed(t)
	w.shop()
	w.apply(production)
	w.deniesNow()
	parts := strings.Split(shop+"\n---\n"+guard, "\n---\n")
	random := rand.New(rand.NewPCG(7, 7))
	for i := range orders {
		order := random.Perm(len(parts))
		if i == 0 {
			slices.Sort(order)
			slices.Reverse(order) // the policy first of all
		}
		var files []*unstructured.Unstructured
		for _, n := range order {
			part := strings.NewReplacer("shop", fmt.Sprintf("shop%d", i), "play", fmt.Sprintf("play%d", i), "10.96.100.1", fmt.Sprintf("10.96.101.%d", i+1)).Replace(parts[n])
			files = append(files, object(t, part))
		}
		for pass := 0; len(files) > 0; pass++ {
			if pass > 1 {
				t.Fatalf("order %v: %d files are never taken", order, len(files))
			}
			files = w.applied(files, i%2 == 1, fmt.Sprint("order ", order))
		}
		w.eventually("the Guardrail denies there too", func() error {
			err := w.create(object(t, in(fmt.Sprintf("shop%d", i), noOp)), true)
			if err == nil {
				return errors.New("admitted")
			}
			w.denied(err, noOpField, noOpCheck)
			return nil
		})
	}
}

// applied sends files one after another, and returns those whose namespace is not there.
func (w *world) applied(files []*unstructured.Unstructured, clientSide bool, order string) (left []*unstructured.Unstructured) {
	w.t.Helper()
	for _, o := range files {
		send := func() error { return w.ApplyObject(w.t.Context(), o) }
		if clientSide && o.GetKind() != "Namespace" { // those are noted, and taken away at the end from a cluster that was given
			send = func() error {
				raw, err := json.Marshal(o)
				if err != nil {
					return err
				}
				noted := o.DeepCopy()
				noted.SetAnnotations(map[string]string{mesh.LastApplied: string(raw)})
				return w.create(noted, false)
			}
		}
		switch err := send(); {
		case apierrors.IsNotFound(err):
			left = append(left, o)
		case err != nil:
			w.t.Errorf("%s, %s %s: %v", order, o.GetKind(), o.GetName(), err)
		}
	}
	return left
}
