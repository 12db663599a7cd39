package checks

import (
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// what is how messages call a policy: by its action, if it has one.
func what(o *mesh.Object) string {
	if p, ok := o.Spec.(*mesh.AuthorizationPolicySpec); ok {
		return policies.Action(p)
	}
	return o.Kind.String()
}

// bound are the kinds that targetRefs bind to a waypoint and that have no check of their own for it.
var bound = []mesh.Kind{mesh.AuthorizationPolicy, mesh.EnvoyFilter, mesh.WasmPlugin, mesh.TrafficExtension, mesh.Telemetry}

// nobodyApplies begins a message on a target at which nothing comes of a policy.
func nobodyApplies(o *mesh.Object) string {
	if o.Kind == mesh.AuthorizationPolicy {
		return "nobody enforces this " + what(o)
	}
	return "nobody applies this " + what(o)
}

// lost is how bad it is that a policy does nothing at a target: "" for as bad as the check says, which
// is about security.
func lost(o *mesh.Object, e policies.Effect) policies.Severity {
	spec, extension := o.Spec.(*mesh.ExtensionSpec)
	security := o.Kind == mesh.AuthorizationPolicy || extension && (spec.Phase == "AUTHN" || spec.Phase == "AUTHZ")
	switch {
	case security && !onItsWay(e):
		return ""
	case security, o.Kind != mesh.Telemetry && !onItsWay(e):
		return policies.Medium
	}
	return policies.Low
}

// onItsWay is whether all that a policy waits for is that a waypoint gets ready for which somebody has asked by a label: the finding about
// that waypoint has the weight. One that Waywarden makes and that nothing is labelled for yet has no such finding, and it can stay so
// for good, so that it is as bad as if nobody made it.
func onItsWay(e policies.Effect) bool { return e.Verdict == policies.Pending && !e.Awaits() }

// elsewhere warns that istiod's condition hides the effect: one bound targetRef makes it True.
func elsewhere(effects []policies.Effect, e policies.Effect) string {
	for _, other := range effects {
		if other.EnforcedBy != policies.Nobody && other.Target.String() != e.Target.String() {
			return ", and istiod reports the policy as accepted all the same, because another of its targetRefs is bound"
		}
	}
	return ""
}

// lastSentence is the remedy of an effect's message, which says consequence: cause. remedy.
func lastSentence(message string) string {
	if i := strings.LastIndex(strings.TrimSuffix(message, "."), ". "); i >= 0 {
		return message[i+2:]
	}
	return message
}
