package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// PlanKind is the kind of a Plan.
const PlanKind = "Plan"

// Plan is the waypoints that are needed, and for what. Arrays are never nil.
type Plan struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Waypoints  []plan.Waypoint `json:"waypoints"`
	Policies   []plan.Policy   `json:"policies"`
	Labels     []PlannedLabel  `json:"labels"`
	Changes    []PlannedChange `json:"changes"`
	Notices    []PlannedNotice `json:"notices"`
	Blocked    []plan.Blocked  `json:"blocked"`
	// Unplanned are what a waypoint might help, for all that is known, and for which none is planned.
	Unplanned []plan.Unplanned `json:"unplanned"`
	Errors    []Error          `json:"errors"`
	Unread    []Unread         `json:"unread"`
}

// PlannedLabel is a label to set, with the place of the object; null for an object of a cluster.
type PlannedLabel struct {
	plan.Label
	Location *Location `json:"location"`
}

// PlannedChange is a change, with what it comes with: the object to label, or the waypoint of what asks for it already; null for what
// comes with the plan as a whole.
type PlannedChange struct {
	plan.Change
	From *mesh.Ref `json:"from"`
}

// PlannedNotice is a notice, with what it comes with, as of a [PlannedChange].
type PlannedNotice struct {
	plan.Notice
	From *mesh.Ref `json:"from"`
}

// Finish fills in empty arrays and the order of what could not be read.
func (p *Plan) Finish() *Plan {
	p.APIVersion, p.Kind = APIVersion, PlanKind
	r := ScanResult{Errors: p.Errors, Unread: p.Unread}
	r.Finish()
	p.Errors, p.Unread = r.Errors, r.Unread
	p.Waypoints, p.Labels, p.Changes, p.Blocked = notNil(p.Waypoints), notNil(p.Labels), notNil(p.Changes), notNil(p.Blocked)
	p.Policies, p.Notices, p.Unplanned = notNil(p.Policies), notNil(p.Notices), notNil(p.Unplanned)
	for i := range p.Policies {
		p.Policies[i].Of, p.Policies[i].For = notNil(p.Policies[i].Of), notNil(p.Policies[i].For)
	}
	for i := range p.Waypoints {
		p.Waypoints[i].Needs = notNil(p.Waypoints[i].Needs)
	}
	for i := range p.Labels {
		p.Labels[i].Binds, p.Labels[i].Needs = notNil(p.Labels[i].Binds), notNil(p.Labels[i].Needs)
	}
	return p
}

// Nothing is whether there is nothing to apply.
func (p *Plan) Nothing() bool {
	made := plan.Plan{Waypoints: p.Waypoints, Policies: p.Policies}
	for _, l := range p.Labels {
		made.Labels = append(made.Labels, l.Label)
	}
	return made.Nothing()
}

// PlanNotes writes for people what a plan leaves out: what is blocked, and what could not be read.
func PlanNotes(w io.Writer, p *Plan, style Style) error {
	t := textWriter{Writer: bufio.NewWriter(w), style: style}
	for _, wp := range p.Waypoints {
		if wp.Existing && !wp.Ready {
			t.headline(printable("Gateway "+wp.Namespace+"/"+wp.Name), "not ready", yellow, plural(len(wp.Needs), "policy waits", "policies wait")+
				" for it. Find out why it has no address.", "")
		}
	}
	if p.Nothing() { // else they are said with what there is to apply
		for _, text := range p.comment(nil) {
			t.paragraph("", text)
		}
	}
	for _, b := range p.Blocked {
		t.headline(printable(b.Policy.String()), "not planned", yellow, printable(fmt.Sprintf("a waypoint for %s needs a decision: %s", b.Target, b.Why)), "")
	}
	t.unplanned(p.Unplanned)
	r := &ScanResult{Errors: p.Errors, Unread: p.Unread}
	t.errors(r)
	t.unread(r)
	return t.Flush()
}

// unplanned says why nothing is planned for policies, once for all that have the same reason.
func (t textWriter) unplanned(left []plan.Unplanned) {
	same := map[string][]string{}
	for _, u := range left {
		if name := u.Policy.String(); !slices.Contains(same[u.Why], name) {
			same[u.Why] = append(same[u.Why], name)
		}
	}
	for _, u := range left {
		objects := same[u.Why]
		if len(objects) == 0 {
			continue // said
		}
		delete(same, u.Why)
		t.headline(printable(listed(objects)), "not planned", yellow, printable(u.Why), "")
	}
}

// listed names objects, and counts those that are too many.
func listed(objects []string) string {
	text := strings.Join(objects[:min(len(objects), shownUnknown)], ", ")
	if more := len(objects) - shownUnknown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
