package plan

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Change is what a plan makes of one policy at one target.
type Change struct {
	Object mesh.Ref        `json:"object"`
	Target policies.Target `json:"target"`
	Before []State         `json:"before"`
	After  []State         `json:"after"`
	Turn   Turn            `json:"turn"`
	// Class is why; "" where that is not known.
	Class Class `json:"class"`
	// Message is what there is to say of the policy afterwards.
	Message string `json:"message"`
}

// State is one effect, as far as it can change.
type State struct {
	EnforcedBy policies.EnforcedBy `json:"enforcedBy"`
	By         *mesh.Ref           `json:"by"`
	Verdict    policies.Verdict    `json:"verdict"`
	Reason     string              `json:"reason"`
}

// Turn is which way a change goes.
type Turn string

// The turns. Weaker and Denies are what to look at before the plan is carried out.
const (
	Stronger Turn = "stronger" // more of it is in force
	Weaker   Turn = "weaker"   // less of it is in force: calls get through that did not
	Denies   Turn = "denies"   // calls are denied that it does not mean to deny
	Other    Turn = "other"    // somebody else carries it out, or for another reason
)

func (c Change) key() string { return c.Object.String() + " " + c.Target.String() }

// harms is whether somebody has to agree to the change.
func (c Change) harms() bool { return c.Turn == Weaker || c.Turn == Denies }

// changes compares what some policies do before and after.
func changes(view *policies.View, after *mesh.Snapshot, of []*mesh.Object, until *deadline) []Change {
	out := []Change{}
	for _, o := range of {
		if until.over() {
			return nil
		}
		out = append(out, changesOf(view, after, o)...)
	}
	slices.SortStableFunc(out, func(a, b Change) int {
		return cmp.Or(a.Object.Compare(b.Object), strings.Compare(a.Target.String(), b.Target.String()))
	})
	return out
}

// changesOf compares what one policy does before and after, target by target.
func changesOf(view *policies.View, after *mesh.Snapshot, o *mesh.Object) []Change {
	now, then := view.Effects(o), policies.Effects(after, after.Get(o.Kind, o.Namespace, o.Name))
	if slices.EqualFunc(now, then, alike) {
		return nil
	}
	var out []Change
	for _, t := range union(now, then) {
		before, later := at(now, t), at(then, t)
		c := Change{Object: o.Ref(), Target: t, Before: states(before), After: states(later)}
		if slices.EqualFunc(c.Before, c.After, State.equal) {
			continue
		}
		was, is := tells(before), tells(later)
		c.Turn, c.Message = turn(was.Verdict, is.Verdict), is.Message
		c.Class = classify(c, later)
		out = append(out, c)
	}
	return out
}

// alike is whether two effects of a policy are the same, as far as they can change. Most are.
func alike(a, b policies.Effect) bool {
	return identical(a.Target, b.Target) && a.EnforcedBy == b.EnforcedBy && a.Verdict == b.Verdict && a.Reason == b.Reason &&
		(a.By == nil) == (b.By == nil) && (a.By == nil || *a.By == *b.By)
}

// policyKinds are the kinds that have effects.
var policyKinds = slices.DeleteFunc(mesh.Kinds(), func(k mesh.Kind) bool { return !k.IsPolicy() })

// policiesOf are the policies of some namespaces, each named once; nil is all of them.
func policiesOf(s *mesh.Snapshot, namespaces []string) iter.Seq[*mesh.Object] {
	return func(yield func(*mesh.Object) bool) {
		if namespaces == nil {
			for _, kind := range policyKinds {
				for o := range s.All(kind) {
					if !yield(o) {
						return
					}
				}
			}
			return
		}
		for _, ns := range slices.Compact(slices.Sorted(slices.Values(namespaces))) {
			for _, kind := range policyKinds {
				for _, o := range s.List(kind, ns) {
					if !yield(o) {
						return
					}
				}
			}
		}
	}
}

func (s State) equal(o State) bool {
	return s.EnforcedBy == o.EnforcedBy && s.Verdict == o.Verdict && s.Reason == o.Reason &&
		(s.By == nil) == (o.By == nil) && (s.By == nil || *s.By == *o.By)
}

func union(a, b []policies.Effect) []policies.Target {
	var out []policies.Target
	for _, e := range slices.Concat(a, b) {
		if !slices.ContainsFunc(out, func(t policies.Target) bool { return identical(t, e.Target) }) {
			out = append(out, e.Target)
		}
	}
	return out
}

func identical(a, b policies.Target) bool { return same(a, b) && maps.Equal(a.Labels, b.Labels) }

func at(effects []policies.Effect, t policies.Target) []policies.Effect {
	var out []policies.Effect
	for _, e := range effects {
		if identical(e.Target, t) {
			out = append(out, e)
		}
	}
	return out
}

func states(effects []policies.Effect) []State {
	out := []State{}
	for _, e := range effects {
		out = append(out, State{e.EnforcedBy, e.By, e.Verdict, e.Reason})
	}
	return out
}

// tells is the effect that tells most of several.
func tells(effects []policies.Effect) policies.Effect {
	var out policies.Effect
	for i, e := range effects {
		if i == 0 || e.Verdict.Worse(out.Verdict) {
			out = e
		}
	}
	return out
}

func turn(was, is policies.Verdict) Turn {
	denies := func(v policies.Verdict) bool { return v == policies.OverDenies || v == policies.DeniesAll }
	switch {
	case denies(is) && was != is:
		return Denies
	case is.FailsOpen() && is.Worse(was):
		return Weaker
	case was.Worse(is) && was != policies.Unknown:
		return Stronger
	}
	return Other
}
