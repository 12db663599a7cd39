// Package test holds what needs the whole project. This file holds docs/architecture.md: who may
// import whom, so that the drawing cannot rot.
package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/waywarden/waywarden/"

// pure are the modules that the core may use; each is data types or a pure algorithm.
var pure = []string{"istio.io/api", "istio.io/client-go/pkg/apis", "k8s.io/api", "k8s.io/apimachinery", "sigs.k8s.io/gateway-api/apis", "sigs.k8s.io/yaml"}

// layer is what packages may import: of ours, and of others where that is limited. A path stands for
// the packages below it as well; "*" for all.
type layer struct{ ours, others []string }

// layers are found by the longest path that a package is at or below.
var layers = map[string]layer{
	"api":               {nil, []string{"k8s.io/api", "k8s.io/apimachinery"}},
	"api/parameters":    {[]string{"api/*"}, append(pure, "sigs.k8s.io/json")},
	"policies":          {[]string{"policies/mesh"}, pure},
	"policies/mesh":     {nil, pure},
	"policies/plan":     {[]string{"policies", "policies/mesh", "api/*"}, pure},
	"policies/decide":   {[]string{"policies", "policies/mesh", "api/*"}, pure},
	"policies/checks":   {[]string{"policies", "policies/mesh", "policies/plan"}, pure},
	"policies/scenario": {[]string{"policies", "policies/mesh"}, append(pure, "golang.org/x/tools/txtar")},
	"rules":             {[]string{"rules/*", "policies/*", "api/*"}, []string{"*"}},
	"rules/sieve":       {nil, []string{"github.com/open-policy-agent/opa/v1/ast"}},
	"rules/bundle":      {[]string{"rules"}, []string{"*"}},
	"rules/controls":    {nil, []string{"sigs.k8s.io/yaml"}},
	"inventory":         {[]string{"inventory/*", "policies/mesh", "api/*"}, []string{"*"}},
	"audit":             {[]string{"audit/*", "policies/*", "inventory/*", "api/*", "rules/controls"}, []string{"*"}},
	"audit/report":      {[]string{"policies", "policies/mesh", "policies/plan", "api/*", "rules/controls"}, []string{"*"}},
	"audit/compliance":  {[]string{"audit/report", "policies", "policies/mesh", "policies/decide", "api/*", "rules/controls"}, []string{"*"}},
	"audit/attest":      {[]string{"audit/compliance"}, []string{"*"}},
	"audit/ledger":      {[]string{"audit/report", "policies", "api/*"}, []string{"*"}},
	"audit/openreports": {[]string{"audit/ledger", "audit/report", "policies", "policies/mesh", "api/*"}, []string{"*"}},
	"certs":             {nil, []string{"*"}},
	"memory":            {nil, []string{"*"}},
	"webhook":           {[]string{"webhook/*", "policies/*", "inventory/*", "api/*"}, []string{"*"}},
	"waypoints":         {[]string{"waypoints/*", "policies/*", "inventory/*", "api/*"}, []string{"*"}},
	"cmd":               {[]string{"*"}, []string{"*"}},
	"test":              {[]string{"*"}, []string{"*"}},
}

// impure is what the core never touches: the cluster, the machine, the network, the clock.
var impure = []string{"os", "net", "log", "io/ioutil", "syscall", "unsafe", "math/rand", "crypto/rand"}

func TestArchitecture(t *testing.T) {
	fset := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 2 && d.Name()[0] == '.') {
				return filepath.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg, err := filepath.Rel("..", filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, complaint := range judge(filepath.ToSlash(pkg), f) {
			t.Errorf("%s: %s", filepath.ToSlash(path), complaint)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// judge says what is wrong with one file of a package, by what it imports and what it does.
func judge(pkg string, f *ast.File) []string {
	l, ok := layerOf(pkg)
	if !ok {
		return []string{"package " + pkg + " is in no layer: enter it in layers and in docs/architecture.md"}
	}
	core := below("policies", pkg)
	var out []string
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return []string{err.Error()}
		}
		own, isOurs := strings.CutPrefix(path, module)
		std := !strings.Contains(strings.Split(path, "/")[0], ".")
		switch {
		case isOurs && (below("cmd", own) || below("test", own)) && !below("test", pkg):
			out = append(out, "nothing imports "+own)
		case isOurs && !allowed(l.ours, own), !isOurs && !std && !modules(l.others, path):
			out = append(out, pkg+" does not import "+path)
		case below("github.com/open-policy-agent", path) && !below("rules", pkg):
			out = append(out, "OPA is for rules only")
		case std && core && path != "net/netip" && slices.ContainsFunc(impure, func(p string) bool { return below(p, path) }):
			out = append(out, "the core does not import "+path)
		}
	}
	if core {
		out = append(out, impurities(f)...)
	}
	return out
}

func impurities(f *ast.File) []string {
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			out = append(out, "the core starts no goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "Tick"}, n.Sel.Name) {
				out = append(out, "the core reads no clock: time."+n.Sel.Name)
			}
		}
		return true
	})
	return out
}

func layerOf(pkg string) (layer, bool) {
	for at := pkg; at != "."; at = filepath.ToSlash(filepath.Dir(at)) {
		if l, ok := layers[at]; ok && (at == pkg || at != "policies") {
			return l, true
		}
	}
	return layer{}, false
}

// allowed is whether a package of ours is on a list of exact paths, or below one that ends in "/*".
func allowed(list []string, path string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		prefix, tree := strings.CutSuffix(p, "/*")
		return p == "*" || p == path || tree && below(prefix, path)
	})
}

func modules(list []string, path string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return p == "*" || below(p, path) })
}

func below(parent, path string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

// TestArchitectureBites: the test above finds what it is there for.
func TestArchitectureBites(t *testing.T) {
	for _, tc := range []struct{ pkg, source string }{
		{"policies/mesh", `import "os"`},
		{"policies/mesh", `import "log/slog"`},
		{"policies/mesh", `import "net/http"`},
		{"policies/mesh", `import "k8s.io/client-go/rest"`},
		{"policies/mesh", `import "` + module + `policies"`},
		{"policies", `import "` + module + `policies/checks"`},
		{"policies/checks", `import "sigs.k8s.io/controller-runtime"`},
		{"policies", `import "time"; var now = time.Now()`},
		{"policies/plan", `func f() { go f() }`},
		{"policies/other", ``},
		{"api/v1alpha1", `import "sigs.k8s.io/controller-runtime/pkg/scheme"`},
		{"api/v1alpha1", `import "` + module + `policies"`},
		{"policies/decide", `import "time"; var now = time.Now()`},
		{"webhook", `import "` + module + `waypoints"`},
		{"webhook", `import "github.com/open-policy-agent/opa/v1/rego"`},
		{"rules/bundle", `import "` + module + `policies/mesh"`},
		{"rules/controls", `import "github.com/open-policy-agent/opa/v1/rego"`},
		{"audit/report", `import "` + module + `rules"`},
		{"inventory", `import "` + module + `test/corpus"`},
		{"elsewhere", ``},
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+tc.source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(judge(tc.pkg, f)) == 0 {
			t.Errorf("nothing is said against %q in %s", tc.source, tc.pkg)
		}
	}
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nimport (\"net/netip\"; \"istio.io/api/label\"; \""+module+"policies/mesh\")", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := judge("policies", f); len(got) > 0 {
		t.Errorf("complaints about nothing: %v", got)
	}
}
