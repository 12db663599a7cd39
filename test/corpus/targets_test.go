package corpus

import (
	"testing"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/oracle"
)

// TestTargets compares the effects of every AuthorizationPolicy with targetRefs with the condition
// WaypointAccepted. Of several targetRefs istiod tells only whether all, some or none are bound
// (pilot/pkg/model/service.go flattenConditions). There is no list of exceptions.
func TestTargets(t *testing.T) {
	r := load(t, "testdata/mesh-a")
	compared := 0
	for o := range r.snapshot.All(mesh.AuthorizationPolicy) {
		refs := o.Spec.(*mesh.AuthorizationPolicySpec).Attachment().Refs()
		if len(refs) == 0 {
			continue
		}
		compared++
		if policies.DryRun(r.snapshot, o) && r.condition(o, "ZtunnelAccepted").Status == "False" {
			// istiod says only that ztunnel does not try it, although this policy never was for
			// ztunnel, and the waypoint does. It says so of some dry runs and not of others.
			continue
		}
		ours := waypointAccepted(r.effects[name(o.Ref())], refs)
		theirs := r.condition(o, "WaypointAccepted")
		theirs.Type, theirs.Message = "", ""
		if ours != theirs {
			t.Errorf("%s: we say %v, istiod %v", o, ours, theirs)
		}
	}
	if compared != 437 {
		t.Errorf("compared %d policies, the recording has 437 with targetRefs", compared)
	}
}

func waypointAccepted(effects []report.Effect, refs []mesh.TargetRef) condition {
	rejected := map[mesh.TargetRef]string{}
	bound := 0
	for _, ref := range refs {
		for _, e := range effects {
			if e.Target.Kind == ref.Kind && e.Target.Name == ref.Name {
				if word, no := oracle.Verbatim[ref.Kind][e.Reason]; no {
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
		return condition{Status: "True", Reason: policies.Accepted}
	case len(refs) == 1:
		return condition{Status: "False", Reason: rejected[refs[0]]}
	case bound > 0:
		return condition{Status: "True", Reason: "PartiallyInvalid"}
	}
	return condition{Status: "False", Reason: policies.Invalid}
}

// TestZtunnelAccepted compares the effects of every AuthorizationPolicy without targetRefs with the
// condition ZtunnelAccepted. istiod's condition is about the conversion alone, so ours differs
// wherever something else decides; each class of difference is a case of its own in reported.
func TestZtunnelAccepted(t *testing.T) {
	r := load(t, "testdata/mesh-a")
	compared := 0
	for o := range r.snapshot.All(mesh.AuthorizationPolicy) {
		if len(o.Spec.(*mesh.AuthorizationPolicySpec).Attachment().Refs()) > 0 {
			continue
		}
		compared++
		ours := r.reported(o)
		theirs := r.condition(o, "ZtunnelAccepted")
		theirs.Type, theirs.Message = "", ""
		if ours != theirs {
			t.Errorf("%s: we say %v, istiod %v; effects: %+v", o, ours, theirs, r.effects[name(o.Ref())])
		}
	}
	if compared != 371 {
		t.Errorf("compared %d policies, the recording has 371 without targetRefs", compared)
	}
}

// reported is the condition that follows from our effects.
func (r recording) reported(o *mesh.Object) condition {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	accepted := condition{Status: "True", Reason: policies.Accepted}
	unsupported := condition{Status: "True", Reason: policies.UnsupportedValue}
	if action := policies.Action(p); policies.DryRun(r.snapshot, o) || action != policies.Allow && action != policies.Deny {
		return condition{Status: "False", Reason: policies.UnsupportedValue}
	}
	for _, e := range r.effects[name(o.Ref())] {
		if e.EnforcedBy != policies.Sidecar && e.EnforcedBy != policies.Gateway && e.Reason == policies.UnsupportedValue {
			return unsupported
		}
		switch e.Reason {
		case policies.NotEnrolled, policies.NoWorkloads, policies.WaypointPods, policies.EmptySelector, policies.NotInInput:
			// istiod converts a policy whether or not it selects anything that a ztunnel captures.
			fallthrough
		case policies.WaypointIdentity, policies.PortNeverMatches:
			// istiod does not ask who stands before the workloads, nor which ports they have. Of several
			// reasons only the one that decides is printed.
			if len(policies.L7Attributes(p)) > 0 {
				return unsupported
			}
		}
	}
	return accepted
}
