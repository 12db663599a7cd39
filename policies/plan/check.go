package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// check finds what has to stand beside the labels, and takes out of the plan what must not be bound: where a policy on
// clients cannot be said at the waypoint, or an effect changes that nobody can explain. What is bound already stays so.
func (m *maker) check() {
	for {
		after := m.plan.bound(m.snapshot)
		for i := range m.plan.Labels {
			m.plan.Labels[i].Binds = newlyBound(m.snapshot, after, m.plan.Labels[i])
		}
		if m.unmet(after) || m.restateAll(after) {
			continue
		}
		if len(m.plan.Waypoints) == 0 {
			m.plan.Changes, m.plan.Notices = []Change{}, []Notice{}
			m.holdBlocked()
			return
		}
		for _, look := range []func(*mesh.Snapshot){m.ingress, m.guards, m.clusters} {
			if m.until.over() {
				return
			}
			look(m.ingressed(after))
		}
		m.plan.Changes = changes(m.view, m.plan.beside(m.ingressed(after)), m.touched(), m.until)
		if m.unexplained(after) {
			continue
		}
		m.plan.Notices = append(m.plan.Notices, notices(after, m.plan.Labels, m.plan.Waypoints)...)
		sortNotices(m.plan.Notices)
		return
	}
}

// restateAll finds the policies of ours for all that the plan binds. It is true where it took something out of the plan, so
// that all has to be looked at again.
func (m *maker) restateAll(after *mesh.Snapshot) bool {
	m.plan.Policies, m.plan.Notices = nil, []Notice{}
	changed := false
	for _, w := range slices.Clone(m.plan.Waypoints) {
		if changed && !slices.ContainsFunc(m.plan.Waypoints, func(o Waypoint) bool { return o.Ref() == w.Ref() }) {
			continue
		}
		gw := after.Get(mesh.Gateway, w.Namespace, w.Name)
		for _, svc := range after.BoundTo(gw) {
			if m.until.over() {
				return false
			}
			if m.snapshot.Binding(m.snapshot.Get(svc.Kind, svc.Namespace, svc.Name)).Bound {
				continue
			}
			r := restate(m.snapshot, after, svc, m.signer(svc.Namespace))
			// What is bound here already stays so. A move is asked for, though: its Service is bound to the waypoint that it leaves.
			if was := m.stored.Binding(find(m.stored, refOf(svc))); r.why == "" && !(was.Bound && was.Waypoint() == w.Ref()) {
				r.of, r.why = m.cut(gw, svc, after)
			}
			if r.why != "" && m.obstruct(&w, svc, r) {
				changed = true
				break // what else is bound to it may be bound by other labels now, and the other waypoints are as they were
			}
			m.plan.Policies = append(m.plan.Policies, r.policies...)
			m.plan.Notices = append(m.plan.Notices, r.notices...)
		}
		if pod, r := m.direct(gw, after); pod != nil && !changed {
			changed = m.obstructPods(&w, pod, r)
		}
	}
	if changed {
		return true
	}
	m.leaving()
	m.copies(after)
	sortPolicies(m.plan.Policies)
	return false
}

func sortPolicies(own []Policy) {
	rank := map[Role]int{Twin: 0, Copy: 0, Admission: 1, Guarding: 2}
	type ranked struct {
		rank int
		ref  mesh.Ref
		Policy
	}
	all := make([]ranked, len(own))
	for i, p := range own {
		all[i] = ranked{rank[p.Role], p.Ref(), p}
	}
	slices.SortFunc(all, func(a, b ranked) int { return cmp.Or(a.rank-b.rank, a.ref.Compare(b.ref)) })
	for i := range all {
		own[i] = all[i].Policy
	}
}

// signer marks what is made for objects of a namespace, where Waywarden makes it itself.
func (m *maker) signer(ns string) func(map[string]any, map[string]string) {
	setting := m.settings.Of(ns)
	return func(metadata map[string]any, annotations map[string]string) {
		if setting.Mode == Provision {
			sign(metadata, nameOf(setting.Profile), annotations)
		}
	}
}

// obstruct deals with a Service that must not be bound. It is true where the plan changed.
func (m *maker) obstruct(w *Waypoint, svc *mesh.Object, r restated) bool {
	i := slices.IndexFunc(m.plan.Labels, func(l Label) bool { return slices.Contains(l.Binds, svc.Ref()) })
	if i < 0 {
		return m.withdraw(w, r.why) // somebody labelled it already: it would be bound as soon as there is a waypoint
	}
	l := m.plan.Labels[i]
	if m.isStored(l) {
		for _, n := range l.Needs {
			if same(n.Target, targetOf(svc)) {
				m.block(n, r.why)
			}
		}
		m.block(Need{Target: targetOf(svc), Policy: refOf(r.of), Field: "spec.rules", Verdict: policies.Enforced, Becomes: policies.Unknown,
			Reason: "what it says of clients is not said at the waypoint, to which " + svc.String() + " is bound already"}, r.why)
		return false
	}
	if m.staysAt(i, r.why) {
		return true
	}
	m.plan.Labels = slices.Delete(m.plan.Labels, i, i+1)
	if l.On.Kind != mesh.Namespace.String() {
		m.blockAll(l.Needs, r.why)
		m.drop(l.Waypoint())
		return true
	}
	var rest []Need
	for _, n := range l.Needs {
		if same(n.Target, targetOf(svc)) {
			m.block(n, r.why)
		} else {
			rest = append(rest, n)
		}
	}
	m.labelObjects(w, rest, fmt.Sprintf("on %s it would also bind %s: %s", l.On, svc, r.why))
	sortLabels(m.plan.Labels)
	m.drop(l.Waypoint())
	return true
}

// isStored is whether a label of the plan is set already, by us.
func (m *maker) isStored(l Label) bool {
	was, ok := m.storedLabel(find(m.stored, l.On))
	return ok && was.Waypoint() == l.Waypoint()
}

func (m *maker) block(n Need, why string) {
	if !m.blocked(n) {
		m.plan.Blocked = append(m.plan.Blocked, Blocked{Need: n, Why: why})
	}
}

func (m *maker) blockAll(needs []Need, why string) {
	for _, n := range needs {
		m.block(n, why)
	}
}

// withdraw leaves a waypoint unmade that would bind, at once, what must not be bound.
func (m *maker) withdraw(w *Waypoint, why string) bool {
	if m.managed.Made(m.stored.Get(mesh.Gateway, w.Namespace, w.Name)) || w.Existing {
		m.blockAll(w.Needs, why)
		return false
	}
	m.blockAll(w.Needs, why)
	m.plan.Labels = slices.DeleteFunc(m.plan.Labels, func(l Label) bool { return l.Waypoint() == w.Ref() })
	m.plan.Waypoints = slices.DeleteFunc(m.plan.Waypoints, func(o Waypoint) bool { return o.Ref() == w.Ref() })
	return true
}

// drop takes out those of some waypoints of which no label and no need is left, and which nothing else asks for.
func (m *maker) drop(waypoints ...mesh.Ref) {
	gone := map[mesh.Ref]bool{}
	for _, ref := range waypoints {
		gone[ref] = true
	}
	for _, l := range m.plan.Labels {
		delete(gone, l.Waypoint())
	}
	var rest []Waypoint
	for _, w := range m.plan.Waypoints {
		if !gone[w.Ref()] || slices.ContainsFunc(w.Needs, func(n Need) bool { return !m.blocked(n) }) || m.idles(&w) {
			rest = append(rest, w)
		}
	}
	m.plan.Waypoints = rest
}

// blocked is whether a need is among those that the plan does not meet, to which some are only ever added.
func (m *maker) blocked(n Need) bool {
	if m.blocks == nil {
		m.blocks = map[needKey]bool{}
	}
	for ; m.entered < len(m.plan.Blocked); m.entered++ {
		m.blocks[m.plan.Blocked[m.entered].key()] = true
	}
	return m.blocks[n.key()]
}

// unexplained takes out of the plan what changes an effect in a way that is not understood, or not made up for: for each such change
// one of the labels that it comes from, all before anything is looked at again. A change that comes from a label that goes already may
// be gone with it.
func (m *maker) unexplained(after *mesh.Snapshot) bool {
	var by *sources
	why := map[int]string{} // labels that go, by their place
	var unmade []func() bool
	for _, c := range m.plan.Changes {
		if !c.unexplained() {
			continue
		}
		if by == nil {
			by = sourcesOf(m.plan.Labels)
		}
		behind := by.behind(after, c)
		if slices.ContainsFunc(behind, func(i int) bool { return why[i] != "" }) {
			continue
		}
		if i := slices.IndexFunc(behind, func(i int) bool { return !m.isStored(m.plan.Labels[i]) }); i >= 0 {
			why[behind[i]] = c.stops()
			continue
		}
		for _, w := range m.plan.bindAt(after, c) {
			unmade = append(unmade, func() bool { return m.withdraw(&w, c.stops()) })
		}
	}
	m.takeOut(why)
	changed := len(why) > 0
	for _, withdraw := range unmade {
		changed = withdraw() || changed
	}
	return changed
}

// takeOut takes labels out of the plan, by their places, or leaves what they are for where it is bound.
func (m *maker) takeOut(why map[int]string) {
	var rest []Label
	var dropped []mesh.Ref
	stay := map[mesh.Ref]string{}
	for i, l := range m.plan.Labels {
		_, bound := m.storedLabel(find(m.stored, l.On))
		switch {
		case why[i] == "":
			rest = append(rest, l)
		case bound:
			rest, stay[l.On] = append(rest, l), why[i]
		default:
			m.blockAll(l.Needs, why[i])
			dropped = append(dropped, l.Waypoint())
		}
	}
	m.plan.Labels = rest
	m.drop(dropped...)
	for i, l := range rest {
		if stay[l.On] != "" {
			m.staysAt(i, stay[l.On])
		}
	}
}

// stops says why a change stops the plan. Who cannot judge says what is missing; else the message's own remedy is what the plan would
// have done, if it could.
func (c Change) stops() string {
	would := fmt.Sprintf("%s at %s would be %s, and nothing in the plan makes up for that: ", c.Object, c.Target, statesOf(c.After))
	if slices.ContainsFunc(c.After, func(s State) bool { return s.Verdict == policies.Unknown }) {
		return would + c.Message
	}
	cause, _, _ := strings.Cut(c.Message, ". ")
	return would + strings.TrimSuffix(cause, ".") + ". Say it in a policy with targetRefs, or make the waypoint and its label yourself if that is meant."
}

// bindAt are the waypoints of the plan that a change comes from though no label of the plan binds anything: somebody labelled it already.
func (p *Plan) bindAt(after *mesh.Snapshot, c Change) []Waypoint {
	at := map[*mesh.Object]bool{}
	if o := serviceOf(after, c.Target); o != nil {
		at[after.Binding(o).Gateway] = true
	}
	if o := find(after, c.Object); o != nil {
		for _, f := range policies.Fronts(after, o) {
			at[f.Waypoint] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(p.Waypoints), func(w Waypoint) bool { return !at[after.Get(mesh.Gateway, w.Namespace, w.Name)] })
}

func statesOf(states []State) string {
	var out []string
	for _, s := range states {
		out = append(out, string(s.Verdict))
	}
	return strings.Join(out, ", ")
}
