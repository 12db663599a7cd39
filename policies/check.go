package policies

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Check is one question asked of one object. A check in Go and a rule in Rego are the same kind of thing.
type Check struct {
	// ID is a kebab-case path, as in "effect/l7-deny-no-op". It is never renamed.
	ID string
	// Title says what is wrong where the check finds something, in a few words.
	Title string
	// Severity is that of its findings, unless one says otherwise.
	Severity Severity
	// Kinds are the kinds of objects that it is asked of.
	Kinds []mesh.Kind
	// Reads are kinds whose objects it asks the mesh for, as far as it says so. Where one of them may not be read, it skips.
	Reads []mesh.Kind
	// About is what it is about where that is no object of a mesh, such as an Exemption. Such a check has no Kinds and
	// no Run: whoever registers it reports its findings.
	About string
	// Doc says what is found, why it matters, and what Istio does, for a person who reads a finding.
	Doc string
	// Remedy says what to do about it.
	Remedy string
	// Cases are the numbers of docs/semantics.md that it finds.
	Cases []int
	// Controls are those that its findings give evidence for, by the ID of their framework in rules/controls.
	Controls Controls
	// Demands is whether it finds what has to be there and is not, as rules in Rego do. The others find that what is
	// written does not do what it says: where nothing is written, they have nothing against it. That they find nothing is not
	// enough for a control to be satisfied.
	Demands bool
	// Revision is a digest of what it was made of, as in "sha256:…", for evidence; "" for a check of this program.
	Revision string
	// Takes says what is wrong with parameters that a Guardrail gives; nil for a check that takes none.
	Takes func(params map[string]any) (wrong []string)
	// Example is an object in which it finds something, as YAML; "" where its scenarios are elsewhere.
	Example string
	// Run asks the question of an object as it is; Change asks it of a change, at admission, where
	// the mesh before is known as well. A check in Go has one of the two. A rule in Rego that is asked about deletions too has
	// both, and its Change is silent about anything else.
	Run    func(*Pass)
	Change func(*ChangePass)
}

// Controls names controls by framework, as in "nist-800-53-r5": {"AC-3"}. What is named is evidence for them, never proof of
// them.
type Controls = map[string][]string

// Pass is one run of a Check on one object.
type Pass struct {
	*View
	Check  *Check
	Object *mesh.Object

	findings []Finding
}

// Report adds a finding. Check, Object, Severity and Remedy are filled in where they are empty, and so are Namespaces
// and WaitsFor, from the effects that the finding is about.
func (p *Pass) Report(f Finding) {
	f.fill(p.Check, p.Object)
	p.rest(&f)
	p.findings = append(p.findings, f)
}

var registry = map[string]*Check{}

// Register adds a check to the built-in ones. It panics on a mistake in the check, which is a
// mistake in the program: every test that imports the check finds it.
func Register(c Check) *Check {
	switch {
	case c.ID == "" || strings.ToLower(c.ID) != c.ID || strings.ContainsAny(c.ID, "_ "):
		panic(fmt.Sprintf("policies: check ID %q is not a kebab-case path", c.ID))
	case registry[c.ID] != nil:
		panic("policies: two checks are called " + c.ID)
	case c.Title == "" || c.Doc == "" || c.Remedy == "" || c.Severity.Rank() == len(Severities):
		panic("policies: check " + c.ID + " lacks a title, doc, remedy or severity")
	case c.About == "" && (len(c.Kinds) == 0 || (c.Run == nil) == (c.Change == nil)):
		panic("policies: check " + c.ID + " lacks kinds, or has not one of Run and Change")
	}
	registry[c.ID] = &c
	return &c
}

// Checks are the built-in checks whose ID matches one of the globs, sorted by ID; all without
// a glob. "*" stands for anything but "/", and a pattern that ends in "/*" for all below it.
func Checks(globs ...string) []*Check {
	var out []*Check
	for _, c := range registry {
		if len(globs) == 0 || slices.ContainsFunc(globs, func(g string) bool { return MatchID(g, c.ID) }) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b *Check) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// AboutObjects are those of the checks that are asked of objects as they are, and not of changes: what a
// scan can ask.
func AboutObjects(checks []*Check) []*Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c *Check) bool { return c.Run == nil && c.Change != nil })
}

// MatchID reports whether a check's ID matches a glob.
func MatchID(glob, id string) bool {
	if prefix, ok := strings.CutSuffix(glob, "/*"); ok && strings.HasPrefix(id, prefix+"/") {
		return true
	}
	ok, err := path.Match(glob, id)
	return err == nil && (ok || glob == "*")
}

// Evaluate asks the checks of one object and returns what they find, sorted.
func Evaluate(checks []*Check, view *View, o *mesh.Object) []Finding {
	p := Pass{View: view, Object: o}
	for _, c := range checks {
		if c.Run != nil && slices.Contains(c.Kinds, o.Kind) {
			p.Check = c
			c.Run(&p)
		}
	}
	slices.SortFunc(p.findings, CompareFindings)
	return p.findings
}
