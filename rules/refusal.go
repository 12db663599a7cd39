package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Refusal is one reason why a pack is not loaded.
type Refusal struct {
	// File is the path of the file as it was named to [Load].
	File string `json:"file"`
	// Line and Column count from 1; both are 0 where a file is missing or means the whole.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Message is consequence, cause and remedy.
	Message string `json:"message"`
}

func (r Refusal) String() string {
	if r.Line == 0 {
		return r.File + ": " + r.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", r.File, r.Line, r.Column, r.Message)
}

// Refusals are all reasons why a pack is not loaded, by file, line and column. As an error they are one a line.
type Refusals []Refusal

func (r Refusals) Error() string {
	lines := make([]string, len(r))
	for i, one := range r {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

func compareRefusals(a, b Refusal) int {
	return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Message, b.Message))
}

// sorted are the refusals in order, each of them once.
func (r Refusals) sorted() Refusals {
	slices.SortFunc(r, compareRefusals)
	return slices.Compact(r)
}

// position is a place in a file.
type position struct {
	file         string
	line, column int
}

func (r *Refusals) add(at position, format string, args ...any) {
	message := OneLine(fmt.Sprintf(format, args...)) // parsers break lines
	*r = append(*r, Refusal{File: at.file, Line: at.line, Column: at.column, Message: message})
}

// OneLine is a text with one space wherever it has some, or breaks its line.
func OneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
