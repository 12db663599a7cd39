package policies

import (
	"cmp"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Severity is how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
	Info     Severity = "info"
)

// Severities are all of them, the worst first.
var Severities = []Severity{Critical, High, Medium, Low, Info}

// Rank is 0 for the worst; len(Severities) for what is none.
func (s Severity) Rank() int {
	for i, x := range Severities {
		if x == s {
			return i
		}
	}
	return len(Severities)
}

// Finding is one answer of a Check: object, field, consequence, cause, and its cure.
type Finding struct {
	Check    string     `json:"check"`
	Severity Severity   `json:"severity"`
	Verdict  Verdict    `json:"verdict"` // "" where the finding is about no effect of a policy
	Action   string     `json:"action"`
	Exempt   bool       `json:"exempt"`
	Object   mesh.Ref   `json:"object"`
	Field    string     `json:"field"`
	Message  string     `json:"message"` // consequence: cause.
	Remedy   string     `json:"remedy"`  // what to do, as a sentence
	Related  []mesh.Ref `json:"related"`
	Fixes    []Fix      `json:"fixes"`
	// Details are what a rule in Rego says besides, for programs; nil where it says nothing.
	Details map[string]any `json:"details,omitempty"`

	// Namespaces are those in which what is found changes something, sorted: not that of the object but those of its
	// targets. None where it is about something that lies in no namespace. Whoever shares the slice does not write to it.
	Namespaces []string `json:"-"`
	// Params are the keys of the parameters with which it was found; nil for a check without any.
	Params []string `json:"-"`
	// Failed is whether nothing was found out, because the check could not be asked.
	Failed bool `json:"-"`
	// WaitsFor is what by its mere appearance would make the finding go away; empty where the object is wrong as it
	// stands, whatever else is stored.
	WaitsFor []Wait `json:"-"`
}

// fill enters what every finding of a check about an object has, where it is empty.
func (f *Finding) fill(c *Check, o *mesh.Object) {
	f.Check = c.ID
	if f.Object.Kind == "" {
		f.Object = o.Ref()
	}
	if f.Severity == "" {
		f.Severity = c.Severity
	}
	if f.Remedy == "" {
		f.Remedy = c.Remedy
	}
	if f.Action == "" {
		f.Action = "Warn"
	}
}

// Fix is one way to make a finding go away. Patch is safe to apply to the object in the mesh as it
// is: no path is less restricted afterwards, and no allowed traffic is denied that Message does not
// name. Apply are other objects that go with it, or that stand alone where no patch will do.
type Fix struct {
	Message string           `json:"message"`
	Patch   []Op             `json:"patch"`
	Apply   []map[string]any `json:"apply"`
}

// Op is one operation of RFC 6902.
type Op struct {
	Op    string `json:"op"` // add, remove, replace or test
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// Pointer makes a JSON pointer of path elements, escaped as RFC 6901 says.
func Pointer(elements ...string) string {
	var b strings.Builder
	for _, e := range elements {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(e))
	}
	return b.String()
}

// CompareFindings orders by severity, object, check, field and message.
func CompareFindings(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), a.Object.Compare(b.Object),
		strings.Compare(a.Check, b.Check), strings.Compare(a.Field, b.Field), strings.Compare(a.Message, b.Message))
}
