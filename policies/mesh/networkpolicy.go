package mesh

import (
	"maps"
	"slices"
)

// NetworkPolicySpec is the spec of a NetworkPolicy.
type NetworkPolicySpec struct {
	PodSelector LabelSelector          `json:"podSelector"`
	PolicyTypes []string               `json:"policyTypes"`
	Ingress     []NetworkPolicyIngress `json:"ingress"`
	Egress      []NetworkPolicyEgress  `json:"egress"`
}

// NetworkPolicyIngress is one ingress rule of a NetworkPolicy.
type NetworkPolicyIngress struct {
	From  []NetworkPolicyPeer `json:"from"`
	Ports []NetworkPolicyPort `json:"ports"`
}

// NetworkPolicyEgress is one egress rule of a NetworkPolicy.
type NetworkPolicyEgress struct {
	To    []NetworkPolicyPeer `json:"to"`
	Ports []NetworkPolicyPort `json:"ports"`
}

// NetworkPolicyPeer is who may connect, or be connected to.
type NetworkPolicyPeer struct {
	PodSelector       *LabelSelector `json:"podSelector"`
	NamespaceSelector *LabelSelector `json:"namespaceSelector"`
	IPBlock           *IPBlock       `json:"ipBlock"`
}

// IPBlock is a block of addresses.
type IPBlock struct {
	CIDR string `json:"cidr"`
}

// NetworkPolicyPort is which ports are meant.
type NetworkPolicyPort struct {
	Port     IntOrString `json:"port"`
	EndPort  int32       `json:"endPort"`
	Protocol string      `json:"protocol"`
}

// Limits is whether the policy limits who may connect to the pods that it selects, or with egress to whom they may connect. Without
// policyTypes it limits the latter only where it has rules about it.
func (p *NetworkPolicySpec) Limits(egress bool) bool {
	switch {
	case egress && len(p.PolicyTypes) == 0:
		return len(p.Egress) > 0
	case egress:
		return slices.Contains(p.PolicyTypes, "Egress")
	}
	return len(p.PolicyTypes) == 0 || slices.Contains(p.PolicyTypes, "Ingress")
}

// AdmitsPort is whether TCP connections to a port of a workload are meant. A name is one of the workload's containers' ports.
func AdmitsPort(ports []NetworkPolicyPort, n int32, w *Workload) bool {
	if len(ports) == 0 {
		return true
	}
	return slices.ContainsFunc(ports, func(p NetworkPolicyPort) bool {
		if p.Protocol != "" && p.Protocol != "TCP" {
			return false
		}
		if p.Port.Str != "" {
			return slices.ContainsFunc(w.Ports, func(c ContainerPort) bool { return c.Name == p.Port.Str && c.ContainerPort == n })
		}
		return p.Port.Int == 0 || p.Port.Int == n || p.Port.Int < n && n <= p.EndPort
	})
}

// PeerIs is whether a peer of a policy of namespace in is a pod of namespace ns with these labels. No block of addresses is.
func (s *Snapshot) PeerIs(peer *NetworkPolicyPeer, in, ns string, labels map[string]string) bool {
	switch {
	case peer.IPBlock != nil:
		return false
	case peer.NamespaceSelector == nil:
		return ns == in && peer.PodSelector.Matches(labels)
	}
	return peer.NamespaceSelector.Matches(s.namedLabels(ns)) && (peer.PodSelector == nil || peer.PodSelector.Matches(labels))
}

// namedLabels are those of a Namespace, with the one that every API server adds.
func (s *Snapshot) namedLabels(ns string) map[string]string {
	const name = "kubernetes.io/metadata.name"
	own := s.NamespaceLabels(ns)
	if own[name] == ns {
		return own
	}
	labels := maps.Clone(own)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[name] = ns
	return labels
}

// Isolating are the NetworkPolicies that limit who may connect to a workload, or with egress to whom it may connect. What one of
// them admits is admitted.
func (s *Snapshot) Isolating(w *Workload, egress bool) []*Object {
	var out []*Object
	for _, o := range s.List(NetworkPolicy, w.Namespace) {
		if spec := o.Spec.(*NetworkPolicySpec); spec.Limits(egress) && spec.PodSelector.Matches(w.Labels) {
			out = append(out, o)
		}
	}
	return out
}

// Hop is a TCP connection from one pod to another.
type Hop struct {
	From, To *Workload
	Port     int32
}

// Cut are the NetworkPolicies that stop a connection: those over its source that limit to whom it may connect, or those over its
// destination, where none of them admits it. sure is whether that is so whatever addresses the pods have: what admits blocks of
// addresses may admit it. No policy is over a pod in the network of its node.
func (s *Snapshot) Cut(h Hop) (by []*Object, sure bool) {
	var unsure []*Object
	for _, egress := range []bool{true, false} {
		at := h.To
		if egress {
			at = h.From
		}
		if at.HostNetwork {
			continue
		}
		policies := s.Isolating(at, egress)
		admitted, maybe := false, h.From.HostNetwork || h.To.HostNetwork
		for _, o := range policies {
			is, may := s.through(o, h, egress)
			admitted, maybe = admitted || is, maybe || may
		}
		switch {
		case len(policies) == 0 || admitted:
		case !maybe:
			return policies, true
		case unsure == nil:
			unsure = policies // the other end may refuse for sure
		}
	}
	return unsure, unsure == nil
}

// through is whether a policy admits a connection, and whether it may, by an address.
func (s *Snapshot) through(o *Object, h Hop, egress bool) (is, may bool) {
	spec := o.Spec.(*NetworkPolicySpec)
	other := h.From
	if egress {
		other = h.To
	}
	rule := func(peers []NetworkPolicyPeer, ports []NetworkPolicyPort) {
		if !AdmitsPort(ports, h.Port, h.To) {
			return
		}
		is = is || len(peers) == 0
		for i := range peers {
			may = may || peers[i].IPBlock != nil
			is = is || s.PeerIs(&peers[i], o.Namespace, other.Namespace, other.Labels)
		}
	}
	if egress {
		for i := range spec.Egress {
			rule(spec.Egress[i].To, spec.Egress[i].Ports)
		}
		return is, may
	}
	for i := range spec.Ingress {
		rule(spec.Ingress[i].From, spec.Ingress[i].Ports)
	}
	return is, may
}
