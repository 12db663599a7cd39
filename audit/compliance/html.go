package compliance

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

//go:embed report.html.tmpl
var page string

//go:embed report.css
var css string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"printable": report.Printable,
	"state":     func(s State) string { return s.Words() },
	"moment":    func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 MST") },
	"day":       func(t time.Time) string { return t.UTC().Format("2 January 2006") },
	"short":     short,
	"anchor":    anchor,
	"sum":       func(c report.SeverityCounts) int { return c.Total() },
	"accepted":  func(reason string) bool { return reason == mesh.WaypointAccepted },
	"percent":   percent,
	"full":      func(s Share) bool { return s.N == s.Of },
}).Parse(page))

// HTML writes a page that stands alone: no script, no font and no image from elsewhere. It is made to be read on a screen,
// light or dark, by keyboard, and to be printed.
func HTML(w io.Writer, r *Report) error {
	p := htmlPage{Report: r, CSS: template.CSS(css), Groups: bySeverity(r), named: map[string]string{}, found: map[string][]string{}}
	p.MoreFindings, p.MoreObjects = max(0, len(r.Findings)-mostFindings), max(0, len(r.Objects)-mostObjects)
	for _, g := range p.Groups {
		for _, f := range g.Findings {
			p.named[f.Fingerprint] = f.Object.String()
			p.found[f.Check] = append(p.found[f.Check], f.Fingerprint)
		}
	}
	return pageTemplate.Execute(w, p)
}

// A page that a browser can show holds no more than so many of each; the JSON has them all.
const (
	mostFindings = 1000
	mostObjects  = 2000
	mostLinks    = 10 // for one control; its checks have the others
)

type htmlPage struct {
	*Report
	CSS    template.CSS
	Groups []htmlGroup
	// MoreFindings and MoreObjects are how many are not on the page.
	MoreFindings, MoreObjects int

	named map[string]string   // the objects of the findings on the page, by fingerprint
	found map[string][]string // the fingerprints of the findings on the page, by check
}

// htmlGroup is the findings of one severity.
type htmlGroup struct {
	Severity policies.Severity
	Findings []htmlFinding
}

type htmlFinding struct {
	Finding
	Controls []string // "nist-800-53-r5: AC-3, AC-4"
}

// bySeverity are the findings that there are, the worst first, with the controls of the report's frameworks that they are
// evidence for.
func bySeverity(r *Report) []htmlGroup {
	controls := map[string][]string{}
	for _, f := range r.Frameworks {
		of := map[string][]string{}
		for _, control := range f.Controls {
			for _, check := range control.Checks {
				of[check] = append(of[check], control.ID)
			}
		}
		for check, ids := range of {
			controls[check] = append(controls[check], f.ID+": "+strings.Join(ids, ", "))
		}
	}
	var out []htmlGroup
	for _, s := range policies.Severities {
		g := htmlGroup{Severity: s}
		for _, f := range r.Findings[:min(len(r.Findings), mostFindings)] { // the worst come first
			if f.Severity == s {
				g.Findings = append(g.Findings, htmlFinding{f, controls[f.Check]})
			}
		}
		if len(g.Findings) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// Line is a framework's totals in a sentence.
func (f Framework) Line() string { return totals(&f) + "." }

// Slice is how many of the controls that anything can be said of have a state.
type Slice struct {
	State State
	N     int
	Style template.CSS
}

// Slices divide a bar among the states of the controls that were assessed.
func (f Framework) Slices() []Slice {
	var out []Slice
	for _, s := range []State{Satisfied, Exempt, Partial, NotSatisfied} {
		if n := f.Totals.Of(s); n > 0 {
			out = append(out, Slice{s, n, template.CSS(fmt.Sprintf("flex-grow:%d", n))})
		}
	}
	return out
}

// Link leads to a finding on the page.
type Link struct{ Fingerprint, Object string }

// Failing is where to go from a control or a check: to what it found on the page, one link for each object, by its name. A control
// has the first of these and then, for More, the checks that found them, of which each has all.
type Failing struct {
	Links  []Link
	More   int
	Checks []string
}

// Failing leads from a control to what fails it.
func (p htmlPage) Failing(c Control) Failing {
	links := p.links(c.Findings)
	if len(links) <= mostLinks {
		return Failing{Links: links}
	}
	out := Failing{Links: links[:mostLinks], More: len(links) - mostLinks}
	for _, check := range c.Checks {
		if len(p.found[check]) > 0 {
			out.Checks = append(out.Checks, check)
		}
	}
	return out
}

// Found leads from a check to all that it found on the page.
func (p htmlPage) Found(c Check) []Link { return p.links(p.found[c.ID]) }

func (p htmlPage) links(fingerprints []string) []Link {
	first := map[string]string{}
	for _, f := range fingerprints {
		if object, ok := p.named[f]; ok && first[object] == "" {
			first[object] = f
		}
	}
	var out []Link
	for _, object := range slices.Sorted(maps.Keys(first)) {
		out = append(out, Link{first[object], object})
	}
	return out
}

// ShownObjects are the objects on the page.
func (p htmlPage) ShownObjects() []Object { return p.Objects[:min(len(p.Objects), mostObjects)] }

// anchor is an ID that a link can name.
func anchor(parts ...string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, strings.Join(parts, "-"))
}

// percent is a width, for a bar whose numbers stand beside it.
func percent(s Share) template.CSS {
	if s.Of == 0 {
		return "width:0"
	}
	return template.CSS(fmt.Sprintf("width:%d%%", 100*s.N/s.Of))
}
