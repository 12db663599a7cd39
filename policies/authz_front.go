package policies

import "github.com/waywarden/waywarden/policies/mesh"

// Front is a waypoint before workloads that a policy without targetRefs is about.
type Front struct {
	Waypoint *mesh.Object
	Services []*mesh.Object // by which the waypoint sends to the workloads; none where only by the pods' own addresses
	Admitted bool           // whether something else lets the waypoint in at all of the workloads
}

// Fronts are the waypoints before the enrolled workloads that a policy without targetRefs is about.
func Fronts(s *mesh.Snapshot, o *mesh.Object) []Front {
	p, ok := o.Spec.(*mesh.AuthorizationPolicySpec)
	if !ok || len(p.Attachment().Refs()) > 0 {
		return nil
	}
	var out []Front
	for _, c := range waypointsBefore(s, reachOf(s, o, p.Selector).ambient) {
		out = append(out, Front{c.waypoint, c.services, c.admittedElsewhere(s, o)})
	}
	return out
}
