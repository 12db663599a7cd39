package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// DefaultMaxBytes bounds all files of a pack together.
const DefaultMaxBytes = 4 << 20

// Options say how to load a pack. The zero value is useful.
type Options struct {
	// Root is the name of the folder that is loaded, where the packages of its rules begin with it, as in "zerotrust". A
	// package may begin with the folder's name or with what is in it.
	Root string
	// Show is how a file is named in refusals; nil for its path in the file system.
	Show func(path string) string
	// Library allows packages below zerotrust, which are reserved for the rules that come with this program.
	Library bool
	// Trusted leaves out what costs time and what a test has found right: the types.
	Trusted bool
	// MaxBytes bounds all files together; 0 means DefaultMaxBytes.
	MaxBytes int
}

// Rule is one rule of a Pack.
type Rule struct {
	Metadata
	// ID is the package with dashes and slashes, as in "zero-trust/authz/deny-enforced".
	ID string
	// File is where it is written, and Source what is written there.
	File   string
	Source []byte
	// Scenarios are those beside it, in ScenarioFile. They are read anew, and kept, when they are first asked for: each is a mesh, and
	// what answers admission never asks.
	Scenarios    func() *scenario.File
	ScenarioFile string

	example string // an object in which it finds something
	reads   []mesh.Kind
	pkg     ast.Ref // data.zerotrust.authz.deny_enforced
	module  *ast.Module
	skips   bool // has a rule skip
	patches bool // has a rule patch
}

// library is the first element of the packages that are reserved, and reserved the first of their IDs.
const (
	library  = "zerotrust"
	reserved = "zero-trust"
)

// Load reads a folder of rules, with everything below it, and compiles them. The error is [Refusals], all there are, or
// that of the file system. Files whose name ends in _test.rego hold tests in Rego, and files in a folder called lib hold what
// rules share; folders called testdata, and those that begin with a dot, are passed over.
func Load(fsys fs.FS, o Options) (*Pack, error) {
	l := &loader{Options: o, fsys: fsys, unread: map[string]bool{}}
	if l.Show == nil {
		l.Show = func(p string) string { return p }
	}
	if l.MaxBytes == 0 {
		l.MaxBytes = DefaultMaxBytes
	}
	if err := l.read(); err != nil {
		return nil, err
	}
	for _, name := range l.names(".rego") {
		l.module(name)
	}
	l.scenarios()
	l.identities()
	p := l.compile()
	if len(l.refusals) > 0 {
		return nil, l.refusals.sorted()
	}
	return p, nil
}

// loader collects what a folder holds, and what is wrong with it.
type loader struct {
	Options
	fsys     fs.FS
	files    map[string][]byte
	refusals Refusals
	rules    []*Rule
	shared   []*ast.Module // of lib
	tests    []*ast.Module
	unread   map[string]bool // files of Rego that cannot be read
}

func (l *loader) read() error {
	l.files = map[string][]byte{}
	total := 0
	err := EachFile(l.fsys, func(name string) error {
		info, err := fs.Stat(l.fsys, name)
		if err != nil {
			return err
		}
		total += int(info.Size())
		if total > l.MaxBytes {
			return Refusals{{File: l.Show(name), Message: fmt.Sprintf("the rules are not loaded: with this file they are larger than %d bytes. Take out what is no rule, or make several packs.", l.MaxBytes)}}
		}
		l.files[name], err = fs.ReadFile(l.fsys, name)
		return err
	})
	if err != nil {
		return err
	}
	if len(l.names(".rego")) == 0 {
		return Refusals{{File: l.Show("."), Message: "nothing would be judged: there is no .rego file here or below. Name the folder that holds the rules."}}
	}
	return nil
}

// names are the files with an extension, sorted.
func (l *loader) names(ext string) []string {
	var out []string
	for name := range l.files {
		if path.Ext(name) == ext {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// module reads one file of Rego.
func (l *loader) module(name string) {
	shown, source := l.Show(name), l.files[name]
	module, err := parse(shown, source)
	if err != nil {
		l.refusals.wrong(shown, err)
		l.unread[name] = true
		return
	}
	l.packageIsPath(name, module)
	switch {
	case strings.HasSuffix(name, "_test.rego"):
		l.tests = append(l.tests, module)
	case path.Base(path.Dir(name)) == "lib":
		l.shared = append(l.shared, module)
	default:
		l.rule(name, module, source)
	}
}

func parse(file string, source []byte) (*ast.Module, error) {
	return ast.ParseModuleWithOpts(file, string(source), ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: Capabilities()})
}

// packageIsPath holds a package to the path of its file, with the name of the folder before it or without.
func (l *loader) packageIsPath(name string, module *ast.Module) {
	base := strings.TrimSuffix(strings.TrimSuffix(name, ".rego"), "_test")
	got := packagePath(module)
	if suffix := "_test"; strings.HasSuffix(name, "_test.rego") {
		got = strings.TrimSuffix(got, suffix)
	}
	if got == base || l.Root != "" && got == l.Root+"/"+base {
		return
	}
	want := strings.ReplaceAll(base, "/", ".")
	if l.Root != "" {
		want = l.Root + "." + want
	}
	l.refusals.add(locate(l.Show(name), module.Package.Location), "the rule has two names: its package is %s, and its file says %s. Make them one: the package is the path, with dots.",
		strings.ReplaceAll(packagePath(module), "/", "."), want)
}

// packagePath is a package as a path, as in "zerotrust/authz/deny_enforced".
func packagePath(m *ast.Module) string {
	parts := make([]string, 0, len(m.Package.Path))
	for _, t := range m.Package.Path[1:] {
		s, _ := t.Value.(ast.String)
		parts = append(parts, string(s))
	}
	return strings.Join(parts, "/")
}

func locate(file string, l *ast.Location) position {
	if l == nil {
		return position{file: file}
	}
	if l.File != "" {
		file = l.File
	}
	return position{file, l.Row, max(l.Col, 1)}
}

var wellFormed = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*(/[a-z][a-z0-9]*(_[a-z0-9]+)*)+$`)

// rule reads what a rule says of itself.
func (l *loader) rule(name string, module *ast.Module, source []byte) {
	shown, at := l.Show(name), locate(l.Show(name), module.Package.Location)
	pkg := packagePath(module)
	r := &Rule{File: shown, Source: source, module: module, pkg: module.Package.Path, ScenarioFile: strings.TrimSuffix(name, ".rego") + ".txtar"}
	if !wellFormed.MatchString(pkg) {
		l.refusals.add(at, "the rule has no ID: package %s is not made of a group and a name, in lower-case letters, digits and single underscores. Call it as in acme.no_latest.", strings.ReplaceAll(pkg, "/", "."))
	}
	r.ID = identity(pkg)
	if first, _, _ := strings.Cut(pkg, "/"); first == library && !l.Library {
		l.refusals.add(at, "the rule is not loaded: packages below %s are the library's own. Use a name of yours.", library)
	}
	line := 0
	for _, a := range module.Annotations {
		if a.Scope == "package" || a.Scope == "" {
			line = a.Location.Row
			break
		}
	}
	if line == 0 {
		l.refusals.add(at, "the rule is not described: there is no METADATA above its package. Write # METADATA with title, custom.severity and custom.match.kinds.")
	} else {
		r.Metadata = readMetadata(shown, source, line, &l.refusals)
	}
	l.answers(r)
	l.rules = append(l.rules, r)
}

// identity is the ID that a package gives its rule.
func identity(pkg string) string {
	if rest, ok := strings.CutPrefix(pkg, library+"/"); ok {
		pkg = reserved + "/" + rest
	}
	return strings.ReplaceAll(pkg, "_", "-")
}

// answers looks for the rules by which a module answers.
func (l *loader) answers(r *Rule) {
	denies := false
	for _, one := range r.module.Rules {
		name := string(one.Head.Name)
		if name == "" && len(one.Head.Reference) > 0 {
			name = one.Head.Reference[0].Value.String()
		}
		if name != "deny" && name != "patch" && name != "skip" {
			continue
		}
		if one.Head.RuleKind() != ast.MultiValue || len(one.Head.Ref()) != 1 || len(one.Head.Args) > 0 {
			l.refusals.add(locate(r.File, one.Location), "the rule has no answer: %s is no set. Write `%s contains … if { … }`.", name, name)
		}
		denies = denies || name == "deny"
		r.patches = r.patches || name == "patch"
		r.skips = r.skips || name == "skip"
	}
	if !denies {
		l.refusals.add(locate(r.File, r.module.Package.Location), "the rule finds nothing: it has no deny. Write `deny contains {\"msg\": …} if { … }`.")
	}
}

// identities refuses IDs that two rules have.
func (l *loader) identities() {
	first := map[string]*Rule{}
	for _, r := range l.rules {
		if other := first[r.ID]; other != nil {
			l.refusals.add(locate(r.File, r.module.Package.Location), "two rules are called %s: the other is %s. Rename one of them.", r.ID, other.File)
			continue
		}
		first[r.ID] = r
	}
}

// wrong enters what the parser or the compiler says.
func (r *Refusals) wrong(file string, err error) {
	errs, ok := err.(ast.Errors)
	if !ok {
		if one, is := err.(*ast.Error); is {
			errs = ast.Errors{one}
		} else {
			r.add(position{file: file}, "the rule is not loaded: %v. Correct it.", err)
			return
		}
	}
	for _, e := range errs {
		if strings.HasPrefix(e.Message, "package annotation redeclared") {
			continue // two rules have one ID, which is told
		}
		r.add(locate(file, e.Location), "%s", explain(e))
	}
}

// explain is an error of OPA in our words, where we have better ones.
func explain(e *ast.Error) string {
	text := OneLine(e.Message)
	if e.Details != nil {
		text += ": " + strings.Join(trimmed(e.Details.Lines()), " ")
	}
	if strings.HasPrefix(e.Message, "invalid schema reference") {
		return "the types are not known: a schema lies elsewhere, and none is fetched. Leave schemas out: the types follow from match.kinds."
	}
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok {
		if why, known := outside[name]; known {
			return fmt.Sprintf("the rule would not follow from its input: it calls %s, and %s. Judge by input and mesh.* alone.", name, why)
		}
		return fmt.Sprintf("the rule is not loaded: there is no function %s. Look it up in capabilities.json.", name)
	}
	switch e.Code {
	case ast.ParseErr:
		return "the rule is not loaded: Rego v1 reads otherwise: " + text + ". Correct it."
	case ast.TypeErr:
		return "the rule could never be right: " + text + ". Correct the field or the value."
	}
	return "the rule is not loaded: " + text + ". Correct it."
}

func trimmed(lines []string) []string {
	var out []string
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" && l != "^" {
			out = append(out, l)
		}
	}
	return out
}

// Digest is the revision of what is written in a folder of rules, whether or not it can be loaded. The error is that of the file
// system.
func Digest(fsys fs.FS) (string, error) {
	files := map[string][]byte{}
	err := EachFile(fsys, func(name string) (err error) {
		files[name], err = fs.ReadFile(fsys, name)
		return err
	})
	return digest(files), err
}

// digest is a revision of what is written in files.
func digest(files map[string][]byte) string {
	h := sha256.New()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(h, "%d %s %d\n", len(name), name, len(files[name]))
		h.Write(files[name])
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
