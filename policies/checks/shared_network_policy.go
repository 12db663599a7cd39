package checks

import (
	"net/netip"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// hbonePort is where enrolled pods take calls from the mesh, whatever port is called.
const hbonePort = 15008

// ingressTo are the rules of all NetworkPolicies that limit what may connect to a workload.
func ingressTo(p *policies.Pass, w *mesh.Workload) []mesh.NetworkPolicyIngress {
	var rules []mesh.NetworkPolicyIngress
	for _, o := range p.Isolating(w, false) {
		rules = append(rules, o.Spec.(*mesh.NetworkPolicySpec).Ingress...)
	}
	return rules
}

// admitsPod is whether a rule of a namespace lets a pod with these labels through. A block of addresses
// is taken to hold the pod's: nobody can tell.
func admitsPod(p *policies.Pass, rule mesh.NetworkPolicyIngress, in, podNamespace string, pod map[string]string) bool {
	if len(rule.From) == 0 {
		return true
	}
	return slices.ContainsFunc(rule.From, func(from mesh.NetworkPolicyPeer) bool {
		return from.IPBlock != nil || p.PeerIs(&from, in, podNamespace, pod)
	})
}

// admitsMesh is whether a rule is for anything that calls by HBONE: everybody, or pods that are in the
// input and enrolled, or gateways or waypoints.
func admitsMesh(p *policies.Pass, rule mesh.NetworkPolicyIngress, in string) bool {
	if len(rule.From) == 0 {
		return true
	}
	for ns := range p.Namespaces() {
		for _, w := range p.Workloads(ns) {
			calls := w.Mode == mesh.ModeAmbient || w.Mode == mesh.ModeGateway || w.Mode == mesh.ModeWaypoint
			if calls && w.Source.Kind != mesh.ServiceEntry && admitsByName(p, rule, in, w) {
				return true
			}
		}
	}
	return false
}

// admitsByName is admitsPod, blocks of addresses left out.
func admitsByName(p *policies.Pass, rule mesh.NetworkPolicyIngress, in string, w *mesh.Workload) bool {
	return slices.ContainsFunc(rule.From, func(from mesh.NetworkPolicyPeer) bool { return p.PeerIs(&from, in, w.Namespace, w.Labels) })
}

// admitsAddress is whether a rule lets an address through by itself.
func admitsAddress(rule mesh.NetworkPolicyIngress, addr netip.Addr) bool {
	if len(rule.From) == 0 {
		return true
	}
	for _, from := range rule.From {
		if from.IPBlock == nil {
			continue
		}
		if block, err := netip.ParsePrefix(from.IPBlock.CIDR); err == nil && block.Contains(addr) {
			return true
		}
	}
	return false
}

// selectedPods are the enrolled pods that a NetworkPolicy selects.
func selectedPods(p *policies.Pass) []*mesh.Workload {
	sel := p.Object.Spec.(*mesh.NetworkPolicySpec).PodSelector
	return slices.DeleteFunc(slices.Clone(p.Select(p.Object.Namespace, sel.MatchLabels)), func(w *mesh.Workload) bool {
		return w.Mode != mesh.ModeAmbient || !sel.Matches(w.Labels) || w.Source != nil && (w.Source.Kind == mesh.WorkloadEntry || w.Source.Kind == mesh.ServiceEntry)
	})
}
