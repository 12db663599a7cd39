package oracle

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Verbatim are the words of our effects that are istiod's own, or finer than istiod's: its condition
// knows only that a Service is not bound, or that no waypoint has a Gateway's name, and not why. A
// reason that is not here goes with a targetRef that istiod accepts, whether anybody enforces it or not.
var Verbatim = map[string]map[string]string{
	"Service": {
		policies.AncestorNotBound:            policies.AncestorNotBound,
		policies.TargetNotFound:              policies.TargetNotFound,
		mesh.WaypointIsNotReady:              policies.AncestorNotBound,
		mesh.AttachmentDenied:                policies.AncestorNotBound,
		mesh.UnsupportedTrafficType:          policies.AncestorNotBound,
		mesh.CrossNamespaceWaypointForbidden: policies.AncestorNotBound,
	},
	"Gateway": {
		policies.TargetNotFound: policies.TargetNotFound,
		mesh.WaypointIsNotReady: policies.TargetNotFound,
	},
	"GatewayClass": {
		policies.TargetNotFound: policies.TargetNotFound,
		policies.Invalid:        policies.Invalid,
	},
}

func init() { Verbatim["ServiceEntry"] = Verbatim["Service"] }

// Targets compares the effects of every AuthorizationPolicy with targetRefs with the condition
// WaypointAccepted. Of several targetRefs istiod tells only whether all, some or none are bound
// (pilot/pkg/model/service.go flattenConditions).
func (r Recording) Targets() Result {
	var out Result
	for o := range r.Snapshot.All(mesh.AuthorizationPolicy) {
		refs := o.Spec.(*mesh.AuthorizationPolicySpec).Attachment().Refs()
		if len(refs) == 0 {
			continue
		}
		if policies.DryRun(r.Snapshot, o) {
			// istiod says only that ztunnel does not try it, although this policy never was for
			// ztunnel, and the waypoint does. It says so of some dry runs and not of others.
			continue
		}
		effects := policies.Effects(r.Snapshot, o)
		ours := waypointAccepted(effects, refs)
		if elsewhere(effects) {
			ours = Nothing
		}
		out.compare("WaypointAccepted", o, ours, r.condition(o, "WaypointAccepted"))
	}
	return out
}

// elsewhere is whether istiod does not look at a policy at all: another one does.
func elsewhere(effects []policies.Effect) bool {
	return len(effects) == 1 && (effects[0].Reason == policies.OtherRevision || effects[0].Reason == policies.NotDiscovered)
}

func waypointAccepted(effects []policies.Effect, refs []mesh.TargetRef) string {
	rejected := map[mesh.TargetRef]string{}
	bound := 0
	for _, ref := range refs {
		for _, e := range effects {
			if e.Target.Kind == ref.Kind && e.Target.Name == ref.Name {
				if word, no := Verbatim[ref.Kind][e.Reason]; no {
					rejected[ref] = word
				}
			}
		}
		if rejected[ref] == "" {
			bound++
		}
	}
	switch {
	case bound == len(refs):
		return "True " + policies.Accepted
	case len(refs) == 1:
		return "False " + rejected[refs[0]]
	case bound > 0:
		return "True PartiallyInvalid"
	}
	return "False " + policies.Invalid
}

// ZtunnelAccepted compares the effects of every AuthorizationPolicy without targetRefs with the
// condition ZtunnelAccepted. istiod's condition is about the conversion alone, so ours differs
// wherever something else decides; each class of difference is a case of its own in reported.
func (r Recording) ZtunnelAccepted() Result {
	var out Result
	for o := range r.Snapshot.All(mesh.AuthorizationPolicy) {
		if len(o.Spec.(*mesh.AuthorizationPolicySpec).Attachment().Refs()) == 0 {
			out.compare("ZtunnelAccepted", o, reported(r.Snapshot, o), r.condition(o, "ZtunnelAccepted"))
		}
	}
	return out
}

// reported is the condition that follows from our effects.
func reported(s *mesh.Snapshot, o *mesh.Object) string {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	effects := policies.Effects(s, o)
	if elsewhere(effects) {
		return Nothing
	}
	if action := policies.Action(p); policies.DryRun(s, o) || action != policies.Allow && action != policies.Deny {
		return "False " + policies.UnsupportedValue
	}
	judged := false // by what a ztunnel makes of it
	for _, e := range effects {
		switch {
		case e.EnforcedBy == policies.Sidecar, e.EnforcedBy == policies.Gateway:
			// istiod converts a policy whether or not it selects anything that a ztunnel captures.
		case e.Reason == policies.NotEnrolled, e.Reason == policies.NoWorkloads, e.Reason == policies.WaypointPods,
			e.Reason == policies.EmptySelector, e.Reason == policies.NotInInput:
		case e.Reason == policies.WaypointIdentity: // nor does it ask who stands before the workloads
		case e.Has(policies.UnsupportedValue):
			return "True " + policies.UnsupportedValue
		default:
			judged = true
		}
	}
	if !judged && len(policies.L7Attributes(p)) > 0 {
		return "True " + policies.UnsupportedValue
	}
	return "True " + policies.Accepted
}
