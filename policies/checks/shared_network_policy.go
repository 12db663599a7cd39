package checks

import (
	"maps"
	"net/netip"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// hbonePort is where enrolled pods take calls from the mesh, whatever port is called.
const hbonePort = 15008

// isolating are the NetworkPolicies that limit what may connect to a workload. What one of them
// admits is admitted.
func isolating(p *policies.Pass, w *mesh.Workload) []*mesh.Object {
	var out []*mesh.Object
	for _, o := range p.List(mesh.NetworkPolicy, w.Namespace) {
		spec := o.Spec.(*mesh.NetworkPolicySpec)
		ingress := len(spec.PolicyTypes) == 0 || slices.Contains(spec.PolicyTypes, "Ingress")
		if ingress && spec.PodSelector.Matches(w.Labels) {
			out = append(out, o)
		}
	}
	return out
}

// ingressTo are the rules of all NetworkPolicies that limit what may connect to a workload.
func ingressTo(p *policies.Pass, w *mesh.Workload) []mesh.NetworkPolicyIngress {
	var rules []mesh.NetworkPolicyIngress
	for _, o := range isolating(p, w) {
		rules = append(rules, o.Spec.(*mesh.NetworkPolicySpec).Ingress...)
	}
	return rules
}

// admitsPort is whether a rule lets TCP connections to a port of a workload through.
func admitsPort(rule mesh.NetworkPolicyIngress, n int32, w *mesh.Workload) bool {
	if len(rule.Ports) == 0 {
		return true
	}
	for _, port := range rule.Ports {
		if port.Protocol != "" && port.Protocol != "TCP" {
			continue
		}
		named := slices.ContainsFunc(w.Ports, func(c mesh.ContainerPort) bool {
			return port.Port.Str != "" && c.Name == port.Port.Str && c.ContainerPort == n
		})
		switch from := port.Port.Int; {
		case named, port.Port == mesh.IntOrString{}, from == n, from != 0 && from < n && n <= port.EndPort:
			return true
		}
	}
	return false
}

// admitsPod is whether a rule of a namespace lets a pod with these labels through. A block of addresses
// is taken to hold the pod's: nobody can tell.
func admitsPod(p *policies.Pass, rule mesh.NetworkPolicyIngress, in, podNamespace string, pod map[string]string) bool {
	if len(rule.From) == 0 {
		return true
	}
	for _, from := range rule.From {
		switch {
		case from.IPBlock != nil,
			from.NamespaceSelector == nil && podNamespace == in && from.PodSelector.Matches(pod),
			from.NamespaceSelector != nil && from.NamespaceSelector.Matches(namespaceLabels(p, podNamespace)) && (from.PodSelector == nil || from.PodSelector.Matches(pod)):
			return true
		}
	}
	return false
}

// namespaceLabels are a namespace's, with the one that every API server adds.
func namespaceLabels(p *policies.Pass, ns string) map[string]string {
	labels := maps.Clone(p.NamespaceLabels(ns))
	if labels == nil {
		labels = map[string]string{}
	}
	labels["kubernetes.io/metadata.name"] = ns
	return labels
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
	for _, from := range rule.From {
		one := rule
		one.From = append(one.From[:0:0], from)
		if from.IPBlock == nil && admitsPod(p, one, in, w.Namespace, w.Labels) {
			return true
		}
	}
	return false
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

// waypointLabels are those of a waypoint's pods: as they are where they are in the input, else as istiod
// makes them (manifests/charts/istio-control/istio-discovery/files/waypoint.yaml).
func waypointLabels(p *policies.Pass, gw *mesh.Object) map[string]string {
	key := label.IoK8sNetworkingGatewayGatewayName.Name
	for _, w := range p.Workloads(gw.Namespace) {
		if w.Labels[key] == gw.Name {
			return w.Labels
		}
	}
	return map[string]string{
		key: gw.Name, label.IoK8sNetworkingGatewayGatewayClassName.Name: gw.Spec.(*mesh.GatewayBody).Spec.GatewayClassName,
		label.GatewayManaged.Name: "istio.io-mesh-controller", label.IoIstioDataplaneMode.Name: "none", label.SidecarInject.Name: "false",
		label.ServiceCanonicalName.Name: gw.Name,
	}
}
