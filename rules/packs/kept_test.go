package packs

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

func acme() *v1alpha1.RulePack {
	return &v1alpha1.RulePack{ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: "17"}}
}

// held is a revision as it is kept of a pack, whose status says so.
func held(t *testing.T, p *v1alpha1.RulePack, w *wanted, number int64) *appsv1.ControllerRevision {
	t.Helper()
	var err error
	if w.revision, err = w.files.revision(); err != nil {
		t.Fatal(err)
	}
	c, err := keep(p, "waywarden", w, number)
	if err != nil {
		t.Fatal(err)
	}
	entry := v1alpha1.RulePackRevision{Revision: w.revision, Kept: c.Namespace + "/" + c.Name}
	if w.signed != nil {
		entry.SignedBy = w.signed.By.Name()
	}
	p.Status.History = append(p.Status.History, entry)
	return c
}

func of(f Files) *wanted { return &wanted{files: f} }

// TestKept: what is kept of a pack is what the status says, the latest first. What somebody else puts beside it, or is of another pack of
// its name, is not.
func TestKept(t *testing.T) {
	p, other := acme(), acme()
	other.UID = "18"
	first, second := rule(denies), rule(strings.Replace(denies, "it denies", "it does deny", 1))
	planted := held(t, acme(), of(rule(strings.Replace(denies, "DENY", "CUSTOM", 1))), 4)
	elsewhere := held(t, acme(), of(first), 5)
	elsewhere.Name = "another"
	all := []*appsv1.ControllerRevision{held(t, p, of(first), 1), held(t, other, of(first), 3), held(t, p, of(second), 2), {ObjectMeta: metav1.ObjectMeta{Name: "of-a-stateful-set"}}, planted, elsewhere}
	got, strange := keptOf(p, all)
	if len(got) != 2 || got[0].object != all[2] || got[1].object != all[0] {
		t.Fatalf("%d kept", len(got))
	}
	if len(strange) != 2 || strange[0].object != elsewhere || strange[1].object != planted {
		t.Errorf("%d strange", len(strange))
	}
	if all[0].Name == all[1].Name || all[0].Name == all[2].Name {
		t.Errorf("two are called %s", all[0].Name)
	}
	for i, want := range []Files{second, first} {
		files, err := got[i].verified()
		if diff := cmp.Diff(want, files); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	long := acme()
	long.Name = strings.Repeat("a", 39) + "." + strings.Repeat("b", 200)
	if name := held(t, long, of(first), 1).Name; len(name) > 63 || strings.Contains(name, ".-") {
		t.Errorf("called %s", name)
	}
}

// fromKept is what a status names, found and loaded.
func fromKept(p *v1alpha1.RulePack, all []*appsv1.ControllerRevision) (*InForce, error) {
	k, err := holder(p, all)
	if err != nil {
		return nil, err
	}
	return loaded(p, k)
}

// TestLoaded: the revision that a status names is loaded, from the pack itself or from what is kept, and nothing else is.
func TestLoaded(t *testing.T) {
	good, bad := rule(denies), Files{"acme/one.rego": "package acme"}
	revision, err := good.revision()
	if err != nil {
		t.Fatal(err)
	}
	kept := func(f Files, change func(*appsv1.ControllerRevision)) func(*v1alpha1.RulePack) *appsv1.ControllerRevision {
		return func(p *v1alpha1.RulePack) *appsv1.ControllerRevision {
			c := held(t, p, of(f), 1)
			if change != nil {
				change(c)
			}
			return c
		}
	}
	for name, c := range map[string]struct {
		modules Files
		kept    func(*v1alpha1.RulePack) *appsv1.ControllerRevision
		wrong   string
	}{
		"its own":      {good, nil, ""},
		"kept":         {bad, kept(good, nil), ""},
		"no files":     {nil, kept(good, nil), ""},
		"not kept":     {bad, nil, "not kept any more"},
		"another kept": {bad, kept(rule(strings.Replace(denies, "it denies", "it does deny", 1)), nil), "not kept any more"},
		"planted":      {bad, func(*v1alpha1.RulePack) *appsv1.ControllerRevision { return held(t, acme(), of(good), 1) }, "not kept any more"},
		"tampered": {bad, kept(good, func(c *appsv1.ControllerRevision) {
			c.Data.Raw = replaced(t, c.Data.Raw, rule(strings.Replace(denies, "DENY", "AUDIT", 1)))
		}), "does not hold " + revision},
	} {
		t.Run(name, func(t *testing.T) {
			p := acme()
			p.Spec.Modules, p.Status.Revision = c.modules, revision
			var all []*appsv1.ControllerRevision
			if c.kept != nil {
				all = append(all, c.kept(p))
			}
			got, err := fromKept(p, all)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || got.Revision != revision || len(got.Checks) != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// replaced is what a ControllerRevision holds, with other files.
func replaced(t *testing.T, raw []byte, f Files) []byte {
	t.Helper()
	var data keptData
	if err := json.Unmarshal(raw, &data); err != nil {
		t.Fatal(err)
	}
	var err error
	if data.Files, err = zipped(f); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestUnzipped: a small thing that would become a large one is not read.
func TestUnzipped(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write([]byte(`{"a.rego": "` + strings.Repeat(" ", 64<<20))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"a bomb": bomb.Bytes(), "no gzip": []byte("{}"), "nothing": nil} {
		if f, err := unzipped(data); err == nil {
			t.Errorf("%s: %d files", name, len(f))
		}
	}
}

func TestOfConfigMap(t *testing.T) {
	for name, c := range map[string]struct {
		data map[string]string
		want Files // nil where it is refused
	}{
		"a rule":       {map[string]string{"acme.no_latest.rego": "r", "acme.no_latest.txtar": "s", "acme.lib.images.rego": "l"}, Files{"acme/no_latest.rego": "r", "acme/no_latest.txtar": "s", "acme/lib/images.rego": "l"}},
		"no extension": {map[string]string{"rules": "r"}, nil},
		"nothing":      {nil, nil},
	} {
		got, err := ofConfigMap(&corev1.ConfigMap{Data: c.data})
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != (c.want != nil) {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}
