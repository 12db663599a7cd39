package compliance

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
)

// Text writes a report for people at a terminal: the frameworks with the controls that anything can be said of, then how
// far namespaces are guarded, then what was found.
func Text(w io.Writer, r *Report) error {
	t := textWriter{bufio.NewWriter(w)}
	t.printf("Compliance report of %s, %s\n%s\n\n", subjectOf(r), r.GeneratedAt.Format(time.RFC3339), r.Notice)
	for i := range r.Frameworks {
		if err := t.framework(&r.Frameworks[i]); err != nil {
			return err
		}
	}
	if err := t.coverage(r); err != nil {
		return err
	}
	t.findings(r)
	t.exemptions(r)
	for _, e := range r.Errors {
		t.printf("not read: %s\n", report.Printable(e.Message))
	}
	for _, u := range r.Unread {
		t.printf("not read: %s: %s. %s\n", u.Resource, report.Printable(u.Why), u.Leaves)
	}
	t.printf("%s %s, judged as Istio %s.\n", r.Tool.Name, r.Tool.Version, r.Tool.Istio)
	return t.Flush()
}

type textWriter struct{ *bufio.Writer }

func (t textWriter) printf(format string, args ...any) { fmt.Fprintf(t.Writer, format, args...) }

// subjectOf names what was looked at.
func subjectOf(r *Report) string {
	text := "the " + r.Subject.Source
	if r.Subject.Source == "files" {
		text = "files"
	}
	return fmt.Sprintf("%s: %s, %s judged", text, count(r.Subject.Objects, "object", "objects"), fmt.Sprint(r.Summary.Judged))
}

// short is enough of a digest to compare it by eye.
func short(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

// totals is how many controls there are of each state, out of how many.
func totals(f *Framework) string {
	var parts []string
	for _, s := range States {
		if n := f.Totals.Of(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.Words()))
		}
	}
	of := "controls"
	if !f.Complete {
		of = "controls that checks name"
	}
	return fmt.Sprintf("%d %s: %s", f.Totals.Controls, of, strings.Join(parts, ", "))
}

func (t textWriter) framework(f *Framework) error {
	t.printf("%s (%s)\n  %s.\n", report.Printable(f.Title), report.Printable(f.ID), totals(f))
	table := tabwriter.NewWriter(t.Writer, 0, 0, 2, ' ', 0)
	for i := range f.Controls {
		c := &f.Controls[i]
		if c.State == NotAssessed && len(c.Checks) == 0 {
			continue // a thousand of them say nothing more than their count
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", report.Printable(c.ID), c.State.Words(), c.Because, report.Printable(c.Title))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	t.printf("\n")
	return nil
}

func (t textWriter) coverage(r *Report) error {
	if len(r.Namespaces) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(t.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAMESPACE\tENROLLED\tSTRICT MTLS\tDEFAULT DENY L4\tWAYPOINT\tDEFAULT DENY L7\tPOLICIES IN FORCE\tFINDINGS")
	for _, c := range r.Namespaces {
		name := c.Namespace
		if !c.Known {
			name += " (not known)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", report.Printable(name), c.Enrolled, c.Strict, c.DenyL4, c.Bound, c.DenyL7, c.Policies, severities(c.Findings))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	t.printf("\n")
	return nil
}

// String is a share as "2 of 3"; "-" of nothing.
func (s Share) String() string {
	if s.Of == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", s.N, s.Of)
}

// severities counts, the worst first; "none" of none.
func severities(c report.SeverityCounts) string {
	var parts []string
	for _, s := range policies.Severities {
		if n := c.Of(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func (t textWriter) findings(r *Report) {
	t.printf("Findings: %s; %d exempt.\n", severities(r.Summary.Findings), r.Summary.Exempt)
	for i := range r.Findings {
		f := &r.Findings[i]
		word := string(f.Severity)
		if f.Exempt {
			word += " (exempt)"
		}
		t.printf("  %s: %s: %s [%s]\n", word, report.Printable(f.Object.String()), report.Printable(f.Message), f.Check)
	}
	t.printf("\n")
}

func (t textWriter) exemptions(r *Report) {
	if len(r.Exemptions) == 0 {
		return
	}
	t.printf("Exemptions:\n")
	for _, e := range r.Exemptions {
		t.printf("  %s/%s: %s until %s, excepts %s: %s\n", e.Namespace, e.Name, e.State, e.ExpiresAt.Format(time.RFC3339),
			count(e.Matched, "finding", "findings"), report.Printable(signature(e)))
	}
	t.printf("\n")
}

// signature is why an exception was made, where that was decided, and who signed it.
func signature(e Exemption) string {
	text := e.Reason
	if e.Ticket != "" {
		text += " (" + e.Ticket + ")"
	}
	if e.GrantedBy != "" {
		text += ", granted by " + e.GrantedBy
	}
	return text
}
