package policies

import (
	"fmt"

	"github.com/waywarden/waywarden/policies/mesh"
)

// The reasons that only PeerAuthentications have.
const (
	RootSelector    = "RootSelector"    // a selector in the root namespace is never looked at
	Superseded      = "Superseded"      // an older one of equal scope counts
	Overridden      = "Overridden"      // a narrower one decides everywhere
	DanglingPort    = "DanglingPort"    // ztunnel is told of a policy that istiod never makes
	PortModeIgnored = "PortModeIgnored" // a port's mode that istiod overlooks
	PortsNeedPods   = "PortsNeedPods"   // portLevelMtls without a selector
	DisablePermits  = "DisablePermits"  // DISABLE turns STRICT off and leaves mTLS on
	InboundBypass   = "InboundBypass"   // plaintext reaches the pods without passing ztunnel
	GatewayPods     = "GatewayPods"     // only gateway pods are selected
)

// peerAuthentication judges a PeerAuthentication (docs/semantics.md): ztunnel and sidecars are
// asked, workload by workload, which PeerAuthentications count there, what they say together and
// what comes of it.
func peerAuthentication(s *mesh.Snapshot, o *mesh.Object) []Effect {
	spec := o.Spec.(*mesh.PeerAuthenticationSpec)
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	r := reachOf(s, o, spec.Selector)
	if o.Namespace == s.RootNamespace() && spec.Selector != nil && len(spec.Selector.MatchLabels) > 0 {
		return []Effect{nobody(r.target, NotEnforced, RootSelector, "spec.selector", fmt.Sprintf(
			"this PeerAuthentication has no effect: in the root namespace %s Istio looks only at those without a selector. Create it in the namespace of the pods.", o.Namespace))}
	}
	var effects []Effect
	for _, at := range []struct {
		by        EnforcedBy
		workloads []*mesh.Workload
	}{{Sidecar, r.sidecar}, {Ztunnel, r.ambient}} {
		if len(at.workloads) == 0 {
			continue
		}
		j := peerJudge{s: s, o: o, spec: spec, by: at.by}
		for _, w := range at.workloads {
			j.take(w)
		}
		j.ports(at.workloads)
		e := j.effect(r.target)
		if e.EnforcedBy == Nobody {
			effects = mergeNobody(effects, e)
		} else {
			effects = append(effects, e)
		}
	}
	if e, ok := elsewhere(s, r, "this PeerAuthentication", scopeField(spec.Selector, "selector"), len(effects)); ok {
		effects = mergeNobody(effects, e)
	}
	return effects
}

// PeerScope is how wide a PeerAuthentication is: ScopeMesh, ScopeNamespace or ScopeSelector. Without
// labels a selector is as good as none.
func PeerScope(s *mesh.Snapshot, o *mesh.Object) string {
	sel := o.Spec.(*mesh.PeerAuthenticationSpec).Selector
	switch {
	case sel != nil && len(sel.MatchLabels) > 0:
		return ScopeSelector
	case o.Namespace == s.RootNamespace():
		return ScopeMesh
	}
	return ScopeNamespace
}

// peersOfScope are the PeerAuthentications as wide as o that hold for a workload, o among them where
// it does. Only the oldest of them counts.
func peersOfScope(s *mesh.Snapshot, o *mesh.Object, w *mesh.Workload, sidecar bool) []*mesh.Object {
	scope := PeerScope(s, o)
	var out []*mesh.Object
	for _, x := range s.PeerAuthentications(w.Namespace, w.Labels) {
		if PeerScope(s, x) == scope && x.Namespace == o.Namespace {
			out = append(out, x)
		}
	}
	if !sidecar || scope != ScopeMesh || w.Namespace == o.Namespace {
		return out
	}
	for _, x := range s.List(mesh.PeerAuthentication, o.Namespace) {
		if sel := x.Spec.(*mesh.PeerAuthenticationSpec).Selector; sel != nil && len(sel.MatchLabels) == 0 {
			out = append(out, x)
		}
	}
	return out
}

// oldest are those that were created first; several where the input does not show which was, in
// which case nobody can tell which of them counts.
func oldest(objects []*mesh.Object) []*mesh.Object {
	var first []*mesh.Object
	for _, o := range objects {
		switch {
		case len(first) == 0 || o.Created.Equal(first[0].Created):
			first = append(first, o)
		case first[0].Created.IsZero() || !o.Created.IsZero() && o.Created.Before(first[0].Created):
			first = []*mesh.Object{o}
		}
	}
	return first
}
