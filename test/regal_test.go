package test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"sigs.k8s.io/yaml"
)

// TestRegalConfig: what Regal is told can be read, and what it names is there: capabilities in which OPA finds our built-ins, and roots
// that hold rules.
func TestRegalConfig(t *testing.T) {
	text, err := os.ReadFile("../.regal/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Capabilities struct {
			From struct{ File string }
		}
		Project struct {
			Roots []struct{ Path string }
		}
		Rules map[string]map[string]any
	}
	if err := yaml.UnmarshalStrict(text, &config); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join("..", config.Capabilities.From.File))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	capabilities, err := ast.LoadCapabilitiesJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	ours := false
	for _, b := range capabilities.Builtins {
		ours = ours || b.Name == "mesh.policies_for"
	}
	if !ours {
		t.Errorf("%s has no built-in mesh.policies_for", config.Capabilities.From.File)
	}
	if len(config.Project.Roots) == 0 {
		t.Error("no roots are named")
	}
	for _, root := range config.Project.Roots {
		found, err := filepath.Glob(filepath.Join("..", root.Path, "*", "*", "*.rego"))
		if err != nil || len(found) == 0 {
			t.Errorf("root %s holds no rules: %v", root.Path, err)
		}
	}
}
