package mesh

import (
	"maps"
	"slices"
	"strconv"
)

// MTLS is what ztunnel demands of connections to a workload. Between enrolled workloads the
// transport is always mTLS; a PeerAuthentication only decides whether plaintext is refused.
type MTLS struct {
	// Strict is whether plaintext is refused on ports that Ports does not name.
	Strict bool
	// Ports are the exceptions: true where plaintext is refused, false where it is let in.
	Ports map[int32]bool
	// Dangling is whether the workload refers to a policy that istiod never generates: then every
	// port lets plaintext in, whatever the PeerAuthentications say.
	Dangling bool
	// From are the PeerAuthentications that count, the widest first: mesh, namespace, workload.
	From []*Object
	// Policies are the keys under which istiod attaches them to the workload.
	Policies []string
}

// StrictOn is whether plaintext is refused on a port of the workload.
func (m MTLS) StrictOn(port int32) bool {
	if strict, ok := m.Ports[port]; ok {
		return strict
	}
	return m.Strict
}

// PeerAuthentications are those that istiod looks at for a workload (ambient/workloads.go
// fetchPeerAuthentications): from the root namespace only those without a selector.
func (s *Snapshot) PeerAuthentications(ns string, labels map[string]string) []*Object {
	root := s.settings.RootNamespace
	var out []*Object
	for _, o := range s.List(PeerAuthentication, root) {
		if o.Spec.(*PeerAuthenticationSpec).Selector == nil {
			out = append(out, o)
		}
	}
	for _, o := range s.List(PeerAuthentication, ns) {
		sel := o.Spec.(*PeerAuthenticationSpec).Selector
		if sel == nil && ns == root {
			continue // counted above
		}
		if sel == nil || subset(sel.MatchLabels, labels) {
			out = append(out, o)
		}
	}
	return out
}

// peers are the PeerAuthentications that count at each scope: the oldest of each.
type peers struct{ mesh, namespace, workload *Object }

func oldest(current, o *Object) *Object {
	if current == nil || older(o, current) < 0 {
		return o
	}
	return current
}

func (s *Snapshot) peersOf(ns string, labels map[string]string) peers {
	var p peers
	root := s.settings.RootNamespace
	for _, o := range s.PeerAuthentications(ns, labels) {
		sel := o.Spec.(*PeerAuthenticationSpec).Selector
		switch wide := sel == nil || len(sel.MatchLabels) == 0; {
		case wide && o.Namespace == root:
			p.mesh = oldest(p.mesh, o)
		case wide:
			p.namespace = oldest(p.namespace, o)
		case o.Namespace != root:
			p.workload = oldest(p.workload, o)
		}
	}
	return p
}

func mode(o *Object) string {
	if o == nil {
		return Unset
	}
	return o.Spec.(*PeerAuthenticationSpec).MTLS.ModeOr()
}

// EffectiveMTLS is what ztunnel demands of connections to a workload of a namespace with these
// labels (ambient/authorization.go convertedSelectorPeerAuthentications, convertPeerAuthentication).
func (s *Snapshot) EffectiveMTLS(ns string, labels map[string]string) MTLS {
	p := s.peersOf(ns, labels)
	m := MTLS{Strict: mode(p.mesh) == Strict}
	for _, o := range []*Object{p.mesh, p.namespace, p.workload} {
		if o != nil {
			m.From = append(m.From, o)
		}
	}
	if mode(p.namespace) != Unset {
		m.Strict = mode(p.namespace) == Strict
	}
	if p.workload != nil {
		s.applyWorkloadMode(&m, p)
	}
	if m.Strict && m.Ports == nil {
		m.Policies = append([]string{s.settings.RootNamespace + "/istio_converted_static_strict"}, m.Policies...)
	}
	return m
}

func (s *Snapshot) applyWorkloadMode(m *MTLS, p peers) {
	spec := p.workload.Spec.(*PeerAuthenticationSpec)
	own := mode(p.workload)
	if own != Unset {
		m.Strict = own == Strict
	}
	permissive, disabled, strict := portModes(spec)
	var byPort bool // whether the workload refers to a policy of its own
	switch {
	case own == Strict:
		byPort = permissive || disabled
	case own == Permissive || own == Disable:
		byPort = strict
	case m.Strict: // UNSET below STRICT: istiod looks for PERMISSIVE only, so a lone DISABLE is ignored
		byPort = permissive
	default:
		byPort = strict
	}
	if !byPort {
		return
	}
	m.Policies = []string{p.workload.Namespace + "/converted_peer_authentication_" + p.workload.Name}
	if s.neverGenerated(p, own, m.Strict) {
		m.Strict, m.Dangling = false, true
		return
	}
	m.Ports = map[int32]bool{}
	for port, portMode := range spec.PortLevelMTLS {
		n, err := strconv.ParseInt(port, 10, 32)
		if err == nil && portMode.ModeOr() != Unset {
			m.Ports[int32(n)] = portMode.ModeOr() == Strict
		}
	}
}

func portModes(spec *PeerAuthenticationSpec) (permissive, disabled, strict bool) {
	for _, m := range spec.PortLevelMTLS {
		switch m.ModeOr() {
		case Permissive:
			permissive = true
		case Disable:
			disabled = true
		case Strict:
			strict = true
		}
	}
	return permissive, disabled, strict
}

// neverGenerated is whether istiod, having told the workload to refer to a policy of its own, does
// not make that policy: the workload's mode is UNSET below a STRICT mesh, and a namespace-wide
// PeerAuthentication stands between that is UNSET itself (convertPeerAuthentication skips port
// exceptions wherever nsCfg is there and not STRICT). Only namespace-wide policies without any
// selector count for that, in contrast to what the workload refers to.
func (s *Snapshot) neverGenerated(p peers, own string, strictParent bool) bool {
	if own != Unset || !strictParent {
		return false
	}
	var nsWide *Object
	for _, o := range s.List(PeerAuthentication, p.workload.Namespace) {
		if o.Spec.(*PeerAuthenticationSpec).Selector == nil {
			nsWide = oldest(nsWide, o)
		}
	}
	if nsWide == nil {
		return mode(p.mesh) != Strict
	}
	return mode(nsWide) != Strict
}

// PortsOf are the ports that a PeerAuthentication names, sorted.
func PortsOf(spec *PeerAuthenticationSpec) []string {
	return slices.Sorted(maps.Keys(spec.PortLevelMTLS))
}
