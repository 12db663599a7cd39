package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// The apiVersion and kind of a ScanResult. Fields are only ever added.
const (
	APIVersion = "output.waywarden.dev/v1"
	ScanKind   = "ScanResult"
)

// ScanResult is all that an evaluation says. Arrays are sorted and never nil.
type ScanResult struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Summary    Summary   `json:"summary"`
	Effects    []Effect  `json:"effects"`
	Bindings   []Binding `json:"bindings"`
	Findings   []Finding `json:"findings"`
	// Errors are what could not be read or evaluated. Everything else is still there.
	Errors []Error `json:"errors"`
	// Unread are kinds that the cluster did not let us list.
	Unread []Unread `json:"unread"`
	// Ignored counts the objects of kinds that decide nothing in a mesh, by "apiVersion/kind".
	Ignored map[string]int `json:"ignored"`

	// Judged are the objects that were judged, for formats that say what passed.
	Judged []Judged `json:"-"`
	// Checks are those that were asked, for formats that explain them.
	Checks []*policies.Check `json:"-"`
	// Frameworks are those whose controls formats name with the checks.
	Frameworks []string `json:"-"`
	// Notice says what those are to be taken for; "" where there are none.
	Notice string `json:"-"`
}

// Summary counts.
type Summary struct {
	Objects  int            `json:"objects"`  // all that were read and decide something
	Policies int            `json:"policies"` // those judged that have effects
	Checks   int            `json:"checks"`   // those asked
	Findings SeverityCounts `json:"findings"` // exempt ones left out
}

// SeverityCounts counts findings. A struct, so that the worst comes first.
type SeverityCounts struct {
	Critical int `json:"critical"`
	High     int `json:"high"`
	Medium   int `json:"medium"`
	Low      int `json:"low"`
	Info     int `json:"info"`
}

// Of is the count of one severity.
func (c *SeverityCounts) Of(s policies.Severity) int { return *c.at(s) }

// Add counts one more of a severity.
func (c *SeverityCounts) Add(s policies.Severity) { *c.at(s)++ }

func (c *SeverityCounts) at(s policies.Severity) *int {
	switch s {
	case policies.Critical:
		return &c.Critical
	case policies.High:
		return &c.High
	case policies.Medium:
		return &c.Medium
	case policies.Low:
		return &c.Low
	}
	return &c.Info
}

// Total is the count of all.
func (c *SeverityCounts) Total() int { return c.Critical + c.High + c.Medium + c.Low + c.Info }

// Location is a place in a file; lines and columns count from 1.
type Location struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func (l *Location) compare(o *Location) int {
	if l == nil || o == nil {
		return cmp.Compare(boolInt(l != nil), boolInt(o != nil))
	}
	return cmp.Or(strings.Compare(l.File, o.File), cmp.Compare(l.Line, o.Line), cmp.Compare(l.Column, o.Column))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Effect is what a policy really does, with the place of its cause; null for an object of a cluster.
type Effect struct {
	policies.Effect
	Location *Location `json:"location"`
	// Unplanned is whether no waypoint is planned for its target, whatever it says of one.
	Unplanned bool `json:"-"`
}

// At is an effect with its place. What enforces it, and what a label is waited for on, are named
// without a version, as a binding names its waypoint: a Gateway is the same in all of them.
func At(e policies.Effect, location *Location) Effect {
	e.By = unversioned(e.By)
	e.WaitsFor = slices.Clone(notNil(e.WaitsFor))
	for i := range e.WaitsFor {
		e.WaitsFor[i].On = unversioned(e.WaitsFor[i].On)
	}
	return Effect{Effect: e, Location: location}
}

func unversioned(r *mesh.Ref) *mesh.Ref {
	if r == nil {
		return nil
	}
	return &mesh.Ref{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}

// Finding is one answer of a check, with the place of the offending field.
type Finding struct {
	policies.Finding
	Location *Location `json:"location"`
	// Known is whether the baseline has it.
	Known bool `json:"known,omitempty"`
	// Guardrail is what demands the action; "" where none names the check.
	Guardrail string `json:"guardrail,omitempty"`
	// Exemption is by what the finding is exempt; null where it is not.
	Exemption *Exemption `json:"exemption,omitempty"`
	// Note says why the finding is treated as it is, where there is something to say.
	Note string `json:"note,omitempty"`
}

// told is a finding in one text: what, what to do, and why it is treated as it is.
func (f *Finding) told() string {
	text := f.Message + " " + f.Remedy
	if f.Note != "" {
		text += " " + f.Note
	}
	return text
}

// Exemption is by what a finding is exempt, why, and until when.
type Exemption struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Reason    string    `json:"reason"`
	Ticket    string    `json:"ticket,omitempty"`
	GrantedBy string    `json:"grantedBy,omitempty"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Binding is whether a Service, ServiceEntry or WorkloadEntry is bound to the waypoint that it, or
// its Namespace, asks for.
type Binding struct {
	Object   mesh.Ref  `json:"object"`
	Bound    bool      `json:"bound"`
	Reason   string    `json:"reason"`
	Waypoint *Named    `json:"waypoint"` // null where the input does not show whether one is asked for
	AskedBy  string    `json:"askedBy"`
	Ingress  bool      `json:"ingress"`
	Message  string    `json:"message"`
	Location *Location `json:"location"`
}

// Named names an object without its version.
type Named struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Error is something that could not be read or evaluated.
type Error struct {
	Message  string    `json:"message"`
	Object   *mesh.Ref `json:"object,omitempty"`
	Field    string    `json:"field,omitempty"`
	Check    string    `json:"check,omitempty"`
	Location *Location `json:"location"`
}

// Unread is a kind that could not be listed, why, and what that leaves unknown.
type Unread struct {
	Kind     string `json:"kind"`
	Resource string `json:"resource"` // as in "gateways.gateway.networking.k8s.io"
	Why      string `json:"why"`
	Leaves   string `json:"leaves"` // what that leaves unknown, as a sentence
}

// Judged is an object of which checks were asked.
type Judged struct {
	Object   mesh.Ref
	Location *Location
	Checks   []string
	// Skipped are the reasons of the checks that say they do not apply, by their IDs.
	Skipped map[string]string
}

// Finish fills in what follows from the rest: order, counts, and empty arrays for absent ones.
func (r *ScanResult) Finish() *ScanResult {
	r.APIVersion, r.Kind = APIVersion, ScanKind
	slices.SortStableFunc(r.Effects, compareEffects)
	slices.SortStableFunc(r.Bindings, func(a, b Binding) int { return a.Object.Compare(b.Object) })
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(policies.CompareFindings(a.Finding, b.Finding), a.Location.compare(b.Location))
	})
	slices.SortStableFunc(r.Errors, compareErrors)
	slices.SortFunc(r.Unread, func(a, b Unread) int { return strings.Compare(a.Resource, b.Resource) })
	slices.SortFunc(r.Judged, func(a, b Judged) int { return a.Object.Compare(b.Object) })
	r.Effects, r.Bindings, r.Findings = notNil(r.Effects), notNil(r.Bindings), notNil(r.Findings)
	r.Errors, r.Unread = notNil(r.Errors), notNil(r.Unread)
	if r.Ignored == nil {
		r.Ignored = map[string]int{}
	}
	r.Summary.Findings = SeverityCounts{}
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Related, f.Fixes = notNil(f.Related), slices.Clone(notNil(f.Fixes))
		for j := range f.Fixes {
			f.Fixes[j].Patch, f.Fixes[j].Apply = notNil(f.Fixes[j].Patch), notNil(f.Fixes[j].Apply)
		}
		if !f.Exempt {
			*r.Summary.Findings.at(f.Severity)++
		}
	}
	return r
}

func compareEffects(a, b Effect) int {
	return cmp.Or(a.Object.Compare(b.Object), strings.Compare(a.Target.String(), b.Target.String()),
		strings.Compare(string(a.EnforcedBy), string(b.EnforcedBy)))
}

func compareErrors(a, b Error) int {
	if c := a.Location.compare(b.Location); c != 0 {
		return c
	}
	if a.Object != nil && b.Object != nil {
		if c := a.Object.Compare(*b.Object); c != 0 {
			return c
		}
	}
	return cmp.Or(strings.Compare(a.Check, b.Check), strings.Compare(a.Field, b.Field), strings.Compare(a.Message, b.Message))
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
