package trial

import (
	"fmt"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
)

// Coverage is which lines of a file the cases reach. A line of a head counts where its body held once, any other where it was
// evaluated.
type Coverage struct {
	Covered, Lines int
	// Missed are the lines that no case reaches, in order.
	Missed []Span
}

// Span are lines of a file, both included.
type Span struct{ From, To int }

// String is the line, or the first and the last.
func (s Span) String() string {
	if s.From == s.To {
		return strconv.Itoa(s.From)
	}
	return fmt.Sprintf("%d-%d", s.From, s.To)
}

// Percent is how much is reached; all of nothing is 100.
func (c Coverage) Percent() float64 {
	if c.Lines == 0 {
		return 100
	}
	return 100 * float64(c.Covered) / float64(c.Lines)
}

func coverageOf(covered *cover.Cover, module *ast.Module) Coverage {
	file := module.Package.Location.File
	report := covered.Report(map[string]*ast.Module{file: module}).Files[file]
	out := Coverage{Covered: report.CoveredLines, Lines: report.CoveredLines + report.NotCoveredLines}
	for _, r := range report.NotCovered {
		out.Missed = append(out.Missed, Span{r.Start.Row, r.End.Row})
	}
	return out
}
