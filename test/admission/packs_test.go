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
	out := &v1alpha1.RulePack{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, out); err != nil {
		w.t.Fatal(err)
	}
	return out
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

// TestPacks goes through the life of packs of rules, with two replicas.
func TestPacks(t *testing.T) {
	w := start(t, 2)
	w.shop()
	w.apply(production)
	w.deniesNow()
	t.Run("a pack denies", w.packDenies)
	t.Run("what is broken is refused", w.packRefused)
	t.Run("a preview", w.packPreviewed)
	t.Run("rolled back", w.packRolledBack)
	t.Run("a group belongs to one pack", w.packConflict)
	t.Run("from a ConfigMap", w.packMapped)
	t.Run("parameters", w.packParams)
	t.Run("swapped under load", w.packSwapped)
	t.Run("restarted", w.packRestarted)
	t.Run("deleted", w.packDeleted)
}

func (w *world) packDenies(t *testing.T) {
	w.t = t
	w.asks(ownedCheck, false)
	if err := w.storePack(inline(t, ownedFiles(t)), metav1.DryRunAll); err != nil {
		t.Fatal(err)
	}
	if err := w.storePack(inline(t, ownedFiles(t))); err != nil {
		t.Fatal(err)
	}
	p := w.becomes("acme", v1alpha1.ReasonInForce, "1 rules are in force")
	w.asks(ownedCheck, true)
	w.denied(w.create(object(t, guard), true), "metadata.labels", ownedCheck)
	if len(p.Status.Rules) != 1 || p.Status.Rules[0] != (v1alpha1.RulePackRule{ID: ownedCheck, Title: "A policy of nobody", Severity: "high"}) ||
		len(p.Status.History) != 1 || p.Status.History[0].Revision != p.Status.Revision || p.Status.Preview == nil || !p.Status.Preview.Complete {
		t.Errorf("status %+v", p.Status)
	}
}

// refusedAt fails the test unless an error names a file of a pack, with line and column.
func (w *world) refusedAt(err error, place string) {
	w.t.Helper()
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Code != 422 || status.Status().Details == nil {
		w.t.Fatalf("not refused: %v", err)
	}
	for _, c := range status.Status().Details.Causes {
		if c.Field == v1alpha1.ModuleField(ownedFile) && strings.HasPrefix(c.Message, place) {
			return
		}
	}
	w.t.Errorf("no cause at %s in %+v", place, status.Status().Details.Causes)
}

func (w *world) packRefused(t *testing.T) {
	w.t = t
	was := w.pack("acme")
	w.refusedAt(w.storePack(inline(t, ownedFiles(t, `"labels", {}`, `"lables", {`))), ownedFile+":13:")
	w.refusedAt(w.storePack(inline(t, ownedFiles(t, "input.object.metadata", "input.object.metdata"))), ownedFile+":13:")
	if err := w.storePack(inline(t, ownedFiles(t, "not labels", "labels"))); err == nil || !strings.Contains(err.Error(), "scenario ok-owned of acme/owned does not hold") {
		t.Errorf("a pack whose scenarios do not hold: %v", err)
	}
	if err := w.storePack(inline(t, moved(ownedFiles(t), "zerotrust"))); err == nil || !strings.Contains(err.Error(), "packages below zerotrust are the library's own") {
		t.Errorf("a pack under the library's name: %v", err)
	}
	if is := w.pack("acme"); is.ResourceVersion != was.ResourceVersion {
		t.Errorf("what was refused left something behind: %+v", is)
	}
	w.asks(ownedCheck, true)
}

func (w *world) packPreviewed(t *testing.T) {
	w.t = t
	labelled := object(t, guard)
	labelled.SetLabels(map[string]string{"team": "cart"})
	if err := w.create(labelled, false); err != nil {
		t.Fatal(err)
	}
	w.eventually("the preview counts the policy", func() error {
		w.warnings.take()
		if err := w.storePack(inline(t, ownedFiles(t, "team", "owner")), metav1.DryRunAll); err != nil {
			return err
		}
		for _, text := range w.warnings.take() {
			if strings.Contains(text, "adds 1 findings and removes 0 among") {
				return nil
			}
		}
		return errors.New("no such warning")
	})
	if err := w.storePack(inline(t, ownedFiles(t, "team", "owner"))); err != nil {
		t.Fatal(err)
	}
	w.eventually("the status tells of it", func() error {
		if p := w.pack("acme"); len(p.Status.History) != 2 || p.Status.Preview.Adds != 1 || p.Status.Preview.Removes != 0 || len(p.Status.Preview.Examples) != 1 {
			return fmt.Errorf("status %+v", p.Status)
		}
		return nil
	})
	w.denied(w.create(renamed(labelled, "other"), true), "metadata.labels", ownedCheck)
}

func renamed(o *unstructured.Unstructured, name string) *unstructured.Unstructured {
	out := o.DeepCopy()
	out.SetName(name)
	return out
}

// packRolledBack puts the first revision in force again, and takes nothing that is not kept.
func (w *world) packRolledBack(t *testing.T) {
	w.t = t
	first := w.pack("acme").Status.History[1].Revision
	back := packOf(t, "acme", v1alpha1.RulePackSpec{Modules: ownedFiles(t, "team", "owner"), RollbackTo: "sha256:" + strings.Repeat("0", 64)})
	if err := w.storePack(back); err == nil || !strings.Contains(err.Error(), "is not kept. Name one of status.history: ") {
		t.Errorf("a revision that nobody knows: %v", err)
	}
	back = packOf(t, "acme", v1alpha1.RulePackSpec{Modules: ownedFiles(t, "team", "owner"), RollbackTo: first})
	if err := w.storePack(back); err != nil {
		t.Fatal(err)
	}
	w.becomes("acme", v1alpha1.ReasonRolledBack, first)
	labelled := object(t, guard)
	labelled.SetLabels(map[string]string{"team": "cart"})
	w.eventually("the first revision judges", func() error { return w.create(renamed(labelled, "other"), true) })
	if err := w.storePack(inline(t, ownedFiles(t))); err != nil {
		t.Fatal(err)
	}
	w.becomes("acme", v1alpha1.ReasonInForce, first)
}

func (w *world) packConflict(t *testing.T) {
	w.t = t
	for _, group := range []string{"acme", "effect"} {
		err := w.storePack(packOf(t, "second", v1alpha1.RulePackSpec{Modules: moved(ownedFiles(t), group)}))
		if err == nil || !strings.Contains(err.Error(), group+"/* belongs to ") {
			t.Errorf("rules called %s/…: %v", group, err)
		}
	}
}

func configMap(files map[string]string) *unstructured.Unstructured {
	data := map[string]any{}
	for name, text := range files {
		data[strings.ReplaceAll(name, "/", ".")] = text
	}
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": data,
		"metadata": map[string]any{"name": "rules", "namespace": serving.Namespace}}}
}

// packMapped: what a ConfigMap holds is followed, and refused where it is broken; the last good revision stays.
func (w *world) packMapped(t *testing.T) {
	w.t = t
	if err := w.storePack(packOf(t, "mapped", v1alpha1.RulePackSpec{ConfigMapRef: &v1alpha1.RulePackConfigMap{Name: "rules"}})); err != nil {
		t.Fatal(err)
	}
	w.becomes("mapped", v1alpha1.ReasonSourceUnavailable, "ConfigMap waywarden-system/rules does not exist")
	if err := w.ApplyObject(t.Context(), configMap(moved(ownedFiles(t), "mapped"))); err != nil {
		t.Fatal(err)
	}
	good := w.becomes("mapped", v1alpha1.ReasonInForce, "").Status.Revision
	w.asks("mapped/owned", true)
	if err := w.ApplyObject(t.Context(), configMap(moved(ownedFiles(t, "some other", "", "not labels", "not lables"), "mapped"))); err != nil {
		t.Fatal(err)
	}
	p := w.becomes("mapped", v1alpha1.ReasonCompileError, "mapped/owned.rego:14:")
	if c := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.RulePackReady); p.Status.Revision != good || !strings.Contains(c.Message, "The last good revision "+good+" stays in force.") {
		t.Errorf("status %+v, want revision %s", p.Status, good)
	}
	w.asks("mapped/owned", true)
}

// packParams: what Guardrails give to a rule is held to the schema of the revision in force.
func (w *world) packParams(t *testing.T) {
	w.t = t
	rail := func(params string) string {
		return "apiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: owners}\nspec:\n  checks:\n  - {ids: [acme/owned], action: Deny, params: " + params + "}\n"
	}
	if err := w.Apply(t.Context(), []byte(rail("{lable: team}"))); err == nil || !strings.Contains(err.Error(), "spec.checks[0].params") {
		t.Errorf("a parameter that the rule does not take: %v", err)
	}
	w.apply(rail("{label: cost}"))
	labelled := object(t, guard)
	labelled.SetLabels(map[string]string{"team": "cart"})
	w.eventually("the parameter counts", func() error {
		if err := w.create(renamed(labelled, "other"), true); err == nil || !strings.Contains(err.Error(), "it has no label cost") {
			return fmt.Errorf("the answer: %v", err)
		}
		return nil
	})
	if err := w.Dynamic.Resource(v1alpha1.GroupVersion.WithResource(v1alpha1.GuardrailResource)).Delete(t.Context(), "owners", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// packSwapped: while one revision after another takes the place of the one before, every request is answered, and by one of them.
func (w *world) packSwapped(t *testing.T) {
	w.t = t
	good := object(t, guard)
	good.SetName("swapped")
	good.SetLabels(map[string]string{"team": "cart", "owner": "cart"})
	l := w.loadOf(good)
	half := good.DeepCopy()
	half.SetLabels(map[string]string{"team": "cart"})
	for i := range 12 {
		label := []string{"owner", "team"}[i%2]
		if err := w.storePack(inline(t, ownedFiles(t, "label: {type: string, default: team}", "label: {type: string, default: "+label+"}", "labels: {team:", "labels: {"+label+":", "no label team", "no label "+label))); err != nil {
			t.Fatal(err)
		}
		w.becomes("acme", v1alpha1.ReasonInForce, "")
		w.eventually("the revision judges", func() error {
			err := w.create(half, true)
			if label == "owner" && (err == nil || !strings.Contains(err.Error(), "it has no label owner.")) || label == "team" && err != nil {
				return fmt.Errorf("by the label %s: %v", label, err)
			}
			return nil
		})
	}
	l.end(t)
}

// packRestarted: what was good is in force after a restart, although the source is broken.
func (w *world) packRestarted(t *testing.T) {
	w.t = t
	file, err := serving.Built()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range w.replicas {
		w.balancer.Remove(r.Addr)
		r.Kill()
	}
	w.replicas = nil
	w.add(file)
	w.asks("mapped/owned", true) // it is ready, so it knows what is in force
	w.becomes("mapped", v1alpha1.ReasonCompileError, "mapped/owned.rego:14:")
}

func (w *world) packDeleted(t *testing.T) {
	w.t = t
	for _, name := range []string{"acme", "mapped"} {
		if err := w.Dynamic.Resource(v1alpha1.GroupVersion.WithResource(v1alpha1.RulePackResource)).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w.asks("mapped/owned", false)
	w.asks(ownedCheck, false)
}
