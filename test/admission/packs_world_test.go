//go:build cluster

package admission

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/test/serving"
)

const (
	ownedCheck = "acme/owned"
	ownedFile  = "acme/owned.rego"
)

// ownedFiles are the files of the pack in testdata, as they are or with other words.
func ownedFiles(t *testing.T, words ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range []string{ownedFile, "acme/owned.txtar"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "packs", name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = strings.NewReplacer(words...).Replace(string(raw))
	}
	return out
}

// moved are files under another group.
func moved(files map[string]string, group string) map[string]string {
	out := map[string]string{}
	for name, text := range files {
		out[strings.Replace(name, "acme", group, 1)] = strings.ReplaceAll(text, "package acme.", "package "+group+".")
	}
	return out
}

func packOf(t *testing.T, name string, spec v1alpha1.RulePackSpec) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha1.RulePack{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.RulePackKind}, ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	unstructured.RemoveNestedField(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	return &unstructured.Unstructured{Object: content}
}

func inline(t *testing.T, files map[string]string) *unstructured.Unstructured {
	return packOf(t, "acme", v1alpha1.RulePackSpec{Modules: files})
}

// storePack creates or replaces a pack.
func (w *world) storePack(o *unstructured.Unstructured, dryRun ...string) error {
	packs := w.Dynamic.Resource(v1alpha1.GroupVersion.WithResource(v1alpha1.RulePackResource))
	stored, err := packs.Get(w.t.Context(), o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = packs.Create(w.t.Context(), o, metav1.CreateOptions{DryRun: dryRun})
		return err
	}
	if err != nil {
		return err
	}
	next := stored.DeepCopy()
	next.Object["spec"] = o.Object["spec"]
	_, err = packs.Update(w.t.Context(), next, metav1.UpdateOptions{DryRun: dryRun})
	return err
}

func (w *world) pack(name string) *v1alpha1.RulePack {
	w.t.Helper()
	o, err := w.Dynamic.Resource(v1alpha1.GroupVersion.WithResource(v1alpha1.RulePackResource)).Get(w.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := packIn(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func packIn(o runtime.Object) (*v1alpha1.RulePack, error) {
	out := &v1alpha1.RulePack{}
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("it is a %T", o)
	}
	return out, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out)
}

// becomes waits until a pack is Ready for a reason, or is not for one, with a message that holds some words.
func (w *world) becomes(name, reason, words string) *v1alpha1.RulePack {
	w.t.Helper()
	var p *v1alpha1.RulePack
	w.eventually("RulePack "+name+" becomes "+reason, func() error {
		p = w.pack(name)
		c := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.RulePackReady)
		if c == nil || c.Reason != reason || c.ObservedGeneration != p.Generation || !strings.Contains(c.Message, words) {
			return fmt.Errorf("condition %+v, generation %d", c, p.Generation)
		}
		return nil
	})
	return p
}

// asks waits until every replica denies what a rule of a pack finds, or until none does.
func (w *world) asks(check string, want bool) {
	w.t.Helper()
	bare := object(w.t, guard)
	w.eventually(fmt.Sprintf("%s is asked: %v", check, want), func() error {
		for range 3 * len(w.replicas) { // the balancer takes turns
			err := w.create(bare, true)
			if denied := err != nil && strings.Contains(err.Error(), "["+check+"]"); denied != want {
				return fmt.Errorf("the answer: %v", err)
			}
		}
		return nil
	})
}

func configMap(files map[string]string) *unstructured.Unstructured {
	data := map[string]any{}
	for name, text := range files {
		data[strings.ReplaceAll(name, "/", ".")] = text
	}
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": data,
		"metadata": map[string]any{"name": "rules", "namespace": serving.Namespace}}}
}

// audited waits until the audit finds something by a check, or nothing any more.
func (w *world) audited(check string, want bool) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("the audit finds something by %s: %v", check, want), func() error {
		found := false
		for _, r := range w.replicas {
			found = found || strings.Contains(w.metrics(r), `waywarden_findings{action="Warn",check="`+check+`",severity="high"} `)
		}
		if found != want {
			return errors.New("not so")
		}
		return nil
	})
}
