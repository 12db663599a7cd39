package report

import (
	"strings"
	"unicode/utf8"

	"github.com/waywarden/waywarden/policies"
)

// Style is how text is laid out. The zero value is for a pipe or a file: no colour, no wrapping.
type Style struct {
	Color bool
	Width int // of the terminal; 0 wraps nothing
	// Program is what the user called, as in "kubectl waywarden"; for commands in the text.
	Program string
	// Again makes those commands look at the same input. nil where nobody can look at it twice, as
	// with standard input; then no commands are named.
	Again *Again
}

const (
	bold   = "1"
	dim    = "2"
	red    = "1;31"
	yellow = "1;33"
	cyan   = "1;36"
	green  = "32"
)

func (s Style) paint(code, text string) string {
	if !s.Color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func colorOf(s policies.Severity) string {
	switch s {
	case policies.Critical, policies.High:
		return red
	case policies.Medium:
		return yellow
	case policies.Low:
		return cyan
	}
	return bold
}

func colorOfVerdict(v policies.Verdict) string {
	switch v {
	case policies.Enforced:
		return green
	case policies.NotEnforced, policies.DeniesAll:
		return red
	case policies.Unknown:
		return bold
	}
	return yellow
}

func (s Style) program() string {
	if s.Program == "" {
		return "waywarden"
	}
	return s.Program
}

// minWidth is the narrowest terminal for which lines are broken.
const minWidth = 40

// wrap breaks text at spaces so that it fits the terminal, each line after indent. used is how much
// of the first line is taken. Words longer than a line stay whole, so that they can be copied.
func (s Style) wrap(text, indent string, used int) string {
	if s.Width < minWidth {
		return text
	}
	var b strings.Builder
	column := used
	for i, word := range strings.Split(text, " ") {
		n := columns(word)
		switch {
		case i == 0:
		case column+1+n > s.Width && column > len(indent):
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

// columns is how much room a word takes on a terminal: what paint adds to it takes none.
func columns(word string) int {
	n := 0
	for i, part := range strings.Split(word, "\x1b[") {
		if i > 0 {
			_, part, _ = strings.Cut(part, "m")
		}
		n += utf8.RuneCountInString(part)
	}
	return n
}
