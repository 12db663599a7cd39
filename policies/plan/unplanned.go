package plan

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Unplanned is a policy of which it is not said that no waypoint would make it stronger, and for which none is planned all the same.
type Unplanned struct {
	Target  policies.Target  `json:"target"`
	Policy  mesh.Ref         `json:"policy"`
	Field   string           `json:"field"`   // where the policy names the target
	Verdict policies.Verdict `json:"verdict"` // as it is
	Why     string           `json:"why"`     // consequence: cause. remedy.
}

// NotPlanned are the policies of a mesh that are no needs though a waypoint may help them: what cannot be judged from the input, and what
// a waypoint would help with callers that pass it, of which nothing shows that there are any. It is for who reads a plan; nothing is made by it.
func NotPlanned(view *policies.View) []Unplanned {
	h, out := newHypotheses(view.Snapshot), []Unplanned{}
	for o := range policiesOf(view.Snapshot, nil) {
		if o.Terminating || asksNothing(o) {
			continue
		}
		now := view.Effects(o)
		for _, t := range targetsOf(o, now) {
			before, ok := worst(now, o, t)
			if why := h.unplanned(o, t, before); ok && why != "" {
				out = append(out, Unplanned{Target: t, Policy: o.Ref(), Field: before.Field, Verdict: before.Verdict, Why: why})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Unplanned) int {
		return compareNeeds(Need{Target: a.Target, Policy: a.Policy, Field: a.Field}, Need{Target: b.Target, Policy: b.Policy, Field: b.Field})
	})
	return out
}

// unplanned says why no waypoint is planned for a policy at a target, where that is not because none would help; else "".
func (h *hypotheses) unplanned(o *mesh.Object, t policies.Target, before policies.Effect) string {
	switch {
	case before.Verdict == policies.Unknown:
		return before.Message
	case !before.Verdict.FailsOpen() || h.of(t) != nil:
		return ""
	case t.Kind == mesh.Gateway.String():
		return unservedGateway(h.snapshot, t)
	}
	svc := serviceOf(h.snapshot, t)
	if svc == nil {
		return ""
	}
	cause, remedy := WhyNone(h.snapshot, svc)
	if cause == "" || h.snapshot.Binding(svc).Bound || mesh.ManagedByGateway(svc) {
		return ""
	}
	with := waypointFor(h.snapshot, svc).snapshot
	if after, _ := worst(policies.Effects(with, with.Get(o.Kind, o.Namespace, o.Name)), o, t); after.Verdict != policies.Unknown && !before.Verdict.Worse(after.Verdict) {
		return "" // no waypoint would help it
	}
	return cause + ". " + remedy
}

// unservedGateway says why a Gateway that a policy names is not given anything to serve; "" where it is there and no waypoint to plan onto.
func unservedGateway(s *mesh.Snapshot, t policies.Target) string {
	gw, use := s.Get(mesh.Gateway, t.Namespace, t.Name), label.IoIstioUseWaypoint.Name
	ns := s.Get(mesh.Namespace, "", t.Namespace)
	switch {
	case t.Name == "":
		return "" // what the API server does not take
	case gw == nil:
		return fmt.Sprintf("there is no %s, and nothing asks for it as a waypoint, so it may be an ingress gateway. Give label %s to what it is to serve, or correct the name.", t, use)
	case !usable(s, gw):
		return ""
	case ns == nil:
		return fmt.Sprintf("nothing is bound to %s, and Namespace %s is not in the input. Add it, or use --live.", t, t.Namespace)
	case ns.Labels[use] != "":
		return fmt.Sprintf("nothing is bound to %s, and %s has label %s=%s. Give the label to the Services that it is to serve.", t, ns, use, ns.Labels[use])
	}
	return fmt.Sprintf("nothing is bound to %s, and label %s on %s would bring it no calls: it is for traffic of type %s. Have it serve what is there, or bind something to it.", t, use, ns, s.TrafficType(gw))
}

// WhyNone says why no waypoint is planned for a Service or ServiceEntry, whatever the effects of one would be, as a clause, and what to
// do, as a sentence; "" where one may be. Only callers in ambient mode pass a waypoint. Where something behind it is in ambient mode, or
// nothing is shown to be behind it, there are such callers, as far as is known; in front of other pods nothing is made by itself.
func WhyNone(s *mesh.Snapshot, svc *mesh.Object) (cause, remedy string) {
	if inAmbient(s, svc) {
		return "", ""
	}
	behind, _ := s.Backends(svc)
	in := func(modes ...mesh.Mode) bool {
		return slices.ContainsFunc(behind, func(w *mesh.Workload) bool { return slices.Contains(modes, w.Mode) })
	}
	switch {
	case in(mesh.ModeUnknown):
		return fmt.Sprintf("nobody can tell whether anything behind %s is in ambient mode, as Namespace %s is not in the input", svc, svc.Namespace),
			"Add it, or use --live or --assume-ambient."
	case !in(mesh.ModeNone, mesh.ModeGateway, mesh.ModeWaypoint):
		return fmt.Sprintf("the pods behind %s have sidecars, which carry out no policy that names it, and callers with sidecars pass no waypoint", svc),
			"Bind the policy to the pods by a selector, or move them to ambient mode."
	}
	return fmt.Sprintf("nothing behind %s is in ambient mode, and only callers that are would pass a waypoint", svc),
		fmt.Sprintf("Enrol the pods with label %s=ambient, or make the waypoint and its label yourself if it is meant for callers in ambient mode.", label.IoIstioDataplaneMode.Name)
}
