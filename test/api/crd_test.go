//go:build cluster

package api

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/test/cluster"
)

const (
	crds     = "../../charts/waywarden/files/crds"
	testdata = "../../api/v1alpha1/testdata"
)

// served is a cluster that serves the CRDs. That it took them shows that their CEL compiles and is cheap enough.
func served(t *testing.T) *cluster.Cluster {
	t.Helper()
	c := cluster.Start(t)
	if _, err := envtest.InstallCRDs(c.Config, envtest.CRDInstallOptions{Paths: []string{crds}, ErrorIfPathMissing: true}); err != nil {
		t.Fatal(err)
	}
	return c
}

func read(t *testing.T, name string) []txtar.File {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	return a.Files
}

func decode(t *testing.T, f txtar.File) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(f.Data, &o.Object); err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	return o
}

func at(c *cluster.Cluster, o *unstructured.Unstructured) dynamic.ResourceInterface {
	switch o.GetKind() {
	case v1alpha1.RulePackKind:
		return c.Dynamic.Resource(v1alpha1.GroupVersion.WithResource(v1alpha1.RulePackResource))
	case v1alpha1.WaypointProfileKind:
		return c.Dynamic.Resource(v1alpha1.GroupVersion.WithResource(v1alpha1.WaypointProfileResource))
	case v1alpha1.GuardrailKind:
		return c.Dynamic.Resource(v1alpha1.GroupVersion.WithResource(v1alpha1.GuardrailResource))
	}
	return c.Dynamic.Resource(v1alpha1.GroupVersion.WithResource(v1alpha1.ExemptionResource)).Namespace(o.GetNamespace())
}

func TestCRDs(t *testing.T) {
	c := served(t)
	t.Run("refused", func(t *testing.T) { refused(t, c) })
	t.Run("taken", func(t *testing.T) { taken(t, c) })
	t.Run("unknown fields", func(t *testing.T) { unknown(t, c) })
	t.Run("status", func(t *testing.T) { status(t, c) })
	t.Run("listed", func(t *testing.T) { listed(t, c) })
}

// refused: every manifest is refused as not valid, for the field that its first line names.
func refused(t *testing.T, c *cluster.Cluster) {
	for _, f := range read(t, "refused.txtar") {
		first, _, _ := strings.Cut(string(f.Data), "\n")
		want := strings.TrimPrefix(first, "# ")
		o := decode(t, f)
		_, err := at(c, o).Create(t.Context(), o, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		var refusal *apierrors.StatusError
		if !errors.As(err, &refusal) || !apierrors.IsInvalid(err) || refusal.ErrStatus.Details == nil {
			t.Errorf("%s: %v, want a refusal for %s", f.Name, err, want)
			continue
		}
		for _, cause := range refusal.ErrStatus.Details.Causes {
			// CEL rules are not evaluated where the schema does not hold already, which is said of no field.
			if cause.Field != want && cause.Field != "<nil>" {
				t.Errorf("%s: refused for %s (%s), want %s", f.Name, cause.Field, cause.Message, want)
			}
		}
	}
}

// taken: every manifest is stored, with the defaults that readers of files assume.
func taken(t *testing.T, c *cluster.Cluster) {
	for _, f := range read(t, "taken.txtar") {
		o := decode(t, f)
		got, err := at(c, o).Create(t.Context(), o, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		if class, _, _ := unstructured.NestedString(got.Object, "spec", "gatewayClassName"); got.GetKind() == v1alpha1.WaypointProfileKind && class == "" {
			t.Errorf("%s: spec.gatewayClassName has no default", f.Name)
		}
		if fix, _, _ := unstructured.NestedString(got.Object, "spec", "fix"); got.GetKind() == v1alpha1.GuardrailKind && fix == "" {
			t.Errorf("%s: spec.fix has no default", f.Name)
		}
		subjects, _, _ := unstructured.NestedSlice(got.Object, "spec", "subjects")
		for _, s := range subjects {
			if s.(map[string]any)["name"] == nil {
				t.Errorf("%s: a subject's name has no default", f.Name)
			}
		}
	}
}

func unknown(t *testing.T, c *cluster.Cluster) {
	f := read(t, "taken.txtar")[0]
	o := decode(t, f)
	o.SetName("misspelt")
	if err := unstructured.SetNestedField(o.Object, "x", "spec", "chekcs"); err != nil {
		t.Fatal(err)
	}
	_, err := at(c, o).Create(t.Context(), o, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err == nil || !strings.Contains(err.Error(), `unknown field "spec.chekcs"`) {
		t.Errorf("an unknown field: %v", err)
	}
}

// status: conditions are a map by type, and the status can be written only as such.
func status(t *testing.T, c *cluster.Cluster) {
	for _, f := range read(t, "taken.txtar") {
		o := decode(t, f)
		stored, err := at(c, o).Get(t.Context(), o.GetName(), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		condition := map[string]any{"type": "Ready", "status": "True", "reason": "InForce", "message": "", "lastTransitionTime": "2026-11-25T12:00:00Z"}
		if err := unstructured.SetNestedSlice(stored.Object, []any{condition}, "status", "conditions"); err != nil {
			t.Fatal(err)
		}
		if o.GetKind() == v1alpha1.ExemptionKind {
			if err := unstructured.SetNestedField(stored.Object, "TooLong", "status", "state"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := at(c, o).UpdateStatus(t.Context(), stored, metav1.UpdateOptions{}); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

// listed: what is stored is what the command line reads from a cluster, and from a file.
func listed(t *testing.T, c *cluster.Cluster) {
	live, err := inventory.List(t.Context(), c.Config, inventory.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(live.Guardrails) != 2 || len(live.Exemptions) != 2 || len(live.Profiles) != 3 || len(live.Packs) != 3 || len(live.Problems) > 0 {
		t.Errorf("%d Guardrails, %d Exemptions, %d WaypointProfiles, %d RulePacks, problems %v; want 2, 2, 3, 3 and none", len(live.Guardrails), len(live.Exemptions), len(live.Profiles), len(live.Packs), live.Problems)
	}
	dir := t.TempDir()
	for _, f := range read(t, "taken.txtar") {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := inventory.Files(inventory.FileOptions{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if both := files.CompletedBy(live); len(both.Guardrails) != 2 || len(both.Exemptions) != 2 || len(both.Profiles) != 3 || len(both.Packs) != 3 {
		t.Errorf("files completed from the cluster: %d Guardrails, %d Exemptions, %d WaypointProfiles, %d RulePacks; want 2, 2, 3 and 3", len(both.Guardrails), len(both.Exemptions), len(both.Profiles), len(both.Packs))
	}
}
