package compliance_test

import (
	"encoding/csv"
	"encoding/xml"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/audit/compliance"
)

// TestJUnit: the counts are of what is there, nothing both fails and is skipped, and nothing passes that is not satisfied.
func TestJUnit(t *testing.T) {
	r := made(t, december, examples...)
	type counts struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
		Errors   int `xml:"errors,attr"`
	}
	var all struct {
		counts
		Suites []struct {
			counts
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string     `xml:"name,attr"`
				Class   string     `xml:"classname,attr"`
				Failure []struct{} `xml:"failure"`
				Skipped []struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(written(t, "junit", r)), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Suites) != len(r.Frameworks) {
		t.Fatalf("%d suites of %d frameworks", len(all.Suites), len(r.Frameworks))
	}
	total := counts{}
	for i, s := range all.Suites {
		f := r.Frameworks[i]
		got := counts{Tests: len(s.Cases)}
		for n, c := range s.Cases {
			got.Failures, got.Skipped = got.Failures+len(c.Failure), got.Skipped+len(c.Skipped)
			passes := len(c.Failure)+len(c.Skipped) == 0
			if c.Name != f.Controls[n].ID || c.Class != f.ID || len(c.Failure)+len(c.Skipped) > 1 || passes != (f.Controls[n].State == compliance.Satisfied) {
				t.Errorf("%s %s, %s, is told as %+v", f.ID, f.Controls[n].ID, f.Controls[n].State, c)
			}
		}
		if s.counts != got || s.Name != f.ID || got.Failures != f.Totals.NotSatisfied {
			t.Errorf("%s says %+v and holds %+v", s.Name, s.counts, got)
		}
		total.Tests, total.Failures = total.Tests+got.Tests, total.Failures+got.Failures
	}
	if all.counts != total || total.Failures == 0 {
		t.Errorf("it says %+v and holds %+v", all.counts, total)
	}
}

// TestCSV: there is a line for each control, each with as many cells as there are names of columns, and with what it is a share of.
func TestCSV(t *testing.T) {
	r := made(t, december, examples...)
	lines, err := csv.NewReader(strings.NewReader(written(t, "csv", r))).ReadAll() // which refuses lines of other lengths
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, name := range lines[0] {
		at[name] = i
	}
	lines = lines[1:]
	for _, f := range r.Frameworks {
		for _, c := range f.Controls {
			got := []string{lines[0][at["framework"]], lines[0][at["control"]], lines[0][at["state"]], lines[0][at["objects failed"]], lines[0][at["objects assessed"]]}
			want := []string{f.ID, c.ID, c.State.Words(), strconv.Itoa(c.Objects.Failed), strconv.Itoa(c.Objects.Assessed)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			lines = lines[1:]
		}
	}
	if len(lines) > 0 {
		t.Errorf("%d lines more", len(lines))
	}
}

// TestJSONIsRead: a report that was saved is the one that was made.
func TestJSONIsRead(t *testing.T) {
	text := written(t, "json", made(t, december, examples...))
	r, err := compliance.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if again := written(t, "json", r); again != text {
		t.Errorf("what was read is written as something else (-written +again):\n%s", cmp.Diff(text, again))
	}
}
