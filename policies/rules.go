package policies

import (
	"slices"
	"strconv"

	"github.com/waywarden/waywarden/policies/mesh"
)

// fate is what becomes of a rule, or of a part of it, at one enforcement point.
type fate struct {
	never  bool // it can match nothing there
	lost   bool // some of its alternatives can match nothing, others can
	wide   bool // it matches more than it says
	causes []Cause
	widens []Cause // what makes it match more, rather than less
}

func (f *fate) add(reason, field, text string) {
	f.causes = append(f.causes, Cause{Reason: reason, Field: field, Text: text})
}

// widen notes that it matches more than it says, and why.
func (f *fate) widen(reason, field, text string) {
	f.wide = true
	f.widens = append(f.widens, Cause{Reason: reason, Field: field, Text: text})
}

// anyOf is the fate of alternatives.
func anyOf(alternatives []fate) fate {
	out := fate{never: len(alternatives) > 0}
	some := false
	for _, a := range alternatives {
		out.never = out.never && a.never
		some = some || a.never
		out.lost = out.lost || a.lost
		out.wide = out.wide || a.wide && !a.never
		out.causes, out.widens = append(out.causes, a.causes...), append(out.widens, a.widens...)
	}
	out.lost = !out.never && (out.lost || some)
	return out
}

// allOf is the fate of parts that must all match.
func allOf(parts []fate) fate {
	var out fate
	for _, p := range parts {
		out.never = out.never || p.never
		out.lost = out.lost || p.lost
		out.wide = out.wide || p.wide
		out.causes, out.widens = append(out.causes, p.causes...), append(out.widens, p.widens...)
	}
	return out
}

// judgement is the outcome for a whole policy.
type judgement struct {
	verdict Verdict
	causes  []Cause
}

// weigh tells the verdict of a policy from the fates of its rules. unconditional is whether a rule
// without any condition is among them: then nothing that becomes of the others changes anything.
func weigh(action string, fates []fate, unconditional bool) judgement {
	j := judgement{verdict: Enforced}
	never := 0
	var lost, wide bool
	var widens []Cause
	for _, f := range fates {
		if f.never {
			never++
		}
		lost = lost || f.never || f.lost
		wide = wide || f.wide && !f.never
		j.causes, widens = append(j.causes, f.causes...), append(widens, f.widens...)
	}
	all := len(fates) > 0 && never == len(fates)
	switch {
	case unconditional:
	case action == Allow && all:
		j.verdict = DeniesAll
	case action == Allow && wide, (action == Deny || action == Custom) && lost && !all:
		j.verdict = PartiallyEnforced
	case action == Allow && lost, (action == Deny || action == Custom) && wide && !all:
		j.verdict = OverDenies
	case action == Deny && all:
		j.verdict = NotEnforced
	case all: // CUSTOM and AUDIT
		j.verdict = NotEnforced
	case lost: // what an AUDIT logs beyond what it says changes nothing for calls
		j.verdict = PartiallyEnforced
	}
	// The causes that decide come first: an ALLOW fails open where it admits more, a DENY where it
	// matches less.
	if j.verdict == PartiallyEnforced && action == Allow || j.verdict == OverDenies && action == Deny {
		j.causes = append(widens, j.causes...)
	} else {
		j.causes = append(j.causes, widens...)
	}
	for i := range j.causes {
		j.causes[i].Verdict = j.verdict
	}
	return j
}

// unconditional is whether the policy has a rule that matches everything.
func unconditional(p *mesh.AuthorizationPolicySpec) bool {
	return slices.ContainsFunc(p.Rules, func(r mesh.Rule) bool {
		return len(r.From)+len(r.To)+len(r.When)+len(r.Unknown) == 0
	})
}

func rulePath(i int) string { return "spec.rules[" + strconv.Itoa(i) + "]" }

// endpoint is what can arrive at an enforcement point: which destination ports and addresses. It
// answers in three ways, because a Service shows all of its ports and a pod does not.
type endpoint interface {
	// port says what is known of a port in a rule: whether calls to it can arrive, and if not, why.
	port(n uint16, listed []uint16) (never bool, why string)
	// excluded is whether notPorts leaves no port over.
	excluded(notPorts []uint16) bool
	// address is whether a destination.ip condition can match nothing there, and why.
	address(values []string) (never bool, why string)
}

// portFate is what becomes of a list of ports; they are alternatives, and none counts that is excluded beside.
func portFate(e endpoint, list, not []string, field, notField string) fate {
	var f fate
	nots := ports(not)
	numbers := slices.DeleteFunc(ports(list), func(n uint16) bool { return slices.Contains(nots, n) })
	if len(numbers) == 0 && len(ports(list)) > 0 {
		f.never = true
		f.add(PortNeverMatches, notField, "it excludes every port that is listed beside")
		return f
	}
	var gone []string
	for _, n := range numbers {
		if never, why := e.port(n, numbers); never {
			gone = append(gone, strconv.Itoa(int(n)))
			f.add(PortNeverMatches, field, why)
		}
	}
	if len(gone) > 0 {
		f.never, f.lost = len(gone) == len(numbers), len(gone) < len(numbers)
	}
	if len(nots) > 0 && e.excluded(nots) {
		f.never = true
		f.add(PortNeverMatches, notField, "it leaves no port over")
	}
	return f
}

func addressFate(e endpoint, w *mesh.Condition, field string) fate {
	var f fate
	if len(w.Values) == 0 {
		return f
	}
	if never, why := e.address(w.Values); never {
		f.never = true
		f.add(PortNeverMatches, field, why)
	}
	return f
}
