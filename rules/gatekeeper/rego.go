package gatekeeper

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/waywarden/waywarden/rules"
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

// aim is what a module becomes.
type aim struct {
	pkg  string // as a path
	libs string // the package that data.lib becomes
	v1   bool   // it is Rego v1 already
	lib  bool   // it is a lib, which several rules may share
	pods bool   // it judges pods, and is asked of what makes them
}

// translated is Rego v1 in our words.
type translated struct {
	text string // "" where something is refused
	// admission is whether it looks at what is there at admission only.
	admission bool
	// pods is whether it is asked of what makes pods.
	pods bool
}

// translation is a module on its way from Gatekeeper's words to ours.
type translation struct {
	aim
	source    string
	edits     []edit
	admission bool
	refuse    func(line int, format string, args ...any)
}

type edit struct {
	from, to int
	text     string
}

// translate makes Rego v1 in our words of a module, with another package. A place that is refused is a line of the module, or of what it is as
// v1, which then is said.
func translate(source string, to aim, refuse func(place, format string, args ...any)) translated {
	module, text, ok := asV1(source, to.v1, refuse)
	if !ok {
		return translated{}
	}
	refused := false
	t := &translation{aim: to, source: text, refuse: func(line int, format string, args ...any) {
		refused = true
		refuse(fmt.Sprintf("line %d of its Rego as v1", line), format, args...)
	}}
	t.pods = to.pods && !looksAtOwners(module)
	t.header(module, to.pkg)
	ast.WalkTerms(module, func(term *ast.Term) bool { return t.term(term) })
	if t.pods && !to.lib {
		t.ownNames(module)
	}
	for _, r := range module.Rules {
		t.unusedArguments(r)
		if r.Head.Name == "violation" && !t.pods {
			t.edits = append(t.edits, edit{r.Location.Offset, r.Location.Offset + len("violation"), "deny"})
		}
	}
	if refused {
		return translated{}
	}
	return translated{t.apply(), t.admission, t.pods}
}

// unusedArguments writes _ for arguments that a function does not look at, which a rule may not name. Where there is an else, one of its
// bodies may.
func (t *translation) unusedArguments(r *ast.Rule) {
	if r.Else != nil {
		return
	}
	seen := map[ast.Var]int{}
	ast.WalkVars(r, func(v ast.Var) bool {
		seen[v]++
		return false
	})
	for _, a := range r.Head.Args {
		if v, ok := a.Value.(ast.Var); ok && !v.IsWildcard() && seen[v] == 1 {
			t.edits = append(t.edits, edit{a.Location.Offset, a.Location.Offset + len(a.Location.Text), "_"})
		}
	}
}

// asV1 is a module as v1 reads it, and as it is written then; ok is false where something is refused.
func asV1(source string, v1 bool, refuse func(place, format string, args ...any)) (module *ast.Module, text string, ok bool) {
	version := ast.RegoV0
	if v1 {
		version = ast.RegoV1
	}
	parsed, err := ast.ParseModuleWithOpts("", source, ast.ParserOptions{RegoVersion: version})
	if err != nil || parsed == nil {
		unreadable(err, "its Rego cannot be read: %v. Correct it.", refuse)
		return nil, "", false
	}
	ok = true
	if errs := ast.CheckRegoV1(parsed); len(errs) > 0 && !v1 {
		for _, e := range errs {
			if !strings.Contains(e.Message, "keyword") { // `if` and `contains` are written in below
				refuse(fmt.Sprintf("line %d of its Rego", e.Location.Row), "Rego v1 reads it otherwise: %s. Correct it.", e.Message)
				ok = false
			}
		}
	}
	if !ok {
		return nil, "", false // which to lay it out would say again
	}
	formatted, err := format.SourceWithOpts("", []byte(source), format.Opts{RegoVersion: ast.RegoV1, ParserOptions: &ast.ParserOptions{RegoVersion: version}})
	if err != nil {
		unreadable(err, "its Rego cannot be made v1: %v. Correct it.", refuse)
		return nil, "", false
	}
	module, err = ast.ParseModuleWithOpts("", string(formatted), ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		unreadable(err, "its Rego is not v1 once it is laid out: %v. Correct it.", refuse)
		return nil, "", false
	}
	return module, string(formatted), true
}

// unreadable refuses each mistake that OPA tells, at its line where it has one.
func unreadable(err error, format string, refuse func(place, format string, args ...any)) {
	errs, ok := err.(ast.Errors)
	if !ok {
		refuse("its Rego", format, err)
		return
	}
	for _, e := range errs {
		place := "its Rego"
		if e.Location != nil && e.Location.Row > 0 {
			place = fmt.Sprintf("line %d of its Rego", e.Location.Row)
		}
		refuse(place, format, rules.OneLine(e.Message))
	}
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
	if t.pods && t.ofPod(ref, row) {
		return
	}
	for _, p := range places {
		if !begins(ref, p.from...) {
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
