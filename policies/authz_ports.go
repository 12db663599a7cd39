package policies

import (
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// passesBy is whether a rule holds of no port by which the waypoint sends to the workloads.
func (c *caller) passesBy(s *mesh.Snapshot, r *mesh.Rule, ns string) bool {
	clauses := convertRule(r, ns)
	comes, known := c.comesTo(s)
	return known && !slices.ContainsFunc(comes, func(port uint16) bool {
		return !slices.ContainsFunc(clauses, func(alternatives Clause) bool { return !alternatives.meansPort(port) })
	})
}

// meansPort is whether any alternative has no condition on ports that is false of this one.
func (c Clause) meansPort(port uint16) bool {
	return slices.ContainsFunc(c, func(m Match) bool {
		return (len(m.DestinationPorts) == 0 || slices.Contains(m.DestinationPorts, port)) && !slices.Contains(m.NotDestinationPorts, port)
	})
}

// comesTo are the workloads' ports to which the waypoint sends; known is false where it may be any, as where it takes calls to the
// workloads' own addresses.
func (c *caller) comesTo(s *mesh.Snapshot) (ports []uint16, known bool) {
	for _, w := range c.behind {
		if boundTo(s.WorkloadBinding(mesh.Pod, w)) == c.waypoint {
			return nil, false
		}
	}
	for _, svc := range c.services {
		for _, p := range s.Ports(svc) {
			for _, w := range c.behind {
				target := mesh.TargetPort(p, w)
				if target == 0 {
					return nil, false
				}
				if p.Protocol != mesh.UDP && !slices.Contains(ports, uint16(target)) {
					ports = append(ports, uint16(target))
				}
			}
		}
	}
	return ports, len(c.services) > 0
}
