package compliance

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/waywarden/waywarden/audit/report"
)

// CSV writes one line for each control, for a spreadsheet. What a spreadsheet would take for a formula is quoted.
func CSV(w io.Writer, r *Report) error {
	out := csv.NewWriter(w)
	lines := [][]string{{"framework", "control", "title", "state", "because", "checks", "checks asked", "objects assessed", "objects failed",
		"objects unknown", "objects exempt", "objects passed", "findings", "check IDs", "generated at", "notice"}}
	for _, f := range r.Frameworks {
		for _, c := range f.Controls {
			lines = append(lines, []string{f.ID, c.ID, c.Title, c.State.Words(), c.Because, strconv.Itoa(len(c.Checks)), strconv.Itoa(c.Asked),
				strconv.Itoa(c.Objects.Assessed), strconv.Itoa(c.Objects.Failed), strconv.Itoa(c.Objects.Unknown), strconv.Itoa(c.Objects.Exempt),
				strconv.Itoa(c.Objects.Passed), strconv.Itoa(len(c.Findings)), strings.Join(c.Checks, " "), r.GeneratedAt.Format(time.RFC3339), r.Notice})
		}
	}
	for _, line := range lines {
		for i := range line {
			line[i] = cell(line[i])
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// cell keeps a spreadsheet from computing what somebody has written into a name (CWE-1236).
func cell(text string) string {
	text = report.Printable(text)
	if text != "" && strings.ContainsAny(text[:1], "=+-@") {
		return "'" + text
	}
	return text
}
