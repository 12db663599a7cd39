//go:build cluster

package admission

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/test/serving"
)

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
	t.Run("scanned and audited", w.packScanned)
	t.Run("parameters", w.packParams)
	t.Run("swapped under load", w.packSwapped)
	t.Run("restarted", func(sub *testing.T) { w.packRestarted(sub, t) })
	t.Run("deleted", w.packDeleted)
}

func (w *world) packDenies(t *testing.T) {
	w.t = t
	w.asks(ownedCheck, false)
	if err := w.storePack(inline(t, ownedFiles(t)), metav1.DryRunAll); err != nil {
		t.Fatal(err)
	}
	seen := w.watched("acme")
	if err := w.storePack(inline(t, ownedFiles(t))); err != nil {
		t.Fatal(err)
	}
	p := w.becomes("acme", v1alpha1.ReasonInForce, "1 rules are in force")
	seen.previewedFirst(t, p.Status.Revision)
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
	err := w.storePack(inline(t, ownedFiles(t, "deny contains", "which := 1 if input.object.kind\n\nwhich := 2 if input.object.kind\n\ndeny contains", "} if {", "} if {\n\twhich == 1")))
	if err == nil || !strings.Contains(err.Error(), ownedFile+":14: rule data.acme.owned.which produced conflicting values") {
		t.Errorf("a rule in conflict with itself: %v", err)
	}
	large := ownedFiles(t)
	large["acme/lib/large.rego"] = "package acme.lib.large\n" + strings.Repeat("# 5 MB of Rego\n", 5<<20/15)
	if err := w.storePack(inline(t, large)); err == nil || !apierrors.IsRequestEntityTooLargeError(err) {
		t.Errorf("5 MB of Rego: %v", err)
	}
	large["acme/lib/large.rego"] = large["acme/lib/large.rego"][:2<<20]
	if err := w.storePack(inline(t, large)); err == nil || !strings.Contains(err.Error(), "an API server stores 1500000. Make several packs.") {
		t.Errorf("more than etcd takes: %v", err)
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
	w.warnings.take()
	if err := w.storePack(back); err != nil {
		t.Fatal(err)
	}
	w.warned("in force, this adds 0 findings and removes 1 among")
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
	if p := w.becomes("mapped", v1alpha1.ReasonActivating, "in force, this adds "); p.Status.Revision != "" || p.Status.Preview == nil || !p.Status.Preview.Complete {
		t.Errorf("what was not shown to anybody is in force: %+v", p.Status)
	}
	w.asks("mapped/owned", false)
	good := w.becomes("mapped", v1alpha1.ReasonInForce, "").Status.Revision
	w.asks("mapped/owned", true)
	w.warnings.take()
	if err := w.storePack(packOf(t, "again", v1alpha1.RulePackSpec{ConfigMapRef: &v1alpha1.RulePackConfigMap{Name: "rules"}}), metav1.DryRunAll); err != nil {
		t.Error(err)
	}
	w.warned("as it is now, it would be refused: mapped/owned.rego:1:1: the rule is called mapped/owned, and mapped/* belongs to RulePack mapped.")
	if err := w.ApplyObject(t.Context(), configMap(moved(ownedFiles(t, "not labels", "labels"), "mapped"))); err != nil {
		t.Fatal(err)
	}
	w.becomes("mapped", v1alpha1.ReasonTestFailed, "mapped/owned.txtar:2:1: scenario ok-owned of mapped/owned does not hold")
	large := configMap(map[string]string{"mapped/large.rego": strings.Repeat("# 5 MB of Rego\n", 5<<20/15)})
	if err := w.ApplyObject(t.Context(), large); err == nil {
		t.Error("an API server took a ConfigMap of 5 MB")
	}
	configMaps := w.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(serving.Namespace)
	if err := configMaps.Delete(t.Context(), "rules", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.becomes("mapped", v1alpha1.ReasonSourceUnavailable, "The last good revision "+good+" stays in force.")
	w.asks("mapped/owned", true)
	if err := w.ApplyObject(t.Context(), configMap(moved(ownedFiles(t, "some other", "", "not labels", "not lables"), "mapped"))); err != nil {
		t.Fatal(err)
	}
	p := w.becomes("mapped", v1alpha1.ReasonCompileError, "mapped/owned.rego:14:")
	if c := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.RulePackReady); p.Status.Revision != good || !strings.Contains(c.Message, "The last good revision "+good+" stays in force.") {
		t.Errorf("status %+v, want revision %s", p.Status, good)
	}
	w.asks("mapped/owned", true)
	w.eventually("an Event and a metric tell of it", func() error {
		events, err := w.Dynamic.Resource(schema.GroupVersionResource{Group: "events.k8s.io", Version: "v1", Resource: "events"}).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=CompileError"})
		if err != nil || len(events.Items) != 1 || !strings.Contains(events.Items[0].Object["note"].(string), "mapped/owned.rego:14:") {
			return fmt.Errorf("events %v, %v", events, err)
		}
		for _, r := range w.replicas {
			if strings.Contains(w.metrics(r), `waywarden_rulepacks{reason="CompileError"} 1`) {
				return nil
			}
		}
		return errors.New("no metric")
	})
}

// packScanned: the command line and the audit ask what is in force, whatever stands in the source.
func (w *world) packScanned(t *testing.T) {
	w.t = t
	if err := w.create(object(t, in("play", noOp)), false); err != nil {
		t.Fatal(err)
	}
	got := w.scan()["AuthorizationPolicy play/no-op"]
	if !slices.Contains(got, "acme/owned=Warn") || !slices.Contains(got, "mapped/owned=Warn") {
		t.Errorf("a scan of the cluster finds %q", got)
	}
	w.audited("mapped/owned", true)
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
	err := w.storePack(inline(t, ownedFiles(t, "{label:", "{tag:", "params.label", "params.tag")))
	if err == nil || !strings.Contains(err.Error(), `it gives acme/owned the parameters {"label":"cost"}, and`) {
		t.Errorf("a revision that would keep a Guardrail from being applied: %v", err)
	}
	if err := w.Dynamic.Resource(v1alpha1.GroupVersion.WithResource(v1alpha1.GuardrailResource)).Delete(t.Context(), "owners", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// packRestarted: what was good is in force after a restart, although the source is broken. The new replica lives as long as the
// whole test.
func (w *world) packRestarted(t, whole *testing.T) {
	w.t = whole
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
	w.t = t
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
	w.audited("mapped/owned", false)
	w.denied(w.create(object(t, in("shop", noOp)), true), noOpField, noOpCheck) // somebody is asked
	w.asks(ownedCheck, false)
}
