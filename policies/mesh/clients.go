package mesh

import "sync"

// Clients is who calls in the mesh: which namespaces hold pods whose outbound calls a ztunnel takes,
// and which hold pods whose sidecar does. Where the input shows no workload of a known namespace, its
// labels decide, as if a plain pod ran there.
type Clients struct {
	Ambient map[string]bool
	Sidecar map[string]bool
	// Unknown are namespaces of which the input does not show what captures their pods.
	Unknown map[string]bool
	// Gateways are the pods of ingress and egress gateways.
	Gateways []*Workload
}

// remembered are answers about the whole mesh: found at most once a Snapshot, and only if somebody asks.
type remembered struct {
	once    sync.Once
	clients *Clients
	hosts   sync.Map // what wildcard hosts cover: string → []*Object
	span    sync.Once
	spans   string

	labels          sync.Once
	namespaceLabels map[string]bool // by which selectors over namespaces select
}

// Clients says who calls in the mesh. The answer is shared: do not write to it.
func (s *Snapshot) Clients() *Clients {
	s.note(readClients, 0, "", "")
	s.remembered.once.Do(func() { s.remembered.clients = s.unrecorded().readClients() })
	return s.remembered.clients
}

func (s *Snapshot) readClients() *Clients {
	c := &Clients{Ambient: map[string]bool{}, Sidecar: map[string]bool{}, Unknown: map[string]bool{}}
	for ns := range s.Namespaces() {
		if s.Runs(ns, ModeGateway) {
			for _, w := range s.Workloads(ns) {
				if w.Mode == ModeGateway {
					c.Gateways = append(c.Gateways, w)
				}
			}
		}
		for _, w := range s.callersIn(ns) {
			switch w.Mode {
			case ModeAmbient:
				c.Ambient[ns] = true
			case ModeSidecar:
				c.Sidecar[ns] = true
			case ModeUnknown:
				c.Unknown[ns] = true
			}
		}
	}
	return c
}

// callersIn are the pods of a namespace. WorkloadEntries and endpoints are called and do not call.
func (s *Snapshot) callersIn(ns string) []*Workload {
	var out []*Workload
	for _, w := range s.Workloads(ns) {
		if w.Source.Kind != WorkloadEntry && w.Source.Kind != ServiceEntry {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		return []*Workload{s.Imagine(ns, nil)}
	}
	return out
}
