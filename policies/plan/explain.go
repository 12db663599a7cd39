package plan

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Class is why something changes. A harmful change of no class is not understood, and stops the plan for what it is about.
type Class string

// The classes. Of those of changes all but ClassIdentity are what a waypoint is for, or follows from what is written;
// people read them before they agree.
const (
	ClassNeed        Class = "need"         // what a policy says takes effect
	ClassIdentity    Class = "identity"     // ztunnel sees the waypoint instead of clients; told and undone by a policy of ours
	ClassWakes       Class = "wakes"        // a policy with targetRefs that lay dormant
	ClassTraffic     Class = "traffic"      // a route or DestinationRule that lay dormant
	ClassTCP         Class = "http-on-tcp"  // HTTP rules on a port that is not HTTP deny everything
	ClassPort        Class = "port"         // a port means the Service's at a waypoint and the container's at ztunnel
	ClassPath        Class = "path"         // a path round the waypoint is known
	ClassAlso        Class = "also-bound"   // a Namespace label binds it as well
	ClassServerFirst Class = "server-first" // a port of which the waypoint must guess the protocol
	ClassNoCatchAll  Class = "no-catch-all" // 404
	ClassNoSubset    Class = "no-subset"    // 503
	ClassGuard       Class = "guard"        // a guard is asked for and would close a way that is used
	ClassShut        Class = "shut"         // a hold that nobody agreed to has outlasted what it was for, or one that was agreed to waits for a decision
	ClassOpens       Class = "opens"        // the waypoint decides who gets in where nobody was let in
	ClassIngress     Class = "ingress"      // ingress gateways are not sent through the waypoint, where they might be shut out
	ClassDoubleTLS   Class = "double-tls"
	ClassEndpoint    Class = "endpoint" // a Service takes the waypoint's pods for its own
	ClassClusters    Class = "clusters" // other clusters of the mesh call it, and have waypoints of their own
)

var trafficKinds = []mesh.Kind{mesh.VirtualService, mesh.DestinationRule, mesh.HTTPRoute, mesh.GRPCRoute, mesh.TCPRoute, mesh.TLSRoute,
	mesh.ServiceEntry, mesh.BackendTLSPolicy, mesh.XBackendTrafficPolicy}

var pathReasons = []string{policies.IngressBypass, policies.SidecarBypass, policies.ExposedBypass, policies.OtherWaypoint}

// classify says why an effect changes; "" where nothing here explains it.
func classify(c Change, later []policies.Effect) Class {
	kind, _ := mesh.KindOf(c.Object.APIVersion, c.Object.Kind)
	has := func(reasons ...string) bool {
		return slices.ContainsFunc(later, func(e policies.Effect) bool { return slices.ContainsFunc(reasons, e.Has) })
	}
	atWaypoint := slices.ContainsFunc(c.After, func(s State) bool { return s.EnforcedBy == policies.Waypoint })
	switch {
	case has(policies.WaypointIdentity):
		return ClassIdentity
	case has(policies.Protocol) && atWaypoint:
		return ClassTCP
	case has(policies.PortNeverMatches) && (atWaypoint || c.Turn == Other):
		return ClassPort
	case has(pathReasons...):
		return ClassPath
	case slices.Contains(trafficKinds, kind):
		return ClassTraffic
	case c.Turn == Stronger:
		return ClassNeed
	case atWaypoint:
		return ClassWakes
	}
	return ""
}

// unexplained is whether a change is one that nobody can agree to, because it is not understood or not made up for.
func (c Change) unexplained() bool {
	unknown := slices.ContainsFunc(c.After, func(s State) bool { return s.Verdict == policies.Unknown }) &&
		!slices.ContainsFunc(c.Before, func(s State) bool { return s.Verdict == policies.Unknown })
	return (c.harms() || unknown) && (c.Class == "" || c.Class == ClassIdentity)
}
