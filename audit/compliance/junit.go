package compliance

import (
	"encoding/xml"
	"io"

	"github.com/waywarden/waywarden/audit/report"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	Failure *junitText `xml:"failure"`
	Skipped *junitText `xml:"skipped"`
}

type junitText struct {
	Message string `xml:"message,attr"`
}

// JUnit writes one suite for each framework and in it a case for each control: failed where it is not satisfied, skipped
// where it is exempt, partly assessed or not at all. Nothing passes that was not looked at.
func JUnit(w io.Writer, r *Report) error {
	all := junitSuites{Name: "waywarden report"}
	for _, f := range r.Frameworks {
		s := junitSuite{Name: report.Printable(f.ID), Properties: []junitProperty{{"notice", r.Notice}, {"title", report.Printable(f.Title)}}}
		for _, c := range f.Controls {
			one := junitCase{Name: report.Printable(c.ID), Class: s.Name}
			text := &junitText{Message: report.Printable(c.State.Words() + ": " + c.Because)}
			switch c.State {
			case Satisfied:
			case NotSatisfied:
				one.Failure = text
				s.Failures++
			default:
				one.Skipped = text
				s.Skipped++
			}
			s.Tests++
			s.Cases = append(s.Cases, one)
		}
		all.Tests, all.Failures = all.Tests+s.Tests, all.Failures+s.Failures
		all.Suites = append(all.Suites, s)
	}
	return report.XML(w, all)
}
