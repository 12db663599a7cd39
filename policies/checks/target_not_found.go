package checks

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A targetRef that names nothing. It can only name what is in the policy's own namespace: a Service
// elsewhere, or the waypoint of another namespace, is not found, and the policy does nothing. The
// group and the namespace of a targetRef are compared by the proxies and not by istiod's condition
// (pilot/pkg/model/policyattachment.go matchesGroupKind).
var _ = policies.Register(policies.Check{
	ID:       "effect/target-not-found",
	Title:    "A targetRef that names nothing",
	Severity: policies.High,
	Kinds:    bound,
	Cases:    []int{24, 25, 26, 31},
	Controls: evidenceFor(authorization(), configuration()),
	Doc: `A targetRef names a Service, ServiceEntry or Gateway of the policy's own namespace. Nothing of that name
is there, or the targetRef's group or namespace is one that no proxy compares equal, so nobody enforces the policy. Often what is
meant is in another namespace: then the policy belongs there, or should name the Services instead of their waypoint.`,
	Remedy: "Name what is in the policy's own namespace.",
	Run: func(p *policies.Pass) {
		effects := p.Effects(p.Object)
		for _, e := range effects {
			if e.Target.Kind == "GatewayClass" && e.Reason != policies.GroupNotMatched || !missing(e) {
				continue
			}
			hint, remedy := whereItIs(p, e)
			p.Report(policies.Finding{
				Verdict: e.Verdict, Severity: lost(p.Object, e), Field: e.Field,
				Message: fmt.Sprintf("%s at %s: %s%s%s.", nobodyApplies(p.Object), e.Target, e.Causes[0].Text, hint, elsewhere(effects, e)),
				Remedy:  cmp.Or(remedy, lastSentence(e.Message)),
				Fixes:   toServices(p, e),
			})
		}
	},
})

func missing(e policies.Effect) bool {
	return e.Reason == policies.TargetNotFound || e.Reason == policies.GroupNotMatched || e.Reason == policies.NamespaceNotMatched ||
		e.Reason == policies.Invalid && e.Target.Kind != "GatewayClass"
}

// whereItIs says where an object of that name is.
func whereItIs(p *policies.Pass, e policies.Effect) (hint, remedy string) {
	if e.Reason != policies.TargetNotFound {
		return "", ""
	}
	var found []*mesh.Object
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry, mesh.Gateway} {
		if kind.String() == e.Target.Kind {
			for o := range p.All(kind) {
				if o.Name == e.Target.Name {
					found = append(found, o)
				}
			}
		}
	}
	switch {
	case len(found) > 0 && p.Object.Kind == mesh.EnvoyFilter:
		return ", and " + enumerate(found) + " is out of its reach", "Move the EnvoyFilter to Namespace " + found[0].Namespace + "."
	case len(found) > 0 && e.Target.Kind == "Gateway":
		return ", and " + enumerate(found) + " is out of its reach", "Name the Services instead, or move the policy to the waypoint's namespace."
	case len(found) > 0:
		return ", and " + enumerate(found) + " is out of its reach", "Move the policy to Namespace " + found[0].Namespace + "."
	}
	if near := nearest(p, e.Target); near != "" {
		return "", fmt.Sprintf("Correct the name; perhaps %q is meant.", near)
	}
	return "", ""
}

// toServices offers to name the Services of the namespace instead of the waypoint that serves them
// from another namespace. Nobody enforces the policy yet, so no path becomes less restricted.
func toServices(p *policies.Pass, e policies.Effect) []policies.Fix {
	spec, ok := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
	if !ok || e.Target.Kind != "Gateway" || e.Reason != policies.TargetNotFound || len(spec.TargetRefs) != 1 {
		return nil
	}
	var services []*mesh.Object
	for gw := range p.All(mesh.Gateway) {
		if gw.Name == e.Target.Name && p.ClassOf(gw) == mesh.ClassWaypoint && !p.Sandwiched(gw) {
			services = append(services, slices.DeleteFunc(p.BoundTo(gw), func(o *mesh.Object) bool { return o.Namespace != p.Object.Namespace })...)
		}
	}
	if len(services) == 0 || len(services) > maxTargetRefs || !speakHTTP(p, services) || widens(p, spec, services) {
		return nil
	}
	ops := []policies.Op{{Op: "replace", Path: "/spec/targetRefs/0", Value: refTo(services[0])}}
	for _, svc := range services[1:] {
		ops = append(ops, policies.Op{Op: "add", Path: "/spec/targetRefs/-", Value: refTo(svc)})
	}
	consequence := "from then on it is enforced there, which nobody does now"
	if policies.Action(spec) == policies.Allow {
		consequence = "from then on whatever it does not admit is denied there"
	}
	return []policies.Fix{{Message: fmt.Sprintf("bind the policy to %s instead of the waypoint; %s", enumerate(services), consequence), Patch: ops}}
}

func speakHTTP(p *policies.Pass, services []*mesh.Object) bool {
	return !slices.ContainsFunc(services, func(svc *mesh.Object) bool {
		return mesh.Headless(svc) || slices.ContainsFunc(p.Ports(svc), func(port mesh.Port) bool { return port.Protocol != mesh.HTTP })
	})
}

// widens is whether another ALLOW at one of the Services would be joined by this one: ALLOWs add up.
func widens(p *policies.Pass, spec *mesh.AuthorizationPolicySpec, services []*mesh.Object) bool {
	return policies.Action(spec) == policies.Allow && slices.ContainsFunc(services, func(svc *mesh.Object) bool {
		return len(allowsOn(p, svc)) > 0
	})
}

// allowsOn are the other ALLOWs at a Service's waypoint.
func allowsOn(p *policies.Pass, svc *mesh.Object) []*mesh.Object {
	return slices.DeleteFunc(policies.OnChain(p.Snapshot, mesh.AuthorizationPolicy, svc), func(o *mesh.Object) bool {
		return o == p.Object || policies.Action(o.Spec.(*mesh.AuthorizationPolicySpec)) != policies.Allow
	})
}

func refTo(svc *mesh.Object) map[string]any {
	return map[string]any{"group": svc.Kind.Group(), "kind": svc.Kind.String(), "name": svc.Name}
}
