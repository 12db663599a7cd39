// Package catalogue numbers the ways in which a policy can fail to do what it says, and holds that
// each is found by a check, or that docs/semantics.md says why it is not.
package catalogue

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks" // the built-in checks register themselves
)

// Last is the highest number; there is no gap below it.
const Last = 145

//go:embed cases.txt
var source string

// Case is one way in which a policy can fail.
type Case struct {
	Number  int
	Section string
	Text    string
	// Undecidable says why no check can find it in the objects, and Admission why it is judged when an
	// object changes. At most one of them is set.
	Undecidable, Admission string
	Checks                 []string // the IDs of those that find it
}

// Cases are all of them in order, as cases.txt has them, with the checks that are registered.
func Cases() ([]Case, error) {
	var (
		out     []Case
		section string
	)
	for i, line := range strings.Split(strings.TrimSuffix(source, "\n"), "\n") {
		if title, ok := strings.CutPrefix(line, "# "); ok {
			section = title
			continue
		}
		if why, ok := strings.CutPrefix(line, "   undecidable: "); ok && len(out) > 0 {
			out[len(out)-1].Undecidable = why
			continue
		}
		if why, ok := strings.CutPrefix(line, "   admission: "); ok && len(out) > 0 {
			out[len(out)-1].Admission = why
			continue
		}
		number, text, _ := strings.Cut(line, " ")
		n, err := strconv.Atoi(number)
		if err != nil || text == "" || n != len(out)+1 {
			return nil, fmt.Errorf("cases.txt:%d: want case %d, a blank and a sentence", i+1, len(out)+1)
		}
		out = append(out, Case{Number: n, Section: section, Text: text})
	}
	for _, c := range policies.Checks() {
		for _, n := range c.Cases {
			if n < 1 || n > len(out) {
				return nil, fmt.Errorf("check %s finds case %d, and there is none", c.ID, n)
			}
			out[n-1].Checks = append(out[n-1].Checks, c.ID)
		}
	}
	return out, nil
}

// Table is the catalogue as docs/semantics.md has it.
func Table() (string, error) {
	cases, err := Cases()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	section := ""
	for _, c := range cases {
		if c.Section != section {
			section = c.Section
			fmt.Fprintf(&b, "\n### %s\n\n| case | what goes wrong | found by |\n|---|---|---|\n", section)
		}
		fmt.Fprintf(&b, "| %d | %s | %s |\n", c.Number, strings.ReplaceAll(c.Text, "|", `\|`), c.foundBy())
	}
	return b.String() + "\n", nil
}

func (c Case) foundBy() string {
	switch {
	case len(c.Checks) > 0:
		return "`" + strings.Join(c.Checks, "`, `") + "`"
	case c.Undecidable != "":
		return "not decidable from objects: " + c.Undecidable
	case c.Admission != "":
		return "judged at admission: " + c.Admission
	}
	return "nothing yet"
}
