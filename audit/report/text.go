package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

const indent = "    "

// Text writes a result for people: one block per finding, like a compiler, the worst first; then
// what could not be judged or read; then what the policies amount to.
func Text(w io.Writer, r *ScanResult, style Style) error {
	t := textWriter{Writer: bufio.NewWriter(w), style: style}
	for _, f := range inReadingOrder(r.Findings) {
		if !f.Known {
			t.finding(&f)
		}
	}
	t.errors(r)
	t.unknown(r)
	t.unread(r)
	t.summary(r)
	t.next(r.Findings, r.Effects)
	return t.Flush()
}

type textWriter struct {
	*bufio.Writer
	style Style
	// objects is whether the objects that fixes add are printed in full.
	objects bool
}

// inReadingOrder puts the worst first, and what is equally bad in the order in which it stands in the files.
func inReadingOrder(findings []Finding) []Finding {
	out := slices.Clone(findings)
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity.Rank(), b.Severity.Rank()), a.Location.compare(b.Location))
	})
	return out
}

// paragraph writes an indented paragraph.
func (t textWriter) paragraph(label, text string) {
	head := indent + label
	t.WriteString(head + t.style.wrap(printable(text), indent, len(head)) + "\n")
}

// headline writes "file:line:col: severity: message [check]".
func (t textWriter) headline(where, word, color, message, check string) {
	used := utf8.RuneCountInString(where + ": " + word + ": ")
	text := message
	if check != "" {
		text += " [" + check + "]"
	}
	text = t.style.wrap(text, indent, used)
	if check != "" { // the ID may have gone to the next line, but it is one word
		text = strings.TrimSuffix(text, "["+check+"]") + t.style.paint(dim, "["+check+"]")
	}
	t.WriteString(t.style.paint(bold, where+":") + " " + t.style.paint(color, word+":") + " " + text + "\n")
}

// Where is a place as compilers print it; the object where there is no file.
func where(at *Location, object string) string {
	switch {
	case at == nil:
		return printable(object)
	case at.Line == 0:
		return printable(at.File)
	case at.Column == 0:
		return printable(at.File) + ":" + strconv.Itoa(at.Line)
	}
	return printable(at.File) + ":" + strconv.Itoa(at.Line) + ":" + strconv.Itoa(at.Column)
}

func (t textWriter) finding(f *Finding) {
	word := string(f.Severity)
	switch {
	case f.Exempt:
		word += " (exempt)"
	case f.Action == string(v1alpha1.Deny):
		word += " (denied)"
	case f.Action == string(v1alpha1.Audit):
		word += " (audit)"
	}
	t.headline(where(f.Location, f.Object.String()), word, colorOf(f.Severity), printable(f.Message), f.Check)
	switch subject := f.Object.String(); {
	case f.Location != nil && f.Field != "":
		t.paragraph("in ", subject+", "+f.Field)
	case f.Location != nil:
		t.paragraph("in ", subject)
	case f.Field != "":
		t.paragraph("in ", f.Field)
	}
	if f.Remedy != "" {
		t.paragraph("", f.Remedy)
	}
	if f.Note != "" {
		t.paragraph("", f.Note)
	}
	for _, ref := range f.Related {
		if !strings.Contains(f.Message, ref.String()) {
			t.paragraph("see ", ref.String())
		}
	}
	for _, fix := range f.Fixes {
		t.fix(f, fix)
	}
	t.WriteByte('\n')
}

func (t textWriter) fix(f *Finding, fix policies.Fix) {
	t.paragraph("fix: ", fix.Message)
	if len(fix.Apply) > 0 {
		t.apply(f, fix.Apply)
	}
}

// quoted is what a shell takes for one word.
func quoted(name string) string {
	if name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+@,:=", r)
	}) {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

func (t textWriter) errors(r *ScanResult) {
	for _, e := range r.Errors {
		object := "input"
		if e.Object != nil {
			object = e.Object.String()
		}
		t.headline(where(e.Location, object), "error", red, printable(errorText(e)), "")
	}
	if len(r.Errors) > 0 {
		t.WriteByte('\n')
	}
}

// errorText names the field, and the object where the place does not.
func errorText(e Error) string {
	text := e.Message
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.Object != nil && e.Location != nil {
		text = e.Object.String() + ": " + text
	}
	return text
}

// shownUnknown is how many effects of a kind are listed before they are only counted.
const shownUnknown = 10

func (t textWriter) unknown(r *ScanResult) {
	lines := map[string][]string{}
	for _, e := range r.Effects {
		if e.Verdict == policies.Unknown {
			object := e.Object.String()
			if !slices.Contains(lines[e.Message], object) {
				lines[e.Message] = append(lines[e.Message], object)
			}
		}
	}
	if len(lines) == 0 {
		return
	}
	t.WriteString("Cannot be judged from this input:\n")
	for _, message := range slices.Sorted(maps.Keys(lines)) {
		t.paragraph("", listed(lines[message])+": "+message)
	}
	t.WriteByte('\n')
}

func (t textWriter) unread(r *ScanResult) {
	for _, u := range r.Unread {
		t.headline("cluster", "not read", yellow, printable(unreadText(u)), "")
	}
	if len(r.Unread) > 0 {
		t.WriteByte('\n')
	}
}

func unreadText(u Unread) string {
	return strings.TrimSpace(u.Resource + ": " + u.Why + " " + u.Leaves)
}

var verdicts = []policies.Verdict{policies.Enforced, policies.PartiallyEnforced, policies.NotEnforced, policies.DeniesAll,
	policies.OverDenies, policies.Pending, policies.Bypassable, policies.Unknown}

func (t textWriter) summary(r *ScanResult) {
	if len(r.Effects) > 0 {
		count := map[policies.Verdict]int{}
		for _, e := range r.Effects {
			count[e.Verdict]++
		}
		var parts []string
		for _, v := range verdicts {
			if count[v] > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", count[v], t.style.paint(colorOfVerdict(v), string(v))))
			}
		}
		t.line(fmt.Sprintf("%s, %s: %s.", plural(r.Summary.Policies, "policy", "policies"), plural(len(r.Effects), "effect", "effects"), strings.Join(parts, ", ")))
	}
	t.line(fmt.Sprintf("%s, %s: %s.%s", plural(r.Summary.Objects, "object", "objects"), plural(r.Summary.Checks, "check", "checks"),
		t.counts(r), asides(r)))
}

func (t textWriter) line(text string) {
	t.WriteString(t.style.wrap(text, indent, 0) + "\n")
}

// counts names the findings by severity, those of the baseline apart.
func (t textWriter) counts(r *ScanResult) string {
	var fresh SeverityCounts
	known, exempt := 0, 0
	for i := range r.Findings {
		switch f := &r.Findings[i]; {
		case f.Exempt:
			exempt++
		case f.Known:
			known++
		default:
			*fresh.at(f.Severity)++
		}
	}
	var parts []string
	for _, s := range policies.Severities {
		if n := fresh.Of(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, t.style.paint(colorOf(s), string(s))))
		}
	}
	text := plural(fresh.Total(), "finding", "findings")
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	} else {
		text = t.style.paint(green, "no findings")
	}
	if known > 0 {
		text += fmt.Sprintf(", %d more in the baseline", known)
	}
	if exempt > 0 {
		text += fmt.Sprintf(", %d more exempt", exempt)
	}
	return text
}

// asides is what was left out, which is no fault.
func asides(r *ScanResult) string {
	n := 0
	for _, k := range r.Ignored {
		n += k
	}
	var text string
	if n > 0 {
		kinds := slices.Sorted(maps.Keys(r.Ignored))
		text = fmt.Sprintf(" Ignored %s of kinds that decide nothing: %s.", plural(n, "object", "objects"), printable(strings.Join(kinds, ", ")))
	}
	if len(r.Errors) > 0 {
		text += fmt.Sprintf(" %s could not be read or evaluated.", plural(len(r.Errors), "thing", "things"))
	}
	return text
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
