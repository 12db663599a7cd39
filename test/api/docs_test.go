package api

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/inventory"
)

// TestEveryFieldIsExplained: `kubectl explain` has something to say of every field that users write or read.
func TestEveryFieldIsExplained(t *testing.T) {
	files, err := filepath.Glob("../../charts/waywarden/files/crds/*.yaml")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d CRDs (%v), want 4", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd struct {
			Spec struct {
				Names struct {
					Kind       string
					Categories []string
				}
				Versions []struct {
					Schema struct{ OpenAPIV3Schema schema }
				}
			}
		}
		if err := yaml.Unmarshal(raw, &crd); err != nil {
			t.Fatal(err)
		}
		if got := crd.Spec.Names.Categories; len(got) != 1 || got[0] != "waywarden" {
			t.Errorf("%s: categories %v", file, got)
		}
		root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
		if n := root.explained(t, crd.Spec.Names.Kind); n < 10 {
			t.Errorf("%s: only %d fields were looked at", file, n)
		}
	}
}

// schema is what of a schema says something to people.
type schema struct {
	Description string
	Properties  map[string]schema
	Items       *schema
}

// explained counts the fields, and complains about those without a description.
func (s schema) explained(t *testing.T, path string) int {
	n := 0
	for name, p := range s.Properties {
		n++
		at := path + "." + name
		if p.Description == "" && name != "metadata" { // which the API server explains itself
			t.Errorf("%s has no description", at)
		}
		n += p.explained(t, at)
		if p.Items != nil {
			n += p.Items.explained(t, at+"[]")
		}
	}
	return n
}

// TestDocumentedManifests: what the documentation shows can be applied.
func TestDocumentedManifests(t *testing.T) {
	for file, want := range map[string][4]int{"guardrails.md": {1, 1, 0, 0}, "provisioning.md": {1, 0, 1, 0}, "rule-packs.md": {0, 0, 0, 2}} {
		t.Run(file, func(t *testing.T) { documented(t, file, want) })
	}
}

// documented: so many Guardrails, Exemptions, WaypointProfiles and RulePacks, and nothing else.
func documented(t *testing.T, file string, want [4]int) {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var docs []string
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		docs = append(docs, block[1])
	}
	inv, err := inventory.Files(inventory.FileOptions{Stdin: strings.NewReader(strings.Join(docs, "---\n"))}, "-")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range inv.Problems {
		t.Error(p)
	}
	got := [4]int{len(inv.Guardrails), len(inv.Exemptions), len(inv.Profiles), len(inv.Packs)}
	if got != want || len(docs) != want[0]+want[1]+want[2]+want[3] {
		t.Errorf("%d manifests, %v Guardrails, Exemptions, WaypointProfiles and RulePacks; want %v", len(docs), got, want)
	}
}
