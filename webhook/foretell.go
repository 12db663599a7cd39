package webhook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// maxForetold is how many changes of other policies a warning names.
const maxForetold = 3

// foretell says which waypoint will be made for a policy once it is stored, where a Guardrail has waypoints made: a webhook
// makes nothing itself, so that a dry run, or another webhook that refuses, leaves nothing behind.
//
// Only a policy that waits for something is looked at, in a mesh of no more than the namespaces that it is about: to plan
// for all of them takes longer than an API server should wait.
func (a *Admission) foretell(c *change, v *verdict) []string {
	if a.Waypoints == nil || c.new == nil || !c.new.Kind.IsPolicy() || v.decision.Denied ||
		!slices.ContainsFunc(v.findings, func(f policies.Finding) bool { return len(f.WaitsFor) > 0 }) {
		return nil
	}
	about := []string{c.new.Namespace}
	for _, f := range v.findings {
		about = append(about, f.Namespaces...)
	}
	stored := a.Snapshot()
	settings, guarded := a.Waypoints(stored.Excerpt(about...)), false
	for _, s := range settings.Namespaces {
		about = append(about, s.Profile.SharedNamespace)
		guarded = guarded || s.Bypass == plan.Guard || s.Pending == plan.Guard
	}
	if guarded { // who scrapes is somewhere else, and decides whether there is a guard
		for _, w := range policies.Scrapers(stored) {
			about = append(about, w.Namespace)
		}
	}
	if !slices.ContainsFunc(about, func(ns string) bool {
		_, asked := settings.Namespaces[ns]
		return asked || settings.Of(ns).Mode == plan.Provision
	}) {
		return nil // no Guardrail says anything about waypoints
	}
	p := plan.Make(policies.NewView(stored.Excerpt(about...).With(c.new)), settings, nil)
	return foretold(&p, c.new.Ref())
}

// foretold is what a plan does for a policy, as sentences.
func foretold(p *plan.Plan, policy mesh.Ref) []string {
	var out []string
	for i := range p.Waypoints {
		w := &p.Waypoints[i]
		if !slices.ContainsFunc(w.Needs, func(n plan.Need) bool { return n.Policy == policy }) {
			continue
		}
		binds := []string{}
		for _, l := range p.Labels {
			if l.Waypoint() == w.Ref() {
				binds = append(binds, l.On.String())
			}
		}
		if !w.Made() {
			out = append(out, wouldServe(w, binds))
			continue
		}
		shut, held := closed(p, w.Ref())
		but := ""
		if held {
			but = ", but for what is closed"
		}
		then := "once it is ready"
		if len(binds) > 0 {
			then = fmt.Sprintf("%s bound to it %s", strings.Join(binds, ", ")+verb(binds), then)
		} else {
			then = "it takes effect " + then
		}
		if w.Existing {
			out = append(out, fmt.Sprintf("Gateway %s/%s is the waypoint for it; when this is stored, %s.", w.Namespace, w.Name, then))
		} else {
			out = append(out, fmt.Sprintf("Gateway %s/%s will be made for it by WaypointProfile %s when this is stored, and %s. Until then calls pass as before%s.", w.Namespace, w.Name, w.Profile(), then, but))
		}
		out = append(out, shut...)
	}
	if len(out) == 0 {
		return nil
	}
	for _, b := range p.Blocked {
		if b.Policy == policy {
			out = append(out, fmt.Sprintf("no waypoint is made for %s: %s", b.Target, b.Why))
		}
	}
	return append(out, others(p, policy)...)
}

// wouldServe names the waypoint that would put a policy in force, where it is its owner's to make.
func wouldServe(w *plan.Waypoint, binds []string) string {
	what := fmt.Sprintf("Gateway %s/%s would", w.Namespace, w.Name)
	if w.Existing {
		what = fmt.Sprintf("Gateway %s/%s is there and would", w.Namespace, w.Name)
	}
	bound := ""
	if len(binds) > 0 {
		bound = fmt.Sprintf(", with %s bound to it", strings.Join(binds, ", "))
	}
	return fmt.Sprintf("%s put this in force%s. No Guardrail with mode Provision has that done: waywarden plan prints the manifests, and what else changes with them.", what, bound)
}

func verb(names []string) string {
	if len(names) == 1 {
		return " is"
	}
	return " are"
}

// others are what else a plan changes for the worse.
func others(p *plan.Plan, policy mesh.Ref) []string {
	var out []string
	left := 0
	for _, c := range p.Changes {
		switch {
		case c.Object == policy || c.Turn != plan.Weaker && c.Turn != plan.Denies:
		case len(out) == maxForetold:
			left++
		default:
			out = append(out, fmt.Sprintf("with the waypoint %s at %s changes: %s", c.Object, c.Target, c.Message))
		}
	}
	if left > 0 {
		out = append(out, fmt.Sprintf("%d more policies change with the waypoint: waywarden plan shows all.", left))
	}
	return out
}
