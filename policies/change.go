package policies

import (
	"reflect"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Change is one object that is created, replaced or deleted, and the mesh on either side of it.
type Change struct {
	// Old is the object as it is stored, nil for one that is created; New as it would be, nil for
	// one that is deleted. At least one is set.
	Old, New      *mesh.Object
	Before, After *View
}

// Object is the object in the form that there is: as it would be, or the one that goes.
func (c *Change) Object() *mesh.Object {
	if c.New != nil {
		return c.New
	}
	return c.Old
}

// Decides is whether the change touches anything by which a mesh is judged: the labels, the
// annotations, the spec, or that the object is there at all.
func (c *Change) Decides() bool {
	return c.Old == nil || c.New == nil || !sameMap(c.Old.Labels, c.New.Labels) || !sameMap(c.Old.Annotations, c.New.Annotations) ||
		!reflect.DeepEqual(c.Old.Spec, c.New.Spec)
}

func sameMap(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// ChangePass is one run of a Check on one Change.
type ChangePass struct {
	*Change
	Check *Check

	findings []Finding
}

// Report adds a finding about the changed object. Check, Object, Severity and Remedy are filled in where they are
// empty, and Namespaces with the object's own. It waits for nothing: what a change takes away does not come back by
// itself.
func (p *ChangePass) Report(f Finding) {
	f.fill(p.Check, p.Object())
	p.place(&f)
	p.findings = append(p.findings, f)
}

func (p *ChangePass) place(f *Finding) {
	if ns := p.Object().Home(); f.Namespaces == nil && ns != "" {
		f.Namespaces = []string{ns}
	}
}

// EvaluateChange asks the checks what a change does to the rest of the mesh, and returns what they
// find, sorted. Checks that ask about objects are passed over, as [Evaluate] passes over those that
// ask about changes.
func EvaluateChange(checks []*Check, c *Change) []Finding {
	p := ChangePass{Change: c}
	for _, check := range checks {
		if check.Change != nil && slices.Contains(check.Kinds, c.Object().Kind) {
			p.Check = check
			check.Change(&p)
		}
	}
	slices.SortFunc(p.findings, CompareFindings)
	return p.findings
}
