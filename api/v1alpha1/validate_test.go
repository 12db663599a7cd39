package v1alpha1

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"
)

// validate is what Validate says of a manifest.
func validate(t *testing.T, manifest []byte) []FieldError {
	t.Helper()
	var o interface{ Validate() []FieldError } = &Guardrail{}
	switch {
	case strings.Contains(string(manifest), "kind: "+ExemptionKind):
		o = &Exemption{}
	case strings.Contains(string(manifest), "kind: "+WaypointProfileKind):
		o = &WaypointProfile{}
	case strings.Contains(string(manifest), "kind: "+RulePackKind):
		o = &RulePack{}
	}
	if err := yaml.UnmarshalStrict(manifest, o); err != nil {
		return []FieldError{{Field: "spec.expiresAt", Want: "a time", Got: err.Error()}} // the only field that cannot be read
	}
	return o.Validate()
}

func archive(t *testing.T, name string) []txtar.File {
	t.Helper()
	a, err := txtar.ParseFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Files) == 0 {
		t.Fatalf("%s holds nothing", name)
	}
	return a.Files
}

// TestRefused: what an API server refuses is found, at the field that is wrong, and nothing else is.
func TestRefused(t *testing.T) {
	for _, f := range append(archive(t, "refused.txtar"), archive(t, "beyond.txtar")...) {
		first, _, _ := strings.Cut(string(f.Data), "\n")
		want := strings.TrimPrefix(first, "# ")
		got := validate(t, f.Data)
		if len(got) != 1 || !strings.HasPrefix(got[0].Field, want) {
			t.Errorf("%s: %v, want one error at %s", f.Name, got, want)
		}
	}
}

func TestTaken(t *testing.T) {
	for _, f := range archive(t, "taken.txtar") {
		if got := validate(t, f.Data); len(got) > 0 {
			t.Errorf("%s: %v", f.Name, got)
		}
	}
}

func TestStricter(t *testing.T) {
	for i, a := range Actions {
		for j, b := range Actions {
			if a.Stricter(b) != (i < j) {
				t.Errorf("%s is stricter than %s: %v", a, b, a.Stricter(b))
			}
		}
		if !a.Stricter("Block") {
			t.Errorf("%s is not stricter than what is no action", a)
		}
	}
}
