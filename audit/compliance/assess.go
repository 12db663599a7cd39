package compliance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// outcome is what came of one check at one object, the worst last.
type outcome uint8

const (
	passed outcome = iota
	exempt
	unknown
	failed
)

// answers is what came of every check at every object, as far as it is not that nothing was found.
type answers map[mesh.Ref]map[string]outcome

func (a answers) note(object mesh.Ref, check string, o outcome) {
	object.APIVersion = ""
	if a[object] == nil {
		a[object] = map[string]outcome{}
	}
	a[object][check] = max(a[object][check], o)
}

// every stands for all checks that were asked of an object.
const every = ""

// at is what came of a check at an object.
func (a answers) at(object mesh.Ref, check string) outcome {
	object.APIVersion = ""
	of := a[object]
	return max(of[check], of[every])
}

// readAnswers notes findings, what could not be told of an object, and what could not be asked of it. A remark, of severity
// info, fails nothing.
func readAnswers(scan *report.ScanResult) answers {
	a := answers{}
	for i := range scan.Findings {
		switch f := &scan.Findings[i]; {
		case f.Exempt:
			a.note(f.Object, f.Check, exempt)
		case f.Severity != policies.Info:
			a.note(f.Object, f.Check, failed)
		}
	}
	for _, e := range scan.Effects {
		if e.Verdict == policies.Unknown {
			a.note(e.Object, every, unknown)
		}
	}
	for _, e := range scan.Errors {
		if e.Object != nil {
			a.note(*e.Object, e.Check, unknown)
		}
	}
	return a
}

func (c *ObjectCounts) add(o outcome) {
	c.Assessed++
	switch o {
	case failed:
		c.Failed++
	case unknown:
		c.Unknown++
	case exempt:
		c.Exempt++
	default:
		c.Passed++
	}
}

// assess says of each control of a framework what is evidence for it.
func assess(frame Frame, scan *report.ScanResult, a answers) Framework {
	out := Framework{ID: frame.ID, Title: frame.Title, Complete: frame.Complete, Controls: []Control{}}
	evidence := frame.evidence(scan.Checks)
	of := map[string][]int{} // positions of the controls that a check is evidence for
	for i, c := range frame.Controls {
		control := Control{ID: c.ID, Title: c.Title, OSCAL: c.OSCAL, Baselines: c.Baselines, Checks: []string{}, Findings: []string{}}
		for _, check := range evidence[c.ID] {
			control.Checks = append(control.Checks, check.ID)
			of[check.ID] = append(of[check.ID], i)
		}
		out.Controls = append(out.Controls, control)
	}
	asked := out.count(of, scan, a)
	for i := range out.Controls {
		c := &out.Controls[i]
		c.Asked = len(asked[i])
		for _, check := range evidence[c.ID] {
			if asked[i][check.ID] && frame.demands(c.ID, check) {
				c.Demanded++
			}
		}
	}
	for i := range scan.Findings {
		f := &scan.Findings[i]
		for _, n := range of[f.Check] {
			out.Controls[n].Findings = append(out.Controls[n].Findings, report.Fingerprint(&f.Finding))
		}
	}
	for i := range out.Controls {
		c := &out.Controls[i]
		slices.Sort(c.Findings)
		c.Findings = slices.Compact(c.Findings)
		c.State, c.Because = c.conclude(scan)
		*out.Totals.at(c.State)++
	}
	out.Totals.Controls = len(out.Controls)
	return out
}

// count enters for each control how many objects its checks looked at and what came of it, and returns which of its
// checks had an object to look at.
func (f *Framework) count(of map[string][]int, scan *report.ScanResult, a answers) (asked []map[string]bool) {
	asked = make([]map[string]bool, len(f.Controls))
	worst := map[int]outcome{}
	for _, j := range judgedOf(scan) {
		clear(worst)
		for _, check := range j.Checks {
			o := a.at(j.Object, check)
			for _, n := range of[check] {
				worst[n] = max(worst[n], o)
				if asked[n] == nil {
					asked[n] = map[string]bool{}
				}
				asked[n][check] = true
			}
		}
		for n, o := range worst {
			f.Controls[n].Objects.add(o)
		}
	}
	return asked
}

// judgedOf are the objects of which checks were asked that apply to them, and those of findings about something that no mesh holds, such as an
// Exemption, of which nobody says that it was looked at.
func judgedOf(scan *report.ScanResult) []report.Judged {
	type question struct {
		object mesh.Ref
		check  string
	}
	found := map[question]bool{}
	for i := range scan.Findings {
		found[question{scan.Findings[i].Object, scan.Findings[i].Check}] = true
	}
	seen := map[mesh.Ref]bool{}
	out := slices.Clone(scan.Judged)
	for i, j := range out {
		seen[j.Object] = true
		if len(j.Skipped) > 0 { // a rule that skips one part of an object may find something in another
			out[i].Checks = slices.DeleteFunc(slices.Clone(j.Checks), func(check string) bool {
				return j.Skipped[check] != "" && !found[question{j.Object, check}]
			})
		}
	}
	extra := map[mesh.Ref]int{}
	for i := range scan.Findings {
		f := &scan.Findings[i]
		if seen[f.Object] {
			continue
		}
		n, ok := extra[f.Object]
		if !ok {
			n = len(out)
			extra[f.Object] = n
			out = append(out, report.Judged{Object: f.Object})
		}
		if !slices.Contains(out[n].Checks, f.Check) {
			out[n].Checks = append(out[n].Checks, f.Check)
		}
	}
	return out
}

// conclude is the state of a control, and why.
func (c *Control) conclude(scan *report.ScanResult) (State, string) {
	n := c.Objects
	checks := fmt.Sprintf("%s of %s had something to look at", count(c.Asked, "check", "checks"), fmt.Sprint(len(c.Checks)))
	looked := fmt.Sprintf("%s; %s looked at", checks, count(n.Assessed, "object", "objects"))
	switch {
	case len(c.Checks) == 0:
		return NotAssessed, "No check is evidence for it."
	case n.Assessed == 0 && len(scan.Unread) > 0:
		return NotAssessed, fmt.Sprintf("%s, and %s could not be read.", idle(len(c.Checks)), kindsOf(scan.Unread))
	case n.Assessed == 0:
		return NotAssessed, idle(len(c.Checks)) + "."
	case n.Failed > 0:
		return NotSatisfied, fmt.Sprintf("%d of %s fail (%s).", n.Failed, count(n.Assessed, "object", "objects"), checks)
	case n.Unknown > 0:
		return Partial, fmt.Sprintf("%d of %s cannot be judged (%s).", n.Unknown, count(n.Assessed, "object", "objects"), checks)
	case len(scan.Unread) > 0:
		return Partial, fmt.Sprintf("%s could not be read, so that not everything was looked at (%s).", kindsOf(scan.Unread), looked)
	case unreadInput(scan) > 0:
		return Partial, fmt.Sprintf("%s could not be read, so that not everything was looked at (%s).", count(unreadInput(scan), "object or file", "objects or files"), looked)
	case n.Exempt > 0:
		return Exempt, fmt.Sprintf("%d of %s are exempt, and nothing else was found (%s).", n.Exempt, count(n.Assessed, "object", "objects"), checks)
	case c.Demanded == 0:
		return Partial, fmt.Sprintf("Nothing was found, and nothing is demanded: these checks say only whether what is written takes effect (%s).", looked)
	}
	return Satisfied, fmt.Sprintf("Nothing was found (%s).", looked)
}

// idle says of so many checks that none was asked of anything.
func idle(checks int) string {
	if checks == 1 {
		return "Its one check had nothing to look at"
	}
	return fmt.Sprintf("None of %d checks had anything to look at", checks)
}

// unreadInput is how often something could not be read of which nobody knows what it would have been.
func unreadInput(scan *report.ScanResult) (n int) {
	for _, e := range scan.Errors {
		if e.Object == nil {
			n++
		}
	}
	return n
}

func kindsOf(unread []report.Unread) string {
	var kinds []string
	for _, u := range unread {
		if !slices.Contains(kinds, u.Kind) {
			kinds = append(kinds, u.Kind)
		}
	}
	return strings.Join(kinds, ", ")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
