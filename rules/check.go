package rules

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// Check is [Load] for who writes rules: besides what Load refuses, it refuses tests in Rego that do not compile, and files that
// are not laid out as `opa fmt` does it. The Pack is nil where Load refuses it. The error is that of the file system.
func Check(fsys fs.FS, o Options) (*Pack, Refusals, error) {
	var refusals Refusals
	pack, err := Load(fsys, o)
	if err != nil && !errors.As(err, &refusals) {
		return nil, nil, err
	}
	if pack != nil {
		refusals = append(refusals, pack.RefusedTests()...)
	}
	layout, err := unformatted(fsys, o)
	if err != nil {
		return nil, nil, err
	}
	return pack, append(refusals, layout...).sorted(), nil
}

// RefusedTests are what the compiler has against the tests in Rego, which Load does not compile.
func (p *Pack) RefusedTests() Refusals {
	if len(p.Tests) == 0 {
		return nil
	}
	modules := p.Modules()
	for _, m := range p.Tests {
		modules[m.Package.Location.File] = m
	}
	var out Refusals
	c := ast.NewCompiler().WithCapabilities(Capabilities()).WithEnablePrintStatements(true).SetErrorLimit(0)
	if c.Compile(modules); c.Failed() {
		out.wrong("", c.Errors)
	}
	return out
}

// unformatted refuses files that are not laid out as OPA lays them out. What cannot be read is refused elsewhere.
func unformatted(fsys fs.FS, o Options) (Refusals, error) {
	show := o.Show
	if show == nil {
		show = func(p string) string { return p }
	}
	var out Refusals
	err := EachFile(fsys, func(name string) error {
		if path.Ext(name) != ".rego" {
			return nil
		}
		source, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if line := firstDifference(source, Format(source)); line > 0 {
			out.add(position{show(name), line, 1}, "the file is not laid out as others are: `opa fmt` would change this line. Run `waywarden rules check --fmt`.")
		}
		return nil
	})
	return out, err
}

// EachFile calls the function for every file of rules and scenarios of a folder, in order.
func EachFile(fsys fs.FS, do func(name string) error) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != "." && (base == "testdata" || strings.HasPrefix(base, ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if ext := path.Ext(name); ext != ".rego" && ext != ".txtar" {
			return nil
		}
		return do(name)
	})
}

// Format lays a module out as `opa fmt` does it. What cannot be read is returned as it is.
func Format(source []byte) []byte {
	out, err := format.SourceWithOpts("", source, format.Opts{RegoVersion: ast.RegoV1, ParserOptions: &ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: Capabilities()}})
	if err != nil {
		return source
	}
	return out
}

// firstDifference is the first line in which two texts differ; 0 where they are the same.
func firstDifference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	left, right := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(left), len(right)) {
		if !bytes.Equal(left[i], right[i]) {
			return i + 1
		}
	}
	return min(len(left), len(right))
}
