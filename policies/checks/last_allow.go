package checks

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// An ALLOW that goes, or stops selecting, and is the last one over some pods or at some Service. Whoever
// is under at least one ALLOW is denied all that none of them admits; under none, everything is admitted (ztunnel
// src/rbac.rs allow; Envoy's RBAC filter as istiod builds it is left out without a policy).
var _ = policies.Register(policies.Check{
	ID:       "change/last-allow",
	Title:    "The last ALLOW goes, and everybody gets in",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Controls: evidenceFor(defaultDeny(), changeControl()),
	Doc: `Pods and Services with at least one ALLOW deny whatever no ALLOW admits. When the last one goes, because it is deleted, changed to another
action, or selects or names something else, they admit everybody. A default deny, an ALLOW without rules, is there for exactly that.`,
	Remedy: "Store the ALLOW that is to take its place first.",
	Change: func(p *policies.ChangePass) {
		if p.Old == nil || !allows(p.Before, p.Old) {
			return
		}
		severity := policies.Medium
		if len(p.Old.Spec.(*mesh.AuthorizationPolicySpec).Rules) == 0 {
			severity = policies.High
		}
		for _, opened := range [][]*mesh.Object{openedPods(p.Change), openedServices(p.Change)} {
			if len(opened) > 0 {
				p.Report(policies.Finding{
					Severity: severity, Field: changedField(p.Change), Namespaces: homes(opened),
					Message: fmt.Sprintf("everybody who can reach %s gets in: this is the last ALLOW there, and without one nothing is denied.", enumerate(opened)),
				})
			}
		}
	},
})

// allows is whether a policy is an ALLOW that counts for somebody: not tried only, and not another istiod's.
func allows(v *policies.View, o *mesh.Object) bool {
	return policies.Action(o.Spec.(*mesh.AuthorizationPolicySpec)) == policies.Allow && !policies.DryRun(v.Snapshot, o) && !v.OtherRevision(o)
}

// openedPods are what the workloads come from that were under an ALLOW and are under none afterwards.
func openedPods(c *policies.Change) []*mesh.Object {
	a := c.Old.Spec.(*mesh.AuthorizationPolicySpec).Attachment()
	if len(a.Refs()) > 0 {
		return nil
	}
	var labels map[string]string
	if a.Selector != nil {
		labels = a.Selector.MatchLabels
	}
	var out []*mesh.Object
	for _, ns := range reached(c.After, c.Old.Namespace) {
		for _, w := range c.After.Select(ns, labels) {
			if allowed(c.Before, w) && !allowed(c.After, w) {
				out = append(out, standsFor(c.After, w))
			}
		}
	}
	return slices.Compact(out)
}

// allowed is whether an ALLOW is over a workload that something captures.
func allowed(v *policies.View, w *mesh.Workload) bool {
	if w.Mode != mesh.ModeAmbient && w.Mode != mesh.ModeSidecar {
		return false
	}
	return slices.ContainsFunc(v.PoliciesOver(w), func(o *mesh.Object) bool {
		sel := o.Spec.(*mesh.AuthorizationPolicySpec).Selector
		// An empty selector attaches to nothing at ztunnel (ambient/authorization.go).
		return allows(v, o) && (w.Mode == mesh.ModeSidecar || sel == nil || len(sel.MatchLabels) > 0)
	})
}

// openedServices are those at whose waypoint an ALLOW was applied and none is afterwards.
func openedServices(c *policies.Change) []*mesh.Object {
	var out []*mesh.Object
	for _, svc := range namedServices(c.Before, c.Old) {
		now := c.After.Get(svc.Kind, svc.Namespace, svc.Name)
		if now == nil || !c.After.Binding(now).Bound {
			continue
		}
		if anyAllow(c.Before, svc) && !anyAllow(c.After, now) {
			out = append(out, now)
		}
	}
	return out
}

func anyAllow(v *policies.View, svc *mesh.Object) bool {
	return slices.ContainsFunc(policies.OnChain(v.Snapshot, mesh.AuthorizationPolicy, svc), func(o *mesh.Object) bool { return allows(v, o) })
}

// namedServices are the Services and ServiceEntries to whose calls a policy's targetRefs bind it.
func namedServices(v *policies.View, o *mesh.Object) []*mesh.Object {
	var out []*mesh.Object
	for _, ref := range o.Spec.(*mesh.AuthorizationPolicySpec).Attachment().Refs() {
		switch ref.Kind {
		case mesh.Service.String(), mesh.ServiceEntry.String():
			for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry} {
				if svc := v.Get(kind, o.Namespace, ref.Name); svc != nil && kind.String() == ref.Kind {
					out = append(out, svc)
				}
			}
		case mesh.Gateway.String():
			if gw := v.Get(mesh.Gateway, o.Namespace, ref.Name); gw != nil {
				out = append(out, v.BoundTo(gw)...)
			}
		case mesh.GatewayClass.String():
			for gw := range v.All(mesh.Gateway) {
				if v.ClassOf(gw) == mesh.ClassWaypoint {
					out = append(out, v.BoundTo(gw)...)
				}
			}
		}
	}
	return out
}
