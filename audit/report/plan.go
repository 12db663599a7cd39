package report

import (
	"bufio"
	"fmt"
	"io"

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
	Changes    []plan.Change   `json:"changes"`
	Notices    []plan.Notice   `json:"notices"`
	Blocked    []plan.Blocked  `json:"blocked"`
	Errors     []Error         `json:"errors"`
	Unread     []Unread        `json:"unread"`
}

// PlannedLabel is a label to set, with the place of the object; null for an object of a cluster.
type PlannedLabel struct {
	plan.Label
	Location *Location `json:"location"`
}

// Finish fills in empty arrays and the order of what could not be read.
func (p *Plan) Finish() *Plan {
	p.APIVersion, p.Kind = APIVersion, PlanKind
	r := ScanResult{Errors: p.Errors, Unread: p.Unread}
	r.Finish()
	p.Errors, p.Unread = r.Errors, r.Unread
	p.Waypoints, p.Labels, p.Changes, p.Blocked = notNil(p.Waypoints), notNil(p.Labels), notNil(p.Changes), notNil(p.Blocked)
	p.Policies, p.Notices = notNil(p.Policies), notNil(p.Notices)
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
	for _, b := range p.Blocked {
		t.headline(printable(b.Policy.String()), "not planned", yellow, printable(fmt.Sprintf("a waypoint for %s needs a decision: %s", b.Target, b.Why)), "")
	}
	r := &ScanResult{Errors: p.Errors, Unread: p.Unread}
	t.errors(r)
	t.unread(r)
	return t.Flush()
}
