package oracle

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Routes compares the effects of every route with what istiod says of its parents: Accepted, and that
// a backend is not permitted. istiod accepts every route of a parent that it finds, whether it does
// anything there or not.
func (r Recording) Routes() Result {
	var out Result
	for _, kind := range []mesh.Kind{mesh.HTTPRoute, mesh.GRPCRoute, mesh.TCPRoute, mesh.TLSRoute} {
		for o := range r.Snapshot.All(kind) {
			effects := policies.Effects(r.Snapshot, o)
			for _, ref := range o.Spec.(*mesh.Route).ParentRefs {
				istiod := r.parent(o, ref, "Accepted")
				ours := accepted(effects, ref, o.Namespace)
				if r.leftToOthers(ref, o.Namespace) {
					ours = Nothing
				}
				out.compare("Accepted by a "+ref.Kind, o, ours, istiod)
			}
		}
	}
	return out
}

// parent is a condition that istiod wrote for one parent of a route.
func (r Recording) parent(o *mesh.Object, ref mesh.ParentRef, kind string) string {
	for _, p := range r.Parents[key(o)] {
		if sameParent(p.Ref, ref) {
			return short(p.Conditions, kind)
		}
	}
	return Nothing
}

// Backends compares what is wrong with the backends of routes. We say so only of a route that is in
// force; istiod of any whose parent it finds.
func (r Recording) Backends() Result {
	var out Result
	for _, kind := range []mesh.Kind{mesh.HTTPRoute, mesh.GRPCRoute, mesh.TCPRoute, mesh.TLSRoute} {
		for o := range r.Snapshot.All(kind) {
			effects := policies.Effects(r.Snapshot, o)
			for _, ref := range o.Spec.(*mesh.Route).ParentRefs {
				if ours := backends(effects, ref, o.Namespace); ours != "" && !r.leftToOthers(ref, o.Namespace) {
					out.compare("ResolvedRefs by a "+ref.Kind, o, ours, r.parent(o, ref, "ResolvedRefs"))
				}
			}
		}
	}
	return out
}

// backends is the condition ResolvedRefs of one parent that follows from our effects; "" where they say nothing of backends.
func backends(effects []policies.Effect, ref mesh.ParentRef, ns string) string {
	out := ""
	for _, e := range effects {
		if _, kind := ref.GroupKind(); e.Target.Kind != kind || e.Target.Namespace != or(ref.Namespace, ns) || e.Target.Name != ref.Name {
			continue
		}
		switch {
		case e.Reason == policies.RefNotPermitted, e.Reason == policies.BackendNotFound, e.Reason == policies.InvalidKind:
			return "False " + e.Reason
		case e.Verdict == policies.Enforced:
			out = "True ResolvedRefs"
		}
	}
	return out
}

// leftToOthers is whether istiod leaves the parent to another controller, as it does a Gateway of agentgateway's.
func (r Recording) leftToOthers(ref mesh.ParentRef, ns string) bool {
	if gw := r.Snapshot.Get(mesh.Gateway, or(ref.Namespace, ns), ref.Name); gw != nil {
		if _, kind := ref.GroupKind(); kind == "Gateway" {
			class := r.Snapshot.ClassOf(gw)
			return class == mesh.ClassAgentgateway || class == mesh.ClassAgentIngress
		}
	}
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry} {
		if _, k := ref.GroupKind(); k != kind.String() {
			continue
		}
		o := r.Snapshot.Get(kind, or(ref.Namespace, ns), ref.Name)
		return o != nil && !(kind == mesh.ServiceEntry && r.Snapshot.OtherRevision(o)) && r.Snapshot.LeavesRoutesTo(o) != nil
	}
	return false
}

// accepted is the condition of one parent that follows from our effects.
func accepted(effects []policies.Effect, ref mesh.ParentRef, ns string) string {
	_, kind := ref.GroupKind()
	for _, e := range effects {
		if e.Target.Kind != kind || e.Target.Namespace != or(ref.Namespace, ns) || e.Target.Name != ref.Name {
			continue
		}
		switch e.Reason {
		case policies.NoMatchingParent, policies.NotAllowedByListeners, policies.NoMatchingListenerHostname:
			if kind == "Gateway" && e.At == nil {
				return Nothing // of a Gateway that is not there istiod says nothing
			}
			return "False " + e.Reason
		case policies.WaypointParent, policies.ForeignGateway:
			if kind == "Gateway" {
				return Nothing
			}
		}
	}
	return "True " + policies.Accepted
}

func sameParent(a, b mesh.ParentRef) bool {
	ag, ak := a.GroupKind()
	bg, bk := b.GroupKind()
	return ag == bg && ak == bk && a.Namespace == b.Namespace && a.Name == b.Name && a.SectionName == b.SectionName && a.Port == b.Port
}

// All is every comparison.
func (r Recording) All() []Result {
	return []Result{r.Bindings(), r.Targets(), r.ZtunnelAccepted(), r.Rules(), r.Carried(), r.Waypoints(), r.Plaintext(), r.Routes(),
		r.Messages(), r.Canaries(), r.Backends(), r.GatewaysAccepted(), r.GatewayListeners(), r.GatewaysReady(), r.AttachedRoutes(),
		r.Chains(), r.ChainPolicies(), r.ChainRules()}
}
