package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

// GitHub writes workflow commands, from which GitHub Actions makes annotations on the lines of a
// pull request. Findings of the baseline are left out. Findings that fail are errors.
func GitHub(w io.Writer, r *ScanResult, failOn policies.Severity) error {
	out := bufio.NewWriter(w)
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Known || f.Exempt {
			continue
		}
		level := "warning"
		switch {
		case f.Fails(failOn):
			level = "error"
		case f.Severity == policies.Info, f.Severity == policies.Low, f.Action == string(v1alpha1.Audit):
			level = "notice"
		}
		text := withObject(f.Object.String(), f.Location, f.told())
		workflowCommand(out, level, f.Location, f.Check, text)
	}
	for _, e := range r.Errors {
		workflowCommand(out, "error", e.Location, "not evaluated", errorText(e))
	}
	for _, u := range r.Unread {
		workflowCommand(out, "error", nil, "not read", unreadText(u))
	}
	return out.Flush()
}

// withObject puts the object's name before a text where no place in a file shows which it is.
func withObject(object string, at *Location, text string) string {
	if at == nil {
		return object + ": " + text
	}
	return text
}

func workflowCommand(w io.Writer, level string, at *Location, title, text string) {
	var properties []string
	if at != nil {
		properties = append(properties, "file="+commandProperty(at.File))
		if at.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", at.Line), fmt.Sprintf("col=%d", max(at.Column, 1)))
		}
	}
	properties = append(properties, "title="+commandProperty(title))
	fmt.Fprintf(w, "::%s %s::%s\n", level, strings.Join(properties, ","), commandData(text))
}

// What the runner unescapes (actions/runner ActionCommand.cs): data, and properties besides.
var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func commandData(s string) string     { return dataEscapes.Replace(printable(s)) }
func commandProperty(s string) string { return propertyEscapes.Replace(printable(s)) }
