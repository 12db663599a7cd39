package report

import (
	"cmp"
	"encoding/xml"
	"io"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
)

type junitSuites struct {
	XMLName  xml.Name      `xml:"testsuites"`
	Name     string        `xml:"name,attr"`
	Tests    int           `xml:"tests,attr"`
	Failures int           `xml:"failures,attr"`
	Errors   int           `xml:"errors,attr"`
	Skipped  int           `xml:"skipped,attr"`
	Suites   []*junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	File    string     `xml:"file,attr,omitempty"`
	Line    int        `xml:"line,attr,omitempty"`
	Failure *junitText `xml:"failure"`
	Error   *junitText `xml:"error"`
	Skipped *junitText `xml:"skipped"`
}

type junitText struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes one suite per file and in it a case per object and check. A check that found nothing
// passed; a finding that does not fail, is exempt or in the baseline, is a skipped case, and so is
// all that cannot be judged from the input, and what says that it does not apply.
func JUnit(w io.Writer, r *ScanResult, failOn policies.Severity) error {
	j := junit{suites: map[string]*junitSuite{}}
	found := map[string]bool{}
	for i := range r.Findings {
		f := &r.Findings[i]
		found[f.Object.String()+"\x00"+f.Check] = true
		j.add(f.Location, junitFinding(f, failOn))
	}
	unknown := map[string]*junitText{}
	for _, e := range r.Effects {
		if e.Verdict == policies.Unknown {
			unknown[e.Object.String()] = &junitText{Type: "unknown", Message: printable(e.Message)}
		}
	}
	for _, e := range r.Errors {
		if e.Object != nil {
			found[e.Object.String()+"\x00"+e.Check] = true
		}
	}
	for _, o := range r.Judged {
		object := o.Object.String()
		for _, check := range o.Checks {
			if found[object+"\x00"+check] {
				continue
			}
			skipped := unknown[object]
			if why, ok := o.Skipped[check]; ok {
				skipped = &junitText{Type: "not-applicable", Message: printable(why)}
			}
			j.add(o.Location, junitCase{Name: check, Class: object, Skipped: skipped})
		}
	}
	for _, e := range r.Errors {
		class := "input"
		if e.Object != nil {
			class = e.Object.String()
		}
		j.add(e.Location, junitCase{Name: cmp.Or(e.Check, "read"), Class: class, Error: &junitText{Type: "error", Message: printable(errorText(e))}})
	}
	for _, u := range r.Unread {
		j.add(nil, junitCase{Name: "read", Class: u.Resource, Error: &junitText{Type: "unread", Message: printable(unreadText(u))}})
	}
	return j.write(w)
}

func junitFinding(f *Finding, failOn policies.Severity) junitCase {
	c := junitCase{Name: f.Check, Class: f.Object.String()}
	text := &junitText{Type: string(f.Severity), Message: printable(f.Message),
		Text: printable(where(f.Location, f.Object.String()) + ": " + f.Field + ": " + f.told())}
	if f.Fails(failOn) {
		c.Failure = text
	} else {
		c.Skipped = text
	}
	return c
}

type junit struct{ suites map[string]*junitSuite }

// noFile is the suite of what comes from no file.
const noFile = "cluster"

func (j junit) add(at *Location, c junitCase) {
	name := noFile
	if at != nil {
		name, c.File, c.Line = printable(at.File), printable(at.File), at.Line
	}
	c.Name, c.Class = printable(c.Name), printable(c.Class)
	s := j.suites[name]
	if s == nil {
		s = &junitSuite{Name: name}
		j.suites[name] = s
	}
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func (j junit) write(w io.Writer) error {
	all := junitSuites{Name: "waywarden"}
	for _, s := range j.suites {
		slices.SortStableFunc(s.Cases, func(a, b junitCase) int {
			return cmp.Or(strings.Compare(a.Class, b.Class), strings.Compare(a.Name, b.Name), cmp.Compare(a.Line, b.Line))
		})
		all.Suites = append(all.Suites, s)
		all.Tests, all.Failures = all.Tests+s.Tests, all.Failures+s.Failures
		all.Errors, all.Skipped = all.Errors+s.Errors, all.Skipped+s.Skipped
	}
	slices.SortFunc(all.Suites, func(a, b *junitSuite) int { return strings.Compare(a.Name, b.Name) })
	return XML(w, all)
}

// XML writes a document, indented, with its header.
func XML(w io.Writer, document any) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(document); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
