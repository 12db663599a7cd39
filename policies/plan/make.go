package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// has is whether an object has the label that is planned for it.
func (c *course) has(l Label) bool {
	return slices.ContainsFunc(c.bound, func(b Label) bool { return b.On == l.On })
}

// awaited is what is to be labelled for this waypoint and is not yet.
func (c *course) awaited() []mesh.Ref {
	var out []mesh.Ref
	for _, l := range c.labels {
		on := find(c.snapshot, l.On)
		barred := func(s Stop) bool {
			return slices.ContainsFunc(l.Binds, func(svc mesh.Ref) bool { return c.bars(s, canonical(svc)) })
		}
		if on == nil || on.Terminating || c.has(l) || c.ready() && slices.ContainsFunc(c.out.Stopped, barred) {
			continue
		}
		out = append(out, refOf(on))
	}
	return out
}

// makePolicies sees to our policies of a role for some Services. A policy that cannot be written bars its Services from
// being bound, and nothing else.
func (c *course) makePolicies(role Role, row Row, for_ func(mesh.Ref) bool) outcome {
	for _, p := range c.policies {
		if !p.plays(role) || !slices.ContainsFunc(p.For, for_) || slices.Contains(c.cannot, p.Ref()) {
			continue
		}
		if role == Admission && !c.stored(p) && c.unrepeated(p) {
			c.cannot = append(c.cannot, p.Ref()) // it would let in whom the twin is to keep out
			continue
		}
		switch c.ensure(row, c.withTimes(p), p.Why, c.needsFor(p.For)) {
		case busy:
			return busy
		case stopped:
			c.cannot = append(c.cannot, p.Ref())
		}
	}
	return settled
}

// withTimes is our policy with the time that is written down on it, as long as nothing needs the waypoint.
func (c *course) withTimes(p Policy) map[string]any {
	stored := find(c.snapshot, p.Ref())
	if c.planned != nil && !c.planned.Idle || stored == nil || stored.Annotations[DrainingSinceAnnotation] == "" {
		return p.Manifest
	}
	return noted(p.Manifest, DrainingSinceAnnotation, stored.Annotations[DrainingSinceAnnotation])
}

// awaitPolicies waits until every proxy knows those policies.
func (c *course) awaitPolicies(role Role, row Row, for_ func(mesh.Ref) bool) outcome {
	out := settled
	for _, p := range c.policies {
		if p.plays(role) && slices.ContainsFunc(p.For, for_) && !slices.Contains(c.cannot, p.Ref()) {
			out = max(out, c.converged(row, p.Ref()))
		}
	}
	return out
}

func (c *course) needsFor(services []mesh.Ref) []Need {
	var out []Need
	for _, l := range c.labels {
		if slices.ContainsFunc(services, func(r mesh.Ref) bool { return slices.Contains(l.Binds, r) }) {
			out = append(out, l.Needs...)
		}
	}
	return out
}

// plays is whether a policy is written with those of a role: a copy is with the twins.
func (p Policy) plays(role Role) bool { return p.Role == role || p.Role == Copy && role == Twin }

func anything(mesh.Ref) bool { return true }

// asks is whether a Service asks for this waypoint already, by a label of whoever it is: then it is bound as soon as there is
// a waypoint.
func (c *course) asks(svc mesh.Ref) bool {
	return asksFor(c.snapshot, svc, c.ref)
}

// asksFor is whether a Service or ServiceEntry asks for a waypoint in a mesh, by a label of its own or its Namespace's.
func asksFor(s *mesh.Snapshot, svc, waypoint mesh.Ref) bool {
	o := find(s, svc)
	if o == nil {
		return false
	}
	b := s.Binding(o)
	return b.Opt == mesh.Asks && b.Namespace == waypoint.Namespace && b.Name == waypoint.Name
}

// A twin is at whatever waypoint its Service is bound to, and so comes first also where that is another one still.
func (c *course) makeTwinsOfBound() outcome { return c.makePolicies(Twin, MakeTwin, c.bindingOf) }
func (c *course) awaitTwinsOfBound() outcome {
	return max(c.awaitPolicies(Twin, MakeTwin, c.bindingOf), c.awaitTwinsElsewhere(c.asks))
}
func (c *course) makeAdmissionsOfBound() outcome {
	return c.makePolicies(Admission, MakeAdmission, c.asks)
}
func (c *course) awaitAdmissionsOfBound() outcome {
	return c.awaitPolicies(Admission, MakeAdmission, c.asks)
}
func (c *course) makeTwins() outcome { return c.makePolicies(Twin, MakeTwin, anything) }
func (c *course) awaitTwins() outcome {
	return max(c.awaitPolicies(Twin, MakeTwin, anything), c.awaitTwinsElsewhere(anything))
}
func (c *course) makeAdmissions() outcome { return c.makePolicies(Admission, MakeAdmission, anything) }
func (c *course) awaitAdmissions() outcome {
	return c.awaitPolicies(Admission, MakeAdmission, anything)
}

// bind sets the labels, one after another: the next when every proxy knows the last.
func (c *course) bind() outcome {
	for _, l := range c.labels {
		on := find(c.snapshot, l.On)
		if on == nil || on.Terminating {
			continue
		}
		if c.has(l) {
			if out := c.converged(MakeBinding, refOf(on)); out != settled {
				return out
			}
			continue
		}
		if out := c.bindOne(l, on); out == busy {
			return busy
		}
	}
	return settled
}

func (c *course) bindOne(l Label, on *mesh.Object) outcome {
	takes := c.takes(l)
	if slices.ContainsFunc(c.policies, func(p Policy) bool { return slices.Contains(c.cannot, p.Ref()) && overlap(p.For, takes) }) {
		return stopped // said where the policy was to be written
	}
	if c.awaitsTwins(l) {
		return stopped
	}
	if svc, ok := c.parts(l, on); ok {
		return c.wait(MakeBinding, svc, time.Time{}, fmt.Sprintf("it gets a label of its own first: until then that of %s would bind it", on))
	}
	if o := c.shutOut(l); o != nil {
		return c.stop(MakeBinding, refOf(on), nil, fmt.Sprintf("%s is not bound: %s", on, c.lastAllowSays(o)))
	}
	labels := c.allLabels(l, on)
	if _, ours := storedLabel(c.Evidence.Managed, on); !ours && on.Labels[l.Key] != "" {
		return c.stop(MakeBinding, refOf(on), labelsManifest(l.On, c.profileOf(on.Home()), labels), fmt.Sprintf("%s asks for waypoint %q by a label of somebody else's. Commit the label, or remove it.", on, on.Labels[l.Key]))
	}
	if why := cmp.Or(c.keptOut(on), c.left(l)); why != "" {
		return c.stop(MakeBinding, refOf(on), nil, why)
	}
	if out := c.approach(l, on); out != settled {
		return out
	}
	if out := c.awaitIngressBack(l, on); out != settled {
		return out
	}
	return c.step(Step{Action: Bind, Row: MakeBinding, Object: refOf(on), Manifest: c.relabel(on, labels),
		Preconditions: c.preconditions(on), Why: "its waypoint is ready, and everything beside it is in force", Needs: l.Needs})
}

// takes are the Services that a label binds as soon as it is set: also those that have none of their own yet, and are to have one.
func (c *course) takes(l Label) []mesh.Ref { return slices.Concat(l.Binds, c.under(l)) }

// parts is a Service that is bound by the label of a Namespace which moves, and is to have a label of its own for another waypoint: what
// stands beside the Namespace's new label is not for it.
func (c *course) parts(l Label, on *mesh.Object) (mesh.Ref, bool) {
	if _, moves := storedLabel(c.Evidence.Managed, on); !moves || on.Kind != mesh.Namespace {
		return mesh.Ref{}, false
	}
	for _, svc := range c.under(l) {
		if slices.ContainsFunc(c.Plan.Labels, func(p Label) bool { return canonical(p.On) == svc && p.Waypoint() != c.ref }) {
			return svc, true
		}
	}
	return mesh.Ref{}, false
}

// allLabels are the labels of an object once it is bound, the one for ingress gateways with them where it has that already: in a move
// it must not be without.
func (c *course) allLabels(l Label, on *mesh.Object) map[string]string {
	labels, key := l.labels(), label.IoIstioIngressUseWaypoint.Name
	if l.Ingress && slices.Contains(c.Evidence.Managed.Labelled(on), key) {
		labels[key] = on.Labels[key]
	}
	return labels
}

// shutOut is an admission of ours for another waypoint that would shut this one out: it is left over, as the last ALLOW over pods of
// which the ALLOW beside it is gone.
func (c *course) shutOut(l Label) *mesh.Object {
	id := identity{c.snapshot.Identity(c.gateway)}
	for _, ref := range c.takes(l) {
		svc := find(c.snapshot, ref)
		if svc == nil {
			continue
		}
		behind, _ := c.snapshot.Backends(svc)
		for _, w := range behind {
			allows := policies.AllowsAt(c.snapshot, w)
			if len(allows) > 0 && !slices.ContainsFunc(allows, func(o *mesh.Object) bool {
				return !c.Evidence.Managed.Made(o) || slices.ContainsFunc(rulesOf(o), func(r rule) bool { return r.of(id) != never })
			}) {
				return allows[0]
			}
		}
	}
	return nil
}

// left says why what a label binds must not leave the waypoint to which it is bound: policies that name the Gateway do not follow.
func (c *course) left(l Label) string {
	for _, ref := range c.takes(l) {
		svc := find(c.snapshot, ref)
		if svc == nil {
			continue
		}
		gw := c.snapshot.Binding(svc).Gateway
		if gw == nil || refOf(gw) == c.ref {
			continue
		}
		if stay := c.stays(gw); len(stay) > 0 {
			return fmt.Sprintf("%s does not move to waypoint %s: %s would do nothing there, as only Gateway %s or its class is named. Bind that to its Services with targetRefs.", svc, c.ref.Name, listed(stay), gw.Key())
		}
	}
	return ""
}

// listed are objects for people.
func listed(objects []*mesh.Object) string {
	var names []string
	for _, o := range objects {
		names = append(names, o.String())
	}
	return strings.Join(sorted(names), ", ")
}

// removeLeftBehind deletes what istiod made for the waypoint and no longer wants.
func (c *course) removeLeftBehind() outcome {
	for _, left := range c.Evidence.Waypoints[c.ref].LeftBehind {
		if out := c.step(Step{Action: Delete, Row: RemoveLeft, Object: left.Object, Preconditions: left.Preconditions, Why: "istiod made it for the waypoint and leaves it behind"}); out == busy {
			return busy
		}
	}
	return settled
}
