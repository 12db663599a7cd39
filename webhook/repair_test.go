package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// repairingAll repairs whatever can be repaired, however little it matters.
func repairingAll(t testing.TB, s *mesh.Snapshot) *Admission {
	g := guardrail(v1alpha1.Deny, v1alpha1.FixAdmission)
	g.Spec.Checks[0].MinSeverity = ""
	return New(options(s, rulebook(t, []*v1alpha1.Guardrail{g})))
}

// repaired is an object after the mutating phase, and the operations that made it so.
func repaired(t *testing.T, a *Admission, object, old map[string]any) (map[string]any, []policies.Op) {
	t.Helper()
	operation := admissionv1.Create
	if old != nil {
		operation = admissionv1.Update
	}
	r := request(t, operation, object, old)
	got := answer(t, a.Mutating(), r)
	fits(t, got.Warnings)
	if len(got.Patch) == 0 {
		return object, nil
	}
	var ops []policies.Op
	if err := json.Unmarshal(got.Patch, &ops); err != nil {
		t.Fatal(err)
	}
	for i, op := range ops { // each on the object as it is by then
		before := object
		if i > 0 {
			raw, _ := json.Marshal(ops[:i])
			before = asMap(t, applied(t, r.Object.Raw, raw))
		}
		if _, list := at(before, op.Path).([]any); list && op.Op == "replace" {
			t.Errorf("%v replaces a list as a whole", op)
		}
	}
	return asMap(t, applied(t, r.Object.Raw, got.Patch)), ops
}

func asMap(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// union is what server-side apply makes of a stored object and a file: what the file says, and what is stored besides.
func union(stored, file map[string]any) map[string]any {
	out := maps.Clone(stored)
	for k, v := range file {
		old, was := out[k].(map[string]any)
		fresh, is := v.(map[string]any)
		if was && is {
			out[k] = union(old, fresh)
			continue
		}
		out[k] = v
	}
	return out
}

// TestRepairScenarios repairs every object of every scenario: once and for all, with nothing lost that no fix knows of, and
// with the same end when the file is applied again over what was repaired.
func TestRepairScenarios(t *testing.T) {
	count := 0
	for _, f := range scenarios(t) {
		for _, c := range f.Cases {
			for i, o := range c.Objects {
				a := repairingAll(t, c.Snapshot)
				original := asMap(t, mustJSON(t, o.Content()))
				original["future"] = map[string]any{"kept": []any{"a", 1.0}}
				first, ops := repaired(t, a, original, nil)
				if len(ops) == 0 {
					continue
				}
				count++
				t.Run(fmt.Sprintf("%s/%s/%d", f.Name, c.Name, i), func(t *testing.T) {
					if diff := cmp.Diff(original["future"], first["future"]); diff != "" {
						t.Errorf("a field that nobody knows is changed:\n%s", diff)
					}
					if _, again := repaired(t, a, first, original); len(again) > 0 {
						t.Errorf("repaired by %v, and again by %v", ops, again)
					}
					next, err := mesh.Decode(first)
					if err != nil {
						t.Fatal(err)
					}
					stored := repairingAll(t, c.Snapshot.With(next))
					applied := union(first, original)
					if cmp.Equal(applied["spec"], first["spec"]) {
						return
					}
					second, _ := repaired(t, stored, applied, first)
					if diff := cmp.Diff(first, second); diff != "" {
						t.Errorf("repaired by %v; applied again it ends otherwise (-repaired +again):\n%s", ops, diff)
					}
				})
			}
		}
	}
	t.Logf("%d objects are repaired", count)
	if count < 30 {
		t.Errorf("%d objects are repaired: too few to show anything", count)
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestNoRepair: what is left for its author is not changed, and where there is a patch it is told.
func TestNoRepair(t *testing.T) {
	managed := func(manager, operation string) map[string]any {
		return set(content(t, noOp), "managedFields", []any{map[string]any{"manager": manager, "operation": operation, "fieldsType": "FieldsV1",
			"fieldsV1": map[string]any{"f:spec": map[string]any{"f:selector": map[string]any{}}}}})
	}
	annotated := func(a map[string]any) map[string]any { return set(content(t, noOp), "annotations", a) }
	instance := func(label, release string) map[string]any {
		o := set(content(t, noOp), "labels", map[string]any{"app.kubernetes.io/instance": label, "app.kubernetes.io/managed-by": "Helm"})
		if release != "" {
			o = set(o, "annotations", map[string]any{"meta.helm.sh/release-name": release})
		}
		return o
	}
	for name, c := range map[string]struct {
		object  map[string]any
		manager string
		fix     v1alpha1.Fix
		warns   string // "" where it is repaired, or nothing is said
		repairs bool
	}{
		"nothing in the way":         {object: content(t, noOp), fix: v1alpha1.FixAdmission, repairs: true},
		"never":                      {object: content(t, noOp), fix: v1alpha1.FixNever},
		"Argo CD, by annotation":     {object: annotated(map[string]any{"argocd.argoproj.io/tracking-id": "x"}), fix: v1alpha1.FixAdmission, warns: "Argo CD keeps it"},
		"Argo CD, by label":          {object: set(content(t, noOp), "labels", map[string]any{"argocd.argoproj.io/instance": "x"}), fix: v1alpha1.FixAdmission, warns: "Argo CD keeps it"},
		"Argo CD, before 3.0":        {object: instance("x", ""), fix: v1alpha1.FixAdmission, warns: "label app.kubernetes.io/instance says that Argo CD may keep it as it is in Git"},
		"a release of Helm":          {object: instance("x", "x"), fix: v1alpha1.FixAdmission, repairs: true},
		"Argo CD, once of Helm":      {object: instance("x", "y"), fix: v1alpha1.FixAdmission, warns: "Argo CD may keep it"},
		"an instance without a name": {object: instance("", ""), fix: v1alpha1.FixAdmission, repairs: true},
		"Flux Kustomization":         {object: set(content(t, noOp), "labels", map[string]any{"kustomize.toolkit.fluxcd.io/name": "x"}), fix: v1alpha1.FixAdmission, warns: "Flux keeps it"},
		"Flux Helm release":          {object: set(content(t, noOp), "labels", map[string]any{"helm.toolkit.fluxcd.io/name": "x"}), fix: v1alpha1.FixAdmission, warns: "Flux keeps it"},
		"Argo CD, opted in":          {object: annotated(map[string]any{"argocd.argoproj.io/tracking-id": "x", FixAnnotation: "Admission"}), fix: v1alpha1.FixAdmission, repairs: true},
		"opted in by another word":   {object: annotated(map[string]any{"argocd.argoproj.io/tracking-id": "x", FixAnnotation: "true"}), fix: v1alpha1.FixAdmission, warns: "Argo CD keeps it"},
		"another manager applies":    {object: managed("ci", "Apply"), manager: "kubectl", fix: v1alpha1.FixAdmission, warns: "ci applies spec.selector"},
		"nobody says who writes":     {object: managed("ci", "Apply"), fix: v1alpha1.FixAdmission, warns: "ci applies spec.selector"},
		"a manager without a name":   {object: managed("", "Apply"), fix: v1alpha1.FixAdmission, warns: "applies spec.selector"},
		"the writer applies":         {object: managed("ci", "Apply"), manager: "ci", fix: v1alpha1.FixAdmission, repairs: true},
		"another manager updated":    {object: managed("ci", "Update"), manager: "kubectl", fix: v1alpha1.FixAdmission, repairs: true},
		"managedFields of no shape":  {object: set(content(t, noOp), "managedFields", "x"), fix: v1alpha1.FixAdmission, repairs: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := New(options(snapshot(t, shop), rulebook(t, []*v1alpha1.Guardrail{guardrail(v1alpha1.Deny, c.fix)})))
			r := request(t, admissionv1.Create, c.object, nil)
			if c.manager != "" {
				r.Options.Raw = mustJSON(t, map[string]any{"fieldManager": c.manager})
			}
			got := answer(t, a.Mutating(), r)
			warned := strings.Join(got.Warnings, "\n")
			if !got.Allowed || (len(got.Patch) > 0) != c.repairs || !strings.Contains(warned, c.warns) || c.warns == "" && !c.repairs && warned != "" {
				t.Errorf("patch %s, warnings %q", got.Patch, got.Warnings)
			}
			if c.warns != "" && (!strings.Contains(warned, `"op":`) || answer(t, a.Validating(), r).Allowed) {
				t.Errorf("it is not denied, or the patch is not told: %q", got.Warnings)
			}
		})
	}
}

// TestTakenBack: where an object is applied as it was before its repair, and no longer is what would be repaired, whoever
// applies it hears what was taken from it.
func TestTakenBack(t *testing.T) {
	o := set(content(t, `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny-front, namespace: shop}
spec:
  action: DENY
  selector: {matchLabels: {app: other}}
  targetRefs: [{group: "", kind: Service, name: cart}]
  rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/front]}}]}]
`), "annotations", map[string]any{RepairedAnnotation: `{"added":["/spec/targetRefs"],"removed":["/spec/selector"]}`})
	options := repairing(t)
	var records []Record
	options.Observe = func(r Record) { records = append(records, r) }
	got := answer(t, New(options).Mutating(), request(t, admissionv1.Create, o, nil))
	if want := `[{"op":"remove","path":"/spec/targetRefs"},{"op":"remove","path":"/metadata/annotations/waywarden.dev~1repaired"}]`; string(got.Patch) != want {
		t.Errorf("patch %s", got.Patch)
	}
	if !strings.Contains(strings.Join(got.Warnings, "\n"), "waywarden took back what an earlier repair had added") {
		t.Errorf("warnings %q", got.Warnings)
	}
	if len(records) != 1 || records[0].Outcome != Repaired || len(records[0].Repairs) != 1 {
		t.Errorf("recorded %+v", records)
	}
}

// TestFirstPatch: of several ways out only the first is taken.
func TestFirstPatch(t *testing.T) {
	set := func(name string) policies.Fix {
		return policies.Fix{Message: "set " + name, Patch: []policies.Op{{Op: "add", Path: "/metadata/labels", Value: map[string]any{"fixed": name}}}}
	}
	unlabelled := &policies.Check{ID: "test/unlabelled", Severity: policies.High, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}, Run: func(p *policies.Pass) {
		if p.Object.Labels["fixed"] == "" {
			p.Report(policies.Finding{Field: "metadata.labels", Message: "it has no label.", Fixes: []policies.Fix{
				{Message: "make something", Apply: []map[string]any{{"kind": "Gateway"}}}, set("first"), set("second")}})
		}
	}}
	got := answer(t, New(repairing(t, unlabelled)).Mutating(), creates(t, noOp))
	if want := `[{"op":"add","path":"/metadata/labels","value":{"fixed":"first"}}]`; string(got.Patch) != want {
		t.Errorf("patch %s", got.Patch)
	}
	if diff := cmp.Diff([]string{"waywarden repaired this: set first."}, got.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// TestRepairThatDoesNotHelp: a fix after which the finding is still there, or that does not apply, is not made.
func TestRepairThatDoesNotHelp(t *testing.T) {
	for name, op := range map[string]policies.Op{
		"no help":      {Op: "add", Path: "/metadata/labels", Value: map[string]any{"a": "b"}},
		"no place":     {Op: "remove", Path: "/spec/nothing/here"},
		"another kind": {Op: "replace", Path: "/kind", Value: "PeerAuthentication"},
		"no pointer":   {Op: "remove", Path: "spec"},
	} {
		t.Run(name, func(t *testing.T) {
			o := repairing(t, reporting(policies.Finding{Field: "spec", Message: "it does nothing.", Fixes: []policies.Fix{{Message: "try", Patch: []policies.Op{op}}}})...)
			if got := answer(t, New(o).Mutating(), creates(t, noOp)); len(got.Patch) > 0 || !got.Allowed {
				t.Errorf("patch %s", got.Patch)
			}
		})
	}
}
