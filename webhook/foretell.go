package webhook

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// maxForetold is how many changes of other policies a warning names.
const maxForetold = 3

// late is what is said where a plan takes longer than the request has.
const late = "it is not known in time which waypoint this will have. waywarden plan says that when it is stored."

// foretell says which waypoint will be made for a policy once it is stored, where a Guardrail has waypoints made: a webhook
// makes nothing itself, so that a dry run, or another webhook that refuses, leaves nothing behind.
//
// Only a policy that waits for something is looked at. That is advice, and the request is decided: it is not waited for when ctx ends,
// and no mistake in it refuses anything. A plan that nobody waits for any more is broken off at the next policy; until then it goes on beside, and
// there are no more of those than requests are judged at a time.
func (a *Admission) foretell(ctx context.Context, c *change, v *verdict) []string {
	if a.Waypoints == nil || c.new == nil || !c.new.Kind.IsPolicy() || v.decision.Denied ||
		!slices.ContainsFunc(v.findings, func(f policies.Finding) bool { return len(f.WaitsFor) > 0 }) {
		return nil
	}
	select {
	case a.foretelling <- struct{}{}:
	default:
		return []string{late}
	}
	said := make(chan []string, 1)
	about := []string{c.new.Namespace}
	for _, f := range v.findings {
		about = append(about, f.Namespaces...)
	}
	go func() { // it sees nothing that whoever waits goes on to write to
		out := a.advice(ctx, c.new, about)
		<-a.foretelling // before that is said: whoever asks next finds room
		said <- out
	}()
	select {
	case out := <-said:
		return out
	case <-ctx.Done():
		return []string{late}
	}
}

// advice is what is foreseen, or that a mistake of ours keeps that from being said.
func (a *Admission) advice(ctx context.Context, policy *mesh.Object, about []string) (out []string) {
	defer func() {
		if p := recover(); p != nil {
			a.Log.Error(fmt.Errorf("panic: %v", p), "which waypoint a policy will have could not be said, which is a mistake in waywarden", "policy", policy.String(), "stack", string(debug.Stack()))
			out = []string{fmt.Sprintf("which waypoint this will have could not be said, which is a mistake in waywarden: %v. Report it, with the policy.", p)}
		}
	}()
	return a.foreseen(ctx, policy, about)
}

// foreseen is what a plan does for a policy. Planned for are no more than the namespaces that it is about: to plan for all of them takes
// longer than an API server should wait.
func (a *Admission) foreseen(ctx context.Context, policy *mesh.Object, about []string) []string {
	stored := a.Snapshot()
	settings := a.Waypoints(stored.Excerpt(about...))
	provides := func(ns string) bool { return settings.Of(ns).Mode == plan.Provision }
	if !slices.ContainsFunc(about, func(ns string) bool {
		_, asked := settings.Namespaces[ns]
		return asked || provides(ns)
	}) {
		return nil // no Guardrail says anything about waypoints
	}
	var managed plan.Managed
	if a.Managed != nil {
		managed = a.Managed()
	}
	p, ok := plan.Foresee(policies.NewView(stored.With(policy)), settings, managed, about, func() bool { return ctx.Err() != nil })
	if !ok {
		return []string{late}
	}
	return foretold(&p, stored, policy.Ref(), provides)
}

// foretold is what a plan does for a policy, as sentences, and what it cannot do. provides is whether waypoints are made for a namespace.
func foretold(p *plan.Plan, stored *mesh.Snapshot, policy mesh.Ref, provides func(string) bool) []string {
	var out []string
	for i := range p.Waypoints {
		w := &p.Waypoints[i]
		if !slices.ContainsFunc(w.Needs, func(n plan.Need) bool { return n.Policy == policy && !refused(p, n) }) {
			continue
		}
		binds := []string{}
		for _, l := range p.Labels {
			if l.Waypoint() == w.Ref() && !isSet(stored, l) {
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
		if w.Existing || stored.Get(mesh.Gateway, w.Namespace, w.Name) != nil {
			out = append(out, fmt.Sprintf("Gateway %s/%s is the waypoint for it; when this is stored, %s.", w.Namespace, w.Name, then))
		} else {
			out = append(out, fmt.Sprintf("Gateway %s/%s will be made for it by WaypointProfile %s when this is stored, and %s. Until then calls pass as before%s.", w.Namespace, w.Name, w.Profile(), then, but))
		}
		out = append(out, shut...)
	}
	planned := len(out) > 0
	for _, b := range p.Blocked {
		switch {
		case b.Policy != policy:
		case provides(b.Target.Namespace):
			out = append(out, b.Says())
			if undecided(p, mesh.Ref{Kind: b.Target.Kind, Namespace: b.Target.Namespace, Name: b.Target.Name}) {
				out = append(out, fmt.Sprintf("Nobody gets in at %s from shortly after this is stored until that is decided: the Guardrail says pending: Guard, and it is agreed (%s).", b.Target, plan.HoldAnnotation))
			}
		default:
			out = append(out, fmt.Sprintf("no waypoint can be planned for %s: %s", b.Target, b.Why))
		}
	}
	if !planned {
		return out
	}
	return append(out, others(p, policy)...)
}

// isSet is whether an object has a label already.
func isSet(stored *mesh.Snapshot, l plan.Label) bool {
	kind, ok := mesh.KindOf(l.On.APIVersion, l.On.Kind)
	if !ok {
		return false
	}
	o := stored.Get(kind, l.On.Namespace, l.On.Name)
	return o != nil && o.Labels[l.Key] == l.Value
}

// refused is whether a plan does not meet a need.
func refused(p *plan.Plan, n plan.Need) bool {
	return slices.ContainsFunc(p.Blocked, func(b plan.Blocked) bool {
		return b.Policy == n.Policy && b.Target.Kind == n.Target.Kind && b.Target.Namespace == n.Target.Namespace && b.Target.Name == n.Target.Name
	})
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
