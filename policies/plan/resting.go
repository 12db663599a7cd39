package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// With a waypoint goes what it carries out. Needs are no answer to what that is: they are found in a mesh without anything of ours, and what
// is for all waypoints never is one. So it is asked what is in force there now, and what would be of it without the waypoint.

// staysInForce stops where people wrote what is in force at the waypoint, and would be less in force without it.
func (c *course) staysInForce() outcome {
	out := settled
	for _, o := range c.resting() {
		why := fmt.Sprintf("is in force there. Delete it%s, or bind it elsewhere.", ofCopy(o))
		if ofAllWaypoints(o) {
			why = "is in force there, as at all waypoints. Bind it to Services with targetRefs, or take the label off what may do without it."
		}
		out = max(out, c.stop(Retain, refOf(o), nil, fmt.Sprintf("waypoint %s stays: %s %s", c.gateway.Key(), o, why)))
	}
	return out
}

// resting are those policies. What names the Gateway, or the class of waypoints, does nothing for what has left it. What is about a Service
// may be carried out by somebody else as well.
func (c *course) resting() []*mesh.Object {
	if c.gateway == nil || len(c.bound) == 0 && !c.ours() {
		return nil
	}
	var out []*mesh.Object
	take := func(o *mesh.Object) {
		if !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	for _, o := range slices.Concat(c.snapshot.PoliciesFor(c.gateway), c.snapshot.RoutesFrom(c.gateway)) {
		if (!c.Evidence.Managed.Made(o) || c.original(o)) && c.inForce(o) { // a copy is what somebody wrote
			take(o)
		}
	}
	if usable(c.snapshot, c.gateway) && mesh.Ready(c.gateway) && serves(c.snapshot, c.gateway) {
		for _, o := range c.snapshot.PoliciesForClass(mesh.WaypointClassName) {
			if atWaypoints(c.View.Effects(o)) {
				take(o)
			}
		}
	}
	for _, svc := range c.served() {
		for _, o := range c.about(svc) {
			if !c.Evidence.Managed.Made(o) && !asksNothing(o) && c.weaker(o, svc) {
				take(o)
			}
		}
	}
	return out
}

// fading says what goes with the waypoint, as a clause: what is never a need, and is carried out there as long as there is one for another
// reason. "" where nothing does.
func (c *course) fading() string {
	if c.gateway == nil {
		return ""
	}
	var out []*mesh.Object
	take := func(o *mesh.Object) {
		if o != nil && !slices.Contains(out, o) && atWaypoints(c.View.Effects(o)) {
			out = append(out, o)
		}
	}
	for _, svc := range c.served() {
		for _, ns := range []string{c.gateway.Namespace, svc.Namespace, c.snapshot.RootNamespace()} {
			take(c.snapshot.Telemetry(ns))
		}
		for _, o := range policies.Lookup(c.snapshot, svc, c.gateway.Namespace) {
			if d := o.Spec.(*mesh.DestinationRuleSpec); strings.HasPrefix(d.Host, "*") && !onlyChoosesMTLS(d) {
				take(o)
			}
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "; what goes with it: " + listed(out)
}

// ofCopy says what to delete for a copy of ours to go.
func ofCopy(o *mesh.Object) string {
	if Role(o.Annotations[RoleAnnotation]) != Copy {
		return ""
	}
	return ", which is " + o.Annotations[OfAnnotation] + " by a copy"
}

// served are the Services and ServiceEntries that labels of ours bind to the waypoint.
func (c *course) served() []*mesh.Object {
	if len(c.bound) == 0 {
		return nil
	}
	return slices.DeleteFunc(c.snapshot.BoundTo(c.gateway), func(svc *mesh.Object) bool {
		on := refOf(svc)
		if c.snapshot.Binding(svc).By == mesh.Namespace.String() {
			on = RefOf(mesh.Namespace, "", svc.Namespace)
		}
		return !slices.ContainsFunc(c.bound, func(l Label) bool { return canonical(l.On) == on })
	})
}

// about are the policies of the calls to a Service or ServiceEntry that its waypoint carries out.
func (c *course) about(svc *mesh.Object) []*mesh.Object {
	out := slices.Concat(c.snapshot.PoliciesFor(svc), c.snapshot.RoutesFrom(svc), c.snapshot.VirtualServicesFor(svc), c.snapshot.HostPolicies(mesh.DestinationRule, svc))
	if svc.Kind.IsPolicy() {
		out = append(out, svc)
	}
	return out
}

// weaker is whether a policy is in force for a Service at this waypoint, and would be less so without.
func (c *course) weaker(o, svc *mesh.Object) bool {
	t := targetOf(svc)
	i := slices.IndexFunc(c.View.Effects(o), func(e policies.Effect) bool { return same(e.Target, t) && by(e, c.ref) })
	if i < 0 {
		return false
	}
	later := c.without()
	is, ok := worst(later.Effects(later.Get(o.Kind, o.Namespace, o.Name)), o, t)
	return !ok || turn(c.View.Effects(o)[i].Verdict, is.Verdict) == Weaker
}

// without is the mesh as it is when all that nothing needs is gone: labels of ours, and Gateways. One for all of them costs far less than
// one for each.
func (o *order) without() *policies.View {
	if o.gone != nil {
		return o.gone
	}
	var with, without []*mesh.Object
	for _, c := range o.courses {
		if c.planned != nil && !c.planned.Idle {
			continue
		}
		for _, l := range c.bound {
			on := find(o.snapshot, l.On)
			with = append(with, labelled(on, nil, o.Evidence.Managed.Labelled(on)...))
		}
		if c.ours() {
			without = append(without, c.gateway)
		}
	}
	o.gone = policies.NewView(o.snapshot.Edited(with, without))
	return o.gone
}

// by is whether a waypoint carries an effect out.
func by(e policies.Effect, waypoint mesh.Ref) bool {
	return e.EnforcedBy == policies.Waypoint && e.By != nil && e.By.Namespace == waypoint.Namespace && e.By.Name == waypoint.Name
}

// atWaypoints is whether any waypoint carries out a policy.
func atWaypoints(effects []policies.Effect) bool {
	return slices.ContainsFunc(effects, func(e policies.Effect) bool { return e.EnforcedBy == policies.Waypoint })
}

// ofAllWaypoints is whether a policy names the class of waypoints.
func ofAllWaypoints(o *mesh.Object) bool {
	spec, ok := o.Spec.(interface{ Attachment() mesh.Attachment })
	return ok && slices.ContainsFunc(spec.Attachment().Refs(), func(ref mesh.TargetRef) bool { return ref.Kind == mesh.GatewayClass.String() })
}
