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

// retarget offers to bind a policy with a selector to the Services over the selected pods, where
// that is safe in the mesh as it is: the Services' pods are exactly the selected ones, all enrolled;
// all of their ports speak HTTP; a ready waypoint is bound to each now; every rule needs the
// waypoint; and no path to the pods is less restricted afterwards. That last is why an ALLOW is
// offered only where another ALLOW keeps the pods closed: at ztunnel even an ALLOW that can match
// nothing denies what nobody else admits, and pods without any ALLOW are open (istio/istio#57315).
func retarget(p *policies.Pass, e policies.Effect) []policies.Fix {
	at, ok := p.Object.Spec.(interface{ Attachment() mesh.Attachment })
	if !ok || at.Attachment().Selector == nil || p.Object.Namespace == p.RootNamespace() {
		return nil
	}
	if ap, ok := p.Object.Spec.(*mesh.AuthorizationPolicySpec); ok && !movable(p, ap) {
		return nil
	}
	selected := p.Select(p.Object.Namespace, at.Attachment().Selector.MatchLabels)
	services := servicesOver(p, selected)
	if len(services) == 0 || len(services) > maxTargetRefs {
		return nil
	}
	refs := make([]any, len(services))
	names := make([]string, len(services))
	for i, svc := range services {
		refs[i] = map[string]any{"group": "", "kind": "Service", "name": svc.Name}
		names[i] = svc.Ref().Kind + " " + svc.Key()
	}
	return []policies.Fix{{
		Message: fmt.Sprintf("bind the policy to %s, whose waypoint enforces it from then on", strings.Join(names, ", ")),
		Patch: []policies.Op{
			{Op: "remove", Path: "/spec/selector"},
			{Op: "add", Path: "/spec/targetRefs", Value: refs},
		},
	}}
}

// movable is whether an AuthorizationPolicy means the same at a waypoint and leaves no gap at ztunnel.
func movable(p *policies.Pass, spec *mesh.AuthorizationPolicySpec) bool {
	for i := range spec.Rules {
		if !needsWaypoint(&spec.Rules[i]) || namesPorts(&spec.Rules[i]) {
			return false
		}
	}
	if len(spec.Rules) == 0 || policies.Action(spec) == policies.Custom || policies.DryRun(p.Snapshot, p.Object) {
		return false
	}
	if policies.Action(spec) != policies.Allow {
		return true
	}
	for _, w := range p.Select(p.Object.Namespace, spec.Selector.MatchLabels) {
		others := slices.DeleteFunc(policies.AllowsAt(p.Snapshot, w), func(o *mesh.Object) bool { return o == p.Object })
		if len(others) == 0 {
			return false
		}
	}
	return true
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
