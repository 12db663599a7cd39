package gatekeeper

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// places are where Rego of Gatekeeper looks, and where ours does.
var places = []struct {
	from          []string
	to            string
	onlyAdmission bool
}{
	{[]string{"parameters"}, "input.params", false},
	{[]string{"review", "object"}, "input.object", false},
	{[]string{"review", "oldObject"}, "input.old", true},
	{[]string{"review", "operation"}, "input.operation", true},
	{[]string{"review", "userInfo"}, "input.user", true},
	{[]string{"review", "dryRun"}, "input.dryRun", true},
	{[]string{"review", "kind", "kind"}, "input.object.kind", false},
	{[]string{"review", "name"}, "input.object.metadata.name", false},
	{[]string{"review", "namespace"}, "input.object.metadata.namespace", false},
}

// translation is a module on its way from Gatekeeper's words to ours.
type translation struct {
	source string
	edits  []edit
	// admission is whether it looks at what is there at admission only.
	admission bool
	refuse    func(line int, format string, args ...any)
	libs      string // the package that data.lib becomes
}

type edit struct {
	from, to int
	text     string
}

// translate makes Rego v1 in our words of a module, with another package. It is "" where something is refused. Lines that are
// refused are those of what is written.
func translate(source, pkg, libs string, v1 bool, refuse func(line int, format string, args ...any)) (out string, admission bool) {
	version := ast.RegoV0
	if v1 {
		version = ast.RegoV1
	}
	parsed, err := ast.ParseModuleWithOpts("", source, ast.ParserOptions{RegoVersion: version})
	if err != nil || parsed == nil {
		refuse(0, "its Rego cannot be read: %v. Correct it.", err)
		return "", false
	}
	if errs := ast.CheckRegoV1(parsed); len(errs) > 0 && !v1 {
		for _, e := range errs {
			if !strings.Contains(e.Message, "keyword") { // `if` and `contains` are written in below
				refuse(e.Location.Row, "Rego v1 reads it otherwise: %s. Correct it.", e.Message)
			}
		}
	}
	formatted, err := format.SourceWithOpts("", []byte(source), format.Opts{RegoVersion: ast.RegoV1, ParserOptions: &ast.ParserOptions{RegoVersion: version}})
	if err != nil {
		refuse(0, "its Rego cannot be made v1: %v. Correct it.", err)
		return "", false
	}
	module, err := ast.ParseModuleWithOpts("", string(formatted), ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		refuse(0, "its Rego is not v1 once it is laid out: %v. Correct it.", err)
		return "", false
	}
	refused := false
	t := &translation{source: string(formatted), libs: libs, refuse: func(line int, format string, args ...any) {
		refused = true
		refuse(line, format, args...)
	}}
	t.header(module, pkg)
	ast.WalkTerms(module, func(term *ast.Term) bool { return t.term(term) })
	for _, r := range module.Rules {
		if r.Head.Name == "violation" {
			t.edits = append(t.edits, edit{r.Location.Offset, r.Location.Offset + len("violation"), "deny"})
		}
	}
	if refused {
		return "", false
	}
	return t.apply(), t.admission
}

// header gives the module its package, and takes out what v1 does not need.
func (t *translation) header(m *ast.Module, pkg string) {
	from := m.Package.Location.Offset
	end := from + len(m.Package.Location.Text)
	if line := strings.IndexByte(t.source[from:], '\n'); line >= 0 {
		end = from + line
	}
	t.edits = append(t.edits, edit{from, end, "package " + strings.ReplaceAll(pkg, "/", ".")})
}

func (t *translation) term(term *ast.Term) bool {
	if v, ok := term.Value.(ast.Var); ok && v == "violation" && term.Location != nil && string(term.Location.Text) == "violation" {
		t.refuse(term.Location.Row, "it asks for violation itself, which only whoever asks the rule does. Give what both need a name of its own.")
	}
	ref, ok := term.Value.(ast.Ref)
	if !ok || term.Location == nil {
		return false
	}
	row := term.Location.Row
	switch head := ref[0]; {
	case head.Equal(ast.InputRootDocument):
		t.input(ref, row)
	case head.Equal(ast.DefaultRootDocument):
		t.data(ref, row)
	case ref.String() == "external_data":
		t.refuse(row, "it calls external_data, which asks somebody outside. A rule follows from the object and the mesh alone.")
	}
	return false
}

func (t *translation) input(ref ast.Ref, row int) {
	for _, p := range places {
		if len(ref) <= len(p.from) || !slices.EqualFunc(p.from, []*ast.Term(ref[1:len(p.from)+1]), func(s string, term *ast.Term) bool { return term.Equal(ast.StringTerm(s)) }) {
			continue
		}
		t.admission = t.admission || p.onlyAdmission
		t.replace(ref, len(p.from), p.to)
		return
	}
	t.refuse(row, "it looks at %s, which a rule is not given. What it is given is in `go doc ./rules`.", ref)
}

func (t *translation) data(ref ast.Ref, row int) {
	if len(ref) > 1 && ref[1].Equal(ast.StringTerm("lib")) && t.libs != "" {
		t.replace(ref, 1, "data."+t.libs)
		return
	}
	if len(ref) > 1 && ref[1].Equal(ast.StringTerm("inventory")) {
		t.refuse(row, "it looks at data.inventory, and rules keep no data. Ask the mesh: mesh.policies(kind, namespace), mesh.services(namespace).")
		return
	}
	t.refuse(row, "it looks at %s, and rules keep no data. Ask mesh.*, or make it a parameter.", ref)
}

// replace puts a text in the place of a reference up to its n-th element.
func (t *translation) replace(ref ast.Ref, n int, text string) {
	last := ref[n].Location
	end := last.Offset + len(last.Text)
	if last.Text[0] == '"' || last.Text[0] == '`' { // it is written in brackets
		end += strings.IndexByte(t.source[end:], ']') + 1
	}
	t.edits = append(t.edits, edit{ref[0].Location.Offset, end, text})
}

// apply makes the edits, each place once.
func (t *translation) apply() string {
	slices.SortFunc(t.edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	t.edits = slices.Compact(t.edits)
	var b strings.Builder
	at := 0
	for _, e := range t.edits {
		if e.from < at {
			panic(fmt.Sprintf("gatekeeper: two edits at %d", e.from))
		}
		b.WriteString(t.source[at:e.from] + e.text)
		at = e.to
	}
	return b.String() + t.source[at:]
}
