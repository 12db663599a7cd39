package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// maxTargetRefs is the CRD's limit.
const maxTargetRefs = 16

// retarget offers to bind a policy without targetRefs to the Services over its pods, or for a whole
// namespace to its waypoint, where that is safe in the mesh as it is: ztunnel enforces nothing of it now;
// the Services' pods are exactly the policy's, all enrolled; all of their ports speak HTTP; a ready
// waypoint is bound to each now; and no path to the pods is less restricted afterwards. That last is why
// an ALLOW is offered only where another ALLOW keeps the pods closed (at ztunnel even an ALLOW that can
// match nothing denies what nobody else admits, and pods without any ALLOW are open: istio/istio#57315)
// and where it is the first at the waypoint (a second one widens the first).
func retarget(p *policies.Pass, e policies.Effect) []policies.Fix {
	at, ok := p.Object.Spec.(interface{ Attachment() mesh.Attachment })
	if !ok || p.Object.Namespace == p.RootNamespace() || len(p.Effects(p.Object)) != 1 {
		return nil
	}
	var labels map[string]string
	selector := at.Attachment().Selector
	if selector != nil {
		labels = selector.MatchLabels
	}
	pods := application(p.Select(p.Object.Namespace, labels))
	services := servicesOver(p, pods)
	if len(services) == 0 || len(services) > maxTargetRefs {
		return nil
	}
	if ap, ok := p.Object.Spec.(*mesh.AuthorizationPolicySpec); ok && !movable(p, ap, e, services, pods) {
		return nil
	}
	fix := policies.Fix{Message: "bind the policy to " + enumerate(services) + ": " + fromThenOn(p.Object)}
	if selector != nil {
		fix.Patch = []policies.Op{{Op: "remove", Path: "/spec/selector"}, {Op: "add", Path: "/spec/targetRefs", Value: refsTo(services)}}
		return []policies.Fix{fix}
	}
	gw := p.Binding(services[0]).Gateway
	if gw.Namespace != p.Object.Namespace || slices.ContainsFunc(p.BoundTo(gw), func(svc *mesh.Object) bool { return !slices.Contains(services, svc) }) ||
		slices.ContainsFunc(services, func(svc *mesh.Object) bool { return p.Binding(svc).Gateway != gw }) {
		return nil
	}
	fix.Message = fmt.Sprintf("bind the policy to waypoint %s, which serves the whole Namespace: %s", gw.Key(), fromThenOn(p.Object))
	fix.Patch = []policies.Op{{Op: "add", Path: "/spec/targetRefs", Value: []any{map[string]any{"group": mesh.Gateway.Group(), "kind": "Gateway", "name": gw.Name}}}}
	return []policies.Fix{fix}
}

// fromThenOn names what will be denied that is not denied now.
func fromThenOn(o *mesh.Object) string {
	switch spec, _ := o.Spec.(*mesh.AuthorizationPolicySpec); {
	case spec == nil:
		return "from then on the waypoint enforces it"
	case policies.Action(spec) == policies.Allow:
		return "from then on the waypoint admits what it says, and all other calls by the Service are denied"
	case policies.Action(spec) == policies.Custom:
		return "from then on the waypoint asks the provider about the calls that it describes, and those that it refuses are denied"
	}
	return "from then on the calls that it describes are denied at the waypoint"
}

func refsTo(services []*mesh.Object) []any {
	refs := make([]any, len(services))
	for i, svc := range services {
		refs[i] = map[string]any{"group": svc.Kind.Group(), "kind": svc.Kind.String(), "name": svc.Name}
	}
	return refs
}

// application leaves the pods of waypoints out.
func application(workloads []*mesh.Workload) []*mesh.Workload {
	return slices.DeleteFunc(slices.Clone(workloads), func(w *mesh.Workload) bool { return w.Mode == mesh.ModeWaypoint })
}

// movable is whether an AuthorizationPolicy means the same at the waypoint of the Services and leaves no
// gap at ztunnel.
func movable(p *policies.Pass, spec *mesh.AuthorizationPolicySpec, e policies.Effect, services []*mesh.Object, pods []*mesh.Workload) bool {
	if len(spec.Rules) == 0 || policies.Tries(p.Object) || slices.ContainsFunc(spec.Rules, func(r mesh.Rule) bool { return namesPorts(&r) || policies.NamesScheme(&r) }) {
		return false
	}
	switch policies.Action(spec) {
	case policies.Audit:
		return true
	case policies.Deny:
		// A principal with another name of the trust domain does match a peer that still has it.
		return e.Verdict == policies.NotEnforced && !e.Has(policies.TrustDomainNever)
	case policies.Custom:
		if spec.Provider == nil {
			return false
		}
		_, ok := p.Settings().AuthorizationProvider(spec.Provider.Name)
		return ok && len(boundAt(p, services, policies.Custom)) == 0
	}
	if e.Verdict != policies.DeniesAll || slices.ContainsFunc(spec.Rules, func(r mesh.Rule) bool { return !needsWaypoint(&r) }) {
		return false
	}
	return len(boundAt(p, services, policies.Allow)) == 0 && !slices.ContainsFunc(pods, func(w *mesh.Workload) bool {
		return !slices.ContainsFunc(policies.AllowsAt(p.Snapshot, w), func(o *mesh.Object) bool { return o != p.Object })
	})
}

// boundAt are the policies of an action that the waypoints of the Services apply to them.
func boundAt(p *policies.Pass, services []*mesh.Object, action string) []*mesh.Object {
	var out []*mesh.Object
	for _, svc := range services {
		for _, o := range policies.OnChain(p.Snapshot, mesh.AuthorizationPolicy, svc) {
			if policies.Action(o.Spec.(*mesh.AuthorizationPolicySpec)) == action && !slices.Contains(out, o) {
				out = append(out, o)
			}
		}
	}
	return out
}

// needsWaypoint is whether ztunnel enforces nothing of the rule.
func needsWaypoint(r *mesh.Rule) bool {
	one := mesh.AuthorizationPolicySpec{Rules: []mesh.Rule{*r}}
	return len(policies.L7Attributes(&one)) > 0
}

// namesPorts is whether the rule compares what means one thing at a pod and another at a waypoint.
func namesPorts(r *mesh.Rule) bool {
	for i := range r.To {
		if op := &r.To[i].Operation; len(op.Ports)+len(op.NotPorts) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(r.When, func(c mesh.Condition) bool { return strings.HasPrefix(c.Key, "destination.") })
}

// servicesOver are the Services whose pods are exactly the workloads; nil unless all of them, and
// everything that stands before the workloads, pass one of Istio's own waypoints that is ready now.
func servicesOver(p *policies.Pass, workloads []*mesh.Workload) []*mesh.Object {
	var services []*mesh.Object
	for _, w := range workloads {
		if w.Mode != mesh.ModeAmbient {
			return nil
		}
		over := p.ServicesOf(w)
		if len(over) == 0 {
			return nil
		}
		for _, svc := range over {
			if !slices.Contains(services, svc) {
				services = append(services, svc)
			}
		}
	}
	for _, svc := range services {
		b := p.Binding(svc)
		if svc.Kind != mesh.Service || mesh.Headless(svc) || !b.Bound || p.ClassOf(b.Gateway) != mesh.ClassWaypoint || p.Sandwiched(b.Gateway) {
			return nil
		}
		if slices.ContainsFunc(p.Ports(svc), func(port mesh.Port) bool { return port.Protocol != mesh.HTTP }) {
			return nil
		}
		behind, _ := p.Backends(svc)
		if slices.ContainsFunc(behind, func(w *mesh.Workload) bool { return !slices.Contains(workloads, w) }) {
			return nil
		}
	}
	slices.SortFunc(services, func(a, b *mesh.Object) int { return strings.Compare(a.Name, b.Name) })
	return services
}
