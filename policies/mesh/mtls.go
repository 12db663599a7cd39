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
	// Policies are the keys that istiod makes the workload refer to.
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
		if o.Spec.(*PeerAuthenticationSpec).Selector == nil && !s.OtherRevision(o) {
			out = append(out, o)
		}
	}
	for _, o := range s.List(PeerAuthentication, ns) {
		sel := o.Spec.(*PeerAuthenticationSpec).Selector
		if sel == nil && ns == root {
			continue // counted above
		}
		if (sel == nil || subset(sel.MatchLabels, labels)) && !s.OtherRevision(o) {
			out = append(out, o)
		}
	}
	return out
}

// Peers are the PeerAuthentications that count for a workload: the oldest of each scope.
type Peers struct{ Mesh, Namespace, Workload *Object }

func oldest(current, o *Object) *Object {
	if current == nil || older(o, current) < 0 {
		return o
	}
	return current
}

// Peers are those that ztunnel, or where sidecar is set a sidecar, goes by. They differ in one thing:
// sidecars take a `selector: {}` of the root namespace for the whole mesh.
func (s *Snapshot) Peers(ns string, labels map[string]string, sidecar bool) Peers {
	p := s.peersOf(ns, labels)
	if sidecar {
		for _, o := range s.List(PeerAuthentication, s.settings.RootNamespace) {
			if sel := o.Spec.(*PeerAuthenticationSpec).Selector; sel != nil && len(sel.MatchLabels) == 0 && !s.OtherRevision(o) {
				p.Mesh = oldest(p.Mesh, o)
			}
		}
	}
	return p
}

func (s *Snapshot) peersOf(ns string, labels map[string]string) Peers {
	var p Peers
	root := s.settings.RootNamespace
	for _, o := range s.PeerAuthentications(ns, labels) {
		sel := o.Spec.(*PeerAuthenticationSpec).Selector
		switch wide := sel == nil || len(sel.MatchLabels) == 0; {
		case wide && o.Namespace == root:
			p.Mesh = oldest(p.Mesh, o)
		case wide:
			p.Namespace = oldest(p.Namespace, o)
		case o.Namespace != root:
			p.Workload = oldest(p.Workload, o)
		}
	}
	return p
}

// All are the PeerAuthentications, the widest first.
func (p Peers) All() []*Object {
	var out []*Object
	for _, o := range []*Object{p.Mesh, p.Namespace, p.Workload} {
		if o != nil {
			out = append(out, o)
		}
	}
	return out
}

func (p Peers) parentStrict() bool {
	if ModeOf(p.Namespace) != Unset {
		return ModeOf(p.Namespace) == Strict
	}
	return ModeOf(p.Mesh) == Strict
}

// Composed is what the PeerAuthentications say together, and what sidecars make of them
// (pilot/pkg/security/authn/policy_applier.go ComposePeerAuthentication): the narrowest mode wins,
// and a port's own over that.
func (p Peers) Composed() MTLS {
	m := MTLS{Strict: p.parentStrict()}
	if p.Workload == nil {
		return m
	}
	if own := ModeOf(p.Workload); own != Unset {
		m.Strict = own == Strict
	}
	for port, portMode := range p.Workload.Spec.(*PeerAuthenticationSpec).PortLevelMTLS {
		n, err := strconv.ParseInt(port, 10, 32)
		if err != nil || portMode.ModeOr() == Unset {
			continue
		}
		if m.Ports == nil {
			m.Ports = map[int32]bool{}
		}
		m.Ports[int32(n)] = portMode.ModeOr() == Strict
	}
	return m
}

// ModeOf is a PeerAuthentication's mode; Unset for none.
func ModeOf(o *Object) string {
	if o == nil {
		return Unset
	}
	return o.Spec.(*PeerAuthenticationSpec).MTLS.ModeOr()
}

// EffectiveMTLS is what ztunnel demands of connections to a workload of a namespace with these
// labels (ambient/authorization.go convertedSelectorPeerAuthentications, convertPeerAuthentication).
func (s *Snapshot) EffectiveMTLS(ns string, labels map[string]string) MTLS {
	return s.atZtunnel(s.peersOf(ns, labels))
}

func (s *Snapshot) atZtunnel(p Peers) MTLS {
	m := MTLS{Strict: p.parentStrict()}
	if p.Workload == nil {
		return s.withStatic(m)
	}
	own := ModeOf(p.Workload)
	if own != Unset {
		m.Strict = own == Strict
	}
	if !refersToItself(p.Workload, m.Strict) {
		return s.withStatic(m)
	}
	key := p.Workload.Namespace + "/converted_peer_authentication_" + p.Workload.Name
	generated, ok := s.generate(p.Workload)
	if !ok {
		return MTLS{Dangling: true, Policies: []string{key}}
	}
	generated.Policies = []string{key}
	return generated
}

// withStatic adds the one policy by which istiod makes all ports of a workload strict.
func (s *Snapshot) withStatic(m MTLS) MTLS {
	if m.Strict {
		m.Policies = []string{s.settings.RootNamespace + "/istio_converted_static_strict"}
	}
	return m
}

// refersToItself is whether istiod makes the workload refer to a policy made of the
// PeerAuthentication's ports, in place of the static strict one; strict is what holds without the ports.
func refersToItself(workload *Object, strict bool) bool {
	permissive, disabled, strictPort := portModes(workload.Spec.(*PeerAuthenticationSpec))
	switch own := ModeOf(workload); {
	case own == Strict:
		return permissive || disabled
	case own == Unset && strict:
		return permissive // a lone DISABLE is overlooked
	default:
		return strictPort
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

// generate is what the policy made of a PeerAuthentication's ports demands; false where istiod makes
// none (convertPeerAuthentication). In contrast to what decides whether workloads refer to it, only
// PeerAuthentications without any selector count as its parents here, `selector: {}` not, and that
// a namespace-wide one is UNSET is not looked through to the mesh for PERMISSIVE ports. The mesh's
// STRICT makes it skip STRICT ports whatever the PeerAuthentication's own mode is.
func (s *Snapshot) generate(o *Object) (MTLS, bool) {
	spec, own := o.Spec.(*PeerAuthenticationSpec), ModeOf(o)
	ns, root := s.withoutSelector(o.Namespace), s.withoutSelector(s.settings.RootNamespace)
	meshStrict := ModeOf(ns) == Unset && ModeOf(root) == Strict
	skipStrict := own == Strict || own == Unset && ModeOf(ns) == Strict || meshStrict
	skipOpen := own == Permissive || own == Disable || own == Unset && ModeOf(ns) != Strict && (ns != nil || ModeOf(root) != Strict)
	m := MTLS{Strict: own == Strict, Ports: map[int32]bool{}}
	exceptions := false
	for port, portMode := range spec.PortLevelMTLS {
		n, err := strconv.ParseInt(port, 10, 32)
		if err != nil {
			continue
		}
		switch portMode.ModeOr() {
		case Strict:
			if !skipStrict {
				m.Ports[int32(n)] = true
			}
		case Permissive, Disable:
			if !skipOpen {
				m.Ports[int32(n)], exceptions = false, true
			}
		}
	}
	if own == Strict && !exceptions || len(m.Ports) == 0 {
		return MTLS{}, false
	}
	m.Strict = m.Strict || exceptions && (meshStrict || ModeOf(ns) == Strict)
	return m, true
}

// withoutSelector is the oldest PeerAuthentication of a namespace that has no selector.
func (s *Snapshot) withoutSelector(ns string) *Object {
	var found *Object
	for _, o := range s.List(PeerAuthentication, ns) {
		if o.Spec.(*PeerAuthenticationSpec).Selector == nil && !s.OtherRevision(o) {
			found = oldest(found, o)
		}
	}
	return found
}

// PortsOf are the ports that a PeerAuthentication names, sorted.
func PortsOf(spec *PeerAuthenticationSpec) []string {
	return slices.Sorted(maps.Keys(spec.PortLevelMTLS))
}
