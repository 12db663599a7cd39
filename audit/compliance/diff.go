package compliance

import (
	"fmt"
	"io"
	"time"

	"github.com/waywarden/waywarden/audit/report"
)

// DiffKind is the kind of a Diff.
const DiffKind = "ComplianceDiff"

// Diff is what differs between two reports of the same mesh. Arrays are never nil.
type Diff struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
	// New are findings that the later report has and the earlier one has not, Gone those of which it is the other way
	// round. Stayed counts those of both.
	New    []DiffFinding `json:"new"`
	Gone   []DiffFinding `json:"gone"`
	Stayed int           `json:"stayed"`
	// Controls are those whose state is another one.
	Controls []DiffControl `json:"controls"`
	// OtherChecks is whether the two were made by other checks, so that a finding may be new only because it is asked for.
	OtherChecks bool `json:"otherChecks"`
	// Incomplete is whether something could not be read for one of the two, so that a finding may be new or gone only because
	// of that.
	Incomplete bool `json:"incomplete"`
}

// DiffFinding is a finding, and for how long it was there.
type DiffFinding struct {
	Fingerprint string `json:"fingerprint"`
	Check       string `json:"check"`
	Severity    string `json:"severity"`
	Object      string `json:"object"`
	Message     string `json:"message"`
	Exempt      bool   `json:"exempt"`
	// Since is when it was first seen: where nobody kept that, the moment of the first report that has it.
	Since time.Time `json:"since"`
	// Seconds is how long a finding that is gone was there. It went at some moment between the two reports, so this is how
	// long at most after it was first seen.
	Seconds int64 `json:"seconds,omitempty"`
}

// DiffControl is a control whose state is another one. From or To is empty where a report has no such control.
type DiffControl struct {
	Framework string `json:"framework"`
	Control   string `json:"control"`
	From      State  `json:"from"`
	To        State  `json:"to"`
}

// Compare says what differs from an earlier report to a later one. The error is for reports that cannot be compared: of two
// clusters, or in the wrong order.
func Compare(from, to *Report) (*Diff, error) {
	switch {
	case to.GeneratedAt.Before(from.GeneratedAt):
		return nil, fmt.Errorf("the second report is of %s and older than the first, of %s. Name the older one first; if it is not older, a clock has gone backwards",
			to.GeneratedAt.Format(time.RFC3339), from.GeneratedAt.Format(time.RFC3339))
	case from.Subject.Cluster != "" && to.Subject.Cluster != "" && from.Subject.Cluster != to.Subject.Cluster:
		return nil, fmt.Errorf("the reports are of two clusters, %s and %s", from.Subject.Cluster, to.Subject.Cluster)
	}
	d := &Diff{APIVersion: APIVersion, Kind: DiffKind, From: from.GeneratedAt, To: to.GeneratedAt, New: []DiffFinding{}, Gone: []DiffFinding{}, Controls: []DiffControl{},
		OtherChecks: from.Tool.ChecksDigest != to.Tool.ChecksDigest, Incomplete: from.incomplete() || to.incomplete()}
	was, is := counts(from), counts(to)
	for i := range to.Findings {
		f := &to.Findings[i]
		if was[f.Fingerprint]--; was[f.Fingerprint] >= 0 {
			d.Stayed++
			continue
		}
		d.New = append(d.New, differing(f, to.GeneratedAt))
	}
	for i := range from.Findings {
		f := &from.Findings[i]
		if is[f.Fingerprint]--; is[f.Fingerprint] >= 0 {
			continue
		}
		gone := differing(f, from.GeneratedAt)
		// A clock that went backwards meanwhile must not make it a negative time.
		gone.Seconds = int64(max(0, to.GeneratedAt.Sub(gone.Since)) / time.Second)
		d.Gone = append(d.Gone, gone)
	}
	d.controls(from, to)
	return d, nil
}

// incomplete is whether something was not read, or not judged.
func (r *Report) incomplete() bool { return len(r.Errors)+len(r.Unread) > 0 }

// counts is how many findings there are of each fingerprint.
func counts(r *Report) map[string]int {
	out := map[string]int{}
	for i := range r.Findings {
		out[r.Findings[i].Fingerprint]++
	}
	return out
}

func differing(f *Finding, seen time.Time) DiffFinding {
	if f.FirstSeen != nil && f.FirstSeen.Before(seen) {
		seen = *f.FirstSeen
	}
	return DiffFinding{f.Fingerprint, f.Check, string(f.Severity), f.Object.String(), f.Message, f.Exempt, seen.UTC(), 0}
}

func (d *Diff) controls(from, to *Report) {
	type key struct{ framework, control string }
	was := map[key]State{}
	for _, f := range from.Frameworks {
		for _, c := range f.Controls {
			was[key{f.ID, c.ID}] = c.State
		}
	}
	for _, f := range to.Frameworks {
		for _, c := range f.Controls {
			k := key{f.ID, c.ID}
			if old := was[k]; old != c.State {
				d.Controls = append(d.Controls, DiffControl{f.ID, c.ID, old, c.State})
			}
			delete(was, k)
		}
	}
	for _, f := range from.Frameworks {
		for _, c := range f.Controls {
			if old, gone := was[key{f.ID, c.ID}]; gone {
				d.Controls = append(d.Controls, DiffControl{Framework: f.ID, Control: c.ID, From: old})
			}
		}
	}
}

// DiffText writes a Diff for people.
func DiffText(w io.Writer, d *Diff) error {
	var err error
	printf := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, format, args...)
		}
	}
	printf("From %s to %s: %d new, %d gone, %d stayed.\n%s\n", d.From.Format(time.RFC3339), d.To.Format(time.RFC3339), len(d.New), len(d.Gone), d.Stayed, Notice)
	if d.OtherChecks {
		printf("The reports were made by other checks: something can be new only because it is asked for, or gone because it no longer is.\n")
	}
	if d.Incomplete {
		printf("Not everything could be read for both reports: something can be new, or gone, only because of that. The reports say what.\n")
	}
	for _, f := range d.New {
		printf("new   %s: %s: %s [%s]\n", f.Severity, report.Printable(f.Object), report.Printable(f.Message), f.Check)
	}
	for _, f := range d.Gone {
		printf("gone  %s: %s: %s [%s], after %s at most\n", f.Severity, report.Printable(f.Object), report.Printable(f.Message), f.Check, time.Duration(f.Seconds)*time.Second)
	}
	for _, c := range d.Controls {
		printf("%s %s: %s, and was %s\n", report.Printable(c.Framework), report.Printable(c.Control), wordsOr(c.To), wordsOr(c.From))
	}
	return err
}

func wordsOr(s State) string {
	if s == "" {
		return "not in the report"
	}
	return s.Words()
}
