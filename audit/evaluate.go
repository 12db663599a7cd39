package audit

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Answer is what there is to say of one object.
type Answer struct {
	Object   *mesh.Object
	Effects  []policies.Effect
	Findings []policies.Finding
	// Failures are the questions that a check could not answer, and Skips those that do not apply.
	Failures []policies.Failure
	Skips    []policies.Skip
	// Panics are the questions that met an impossible state. All other answers stand.
	Panics []Panic
}

// Panic is a question that could not be answered because the program is wrong.
type Panic struct {
	Check string // its ID; "" where the effects themselves could not be judged
	Value string
}

// batch is how many neighbouring objects a goroutine takes at once: objects of one namespace share
// much of what a View remembers.
const batch = 32

// Evaluate judges objects of a Snapshot on all processors. Answers come in the order of objects,
// whatever the processors do. progress, which may be nil, is called from many goroutines with the
// number of objects just done.
func Evaluate(s *mesh.Snapshot, objects []*mesh.Object, checks []*policies.Check, progress func(done int)) []Answer {
	return EvaluateOn(policies.Occasion{}, s, objects, checks, progress)
}

// EvaluateOn is Evaluate on an occasion, at which rules in Rego may look.
func EvaluateOn(occasion policies.Occasion, s *mesh.Snapshot, objects []*mesh.Object, checks []*policies.Check, progress func(done int)) []Answer {
	answers := make([]Answer, len(objects))
	byKind := map[mesh.Kind][]*policies.Check{}
	for _, c := range checks {
		for _, k := range c.Kinds {
			byKind[k] = append(byKind[k], c)
		}
	}
	var (
		next  atomic.Int64
		group sync.WaitGroup
	)
	for range min(runtime.GOMAXPROCS(0), len(objects)/batch+1) {
		group.Go(func() {
			view := policies.NewView(s) // a View is for one goroutine
			view.Occasion = occasion
			for {
				from := int(next.Add(batch)) - batch
				if from >= len(objects) {
					return
				}
				to := min(from+batch, len(objects))
				for i := from; i < to; i++ {
					answers[i] = answer(view, objects[i], byKind[objects[i].Kind])
				}
				if progress != nil {
					progress(to - from)
				}
			}
		})
	}
	group.Wait()
	return answers
}

func answer(view *policies.View, o *mesh.Object, checks []*policies.Check) Answer {
	a := Answer{Object: o}
	a.try("", func() { a.Effects = view.Effects(o) })
	for i, c := range checks {
		a.try(c.ID, func() { a.Findings = append(a.Findings, policies.Evaluate(checks[i:i+1], view, o)...) })
	}
	a.Failures, a.Skips = view.TakeFailures(), view.TakeSkips()
	slices.SortFunc(a.Findings, policies.CompareFindings)
	return a
}

// try answers one question. A panic is an answer too; many checks that meet the same one, because
// they all ask for the same effects, are told once.
func (a *Answer) try(check string, ask func()) {
	defer func() {
		if r := recover(); r != nil {
			value := fmt.Sprint(r)
			if !slices.ContainsFunc(a.Panics, func(p Panic) bool { return p.Value == value }) {
				a.Panics = append(a.Panics, Panic{Check: check, Value: value})
			}
		}
	}()
	ask()
}
