package manifest

import (
	"fmt"
	"strings"
)

// Problem is something in the input that could not be read. It never hides anything else: what can be read is returned
// beside it.
type Problem struct {
	// File is the path as it was given or found, "<stdin>" for standard input. For a Helm chart it is the directory.
	File string
	// Line and Column are 1-based, in lines and characters as an editor counts them. Zero: the file as a whole.
	Line, Column int
	// Field is the field the problem is about, such as "metadata.labels[app]". Empty when there is none to name.
	Field string
	// Message is "consequence: cause. remedy."
	Message string
}

// Error prints file:line:column: field: message, leaving out what is not known.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	b.WriteString(": ")
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}
