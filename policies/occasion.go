package policies

import (
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Phase is when checks are asked.
type Phase string

// The phases.
const (
	AtAdmission Phase = "admission" // before an object is stored
	AtAudit     Phase = "audit"     // of what is stored, again and again
	AtScan      Phase = "scan"      // of files, or of a cluster once
)

// Phases are all of them.
var Phases = []Phase{AtAdmission, AtAudit, AtScan}

// Occasion is why checks are asked: when, by whom, and for how long they may think. The checks of this package's Go code
// find by the mesh alone; rules in Rego may look at the rest. The zero value is a scan at a time that is not known.
type Occasion struct {
	Phase Phase // "" is AtScan
	// Now is the time; zero where nobody may know it.
	Now time.Time
	// Parameters are what Guardrails give to checks; nil where they give nothing.
	Parameters *Parameters

	// Only are the IDs of the checks that are asked, so that those which answer together need not answer for others; nil where any may be.
	Only []string

	// Meter hears what it costs to ask, and what could not be answered. Nil for nobody.
	Meter *Meter

	// What follows is of one request, and empty but at admission.

	Operation string // CREATE, UPDATE or DELETE
	DryRun    bool
	User      User
	// Own is whether Waywarden makes the request itself; also as long as it does not know as whom it does.
	Own bool
	// Old is the object as it is stored; nil for one that is created.
	Old *mesh.Object

	// Over is whether the time for an answer is over, so that whoever still thinks must stop. Nil for no bound. It is called
	// often, from one goroutine at a time.
	Over func() bool
}

// User is who makes a request, as the API server says.
type User struct {
	Username string
	UID      string
	Groups   []string
	Extra    map[string][]string
}

// PhaseOr is the phase, AtScan where none is set.
func (o *Occasion) PhaseOr() Phase {
	if o.Phase == "" {
		return AtScan
	}
	return o.Phase
}

// Meter is who counts what it costs to ask checks. Its functions may be nil; they are called from wherever a check is asked, so they must
// be safe for concurrent use and must not block.
type Meter struct {
	// Took hears how long it took to ask a check that is asked of somebody else: of a rule in Rego, OPA. [Together] is the ID
	// where several were asked at once.
	Took func(check string, took time.Duration)
	// Failed hears of each question that a check could not answer.
	Failed func(Failure)
}

// Together stands for the ID of a check where several were asked at once, and nobody can say which took how long. It is no ID: those have
// a slash.
const Together = "together"

func (m *Meter) failed(f Failure) {
	if m != nil && m.Failed != nil {
		m.Failed(f)
	}
}

// Failure is a question that a check could not answer. It is never to be taken for "nothing found".
type Failure struct {
	Check  string
	Object mesh.Ref
	// Message says in whole sentences what went wrong and what to do.
	Message string
	// Finding is the failure as a finding, for whoever must decide about it: a question that was not answered may not let
	// through what the answer would have kept out.
	Finding Finding
}

// Skip is a question that does not apply to an object, and why: so that "nothing found" means something.
type Skip struct {
	Check  string
	Object mesh.Ref
	Reason string
}

// Fail says that the check could not be asked of the object.
func (p *Pass) Fail(message string) {
	f := failed(p.Check, p.Object, message)
	p.rest(&f.Finding)
	p.failures = append(p.failures, f)
	p.Occasion.Meter.failed(f)
}

func failed(c *Check, o *mesh.Object, message string) Failure {
	f := Finding{Failed: true, Message: "it is not known whether anything is wrong: check " + c.ID + " could not be asked: " + message}
	f.Remedy = "Correct the rule, or have it corrected."
	f.fill(c, o)
	return Failure{Check: c.ID, Object: o.Ref(), Message: message, Finding: f}
}

// Skip says that the check does not apply to the object.
func (p *Pass) Skip(reason string) {
	p.skips = append(p.skips, Skip{Check: p.Check.ID, Object: p.Object.Ref(), Reason: reason})
}

// Fail says that the check could not be asked of the change.
func (p *ChangePass) Fail(message string) {
	f := failed(p.Check, p.Object(), message)
	p.place(&f.Finding)
	p.After.failures = append(p.After.failures, f)
	p.After.Occasion.Meter.failed(f)
}

// Skip says that the check does not apply to the change.
func (p *ChangePass) Skip(reason string) {
	p.After.skips = append(p.After.skips, Skip{Check: p.Check.ID, Object: p.Object().Ref(), Reason: reason})
}

// TakeFailures are the questions that could not be answered since it was last called.
func (v *View) TakeFailures() []Failure {
	out := v.failures
	v.failures = nil
	return out
}

// TakeSkips are the questions that did not apply since it was last called.
func (v *View) TakeSkips() []Skip {
	out := v.skips
	v.skips = nil
	return out
}
