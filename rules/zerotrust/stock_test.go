package zerotrust

import (
	"os"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"
)

// TestStockOPA: what `opa check --strict --capabilities capabilities.json rules/zerotrust` does, which editors rely on, accepts
// the library; without our capabilities it does not, and with them it refuses what rules may not do.
func TestStockOPA(t *testing.T) {
	file, err := os.Open("../../capabilities.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	caps, err := ast.LoadCapabilitiesJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	result, err := loader.NewFileLoader().WithRegoVersion(ast.RegoV1).WithProcessAnnotation(true).WithCapabilities(caps).
		Filtered([]string{"."}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Modules) < len(Pack().Rules) {
		t.Fatalf("%d modules for %d rules", len(result.Modules), len(Pack().Rules))
	}
	check := func(caps *ast.Capabilities, modules map[string]*ast.Module) error {
		c := ast.NewCompiler().WithCapabilities(caps).WithStrict(true).WithEnablePrintStatements(true).WithUseTypeCheckAnnotations(true)
		if c.Compile(modules); c.Failed() {
			return c.Errors
		}
		return nil
	}
	if err := check(caps, result.ParsedModules()); err != nil {
		t.Error(err)
	}
	if err := check(ast.CapabilitiesForThisVersion(), result.ParsedModules()); err == nil || !strings.Contains(err.Error(), "mesh.") {
		t.Errorf("stock OPA knows the mesh: %v", err)
	}
	outside := map[string]*ast.Module{"x.rego": ast.MustParseModule("package x\n\ny := http.send({\"method\": \"get\", \"url\": \"https://example.com\"})")}
	if err := check(caps, outside); err == nil || !strings.Contains(err.Error(), "http.send") {
		t.Errorf("http.send is accepted: %v", err)
	}
}
