package plan

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A binding changes which pods connect to which: clients to the waypoint, and the waypoint to the pods, where clients connected to the
// pods. NetworkPolicies know nothing of bindings, so what they stop is found before anything is bound.

const (
	hbonePort  = 15008 // of enrolled pods and of waypoints
	istiodPort = 15012 // where proxies take their configuration
)

// cut says which NetworkPolicy would stop calls to a Service if it were bound to its waypoint, and how; nil where none would.
func (m *maker) cut(gw, svc *mesh.Object, s *mesh.Snapshot) (by *mesh.Object, why string) {
	pod := s.WaypointPod(gw)
	if by := cutBy(s, mesh.Hop{From: pod, To: m.istiod(), Port: istiodPort}); by != nil {
		return by, fmt.Sprintf("%s keeps the pods of waypoint %s from istiod. Let them connect to its port %d.", by, gw.Key(), istiodPort)
	}
	var behind []*mesh.Workload
	all, _ := s.Backends(svc)
	for _, w := range all {
		if w.Mode != mesh.ModeAmbient || w.Source == nil {
			continue
		}
		behind = append(behind, w)
		if by := cutBy(s, mesh.Hop{From: pod, To: w, Port: hbonePort}); by != nil {
			return by, fmt.Sprintf("%s keeps the pods of waypoint %s from %s. Let them connect to port %d.", by, gw.Key(), w.Source, hbonePort)
		}
	}
	if client, by := m.cutClient(s, pod, behind); by != nil {
		return by, fmt.Sprintf("%s keeps %s, which gets to %s now, from the pods of waypoint %s. Let it connect to port %d.", by, client.Source, svc, gw.Key(), hbonePort)
	}
	return nil, ""
}

// cutBy is a NetworkPolicy that stops a connection for sure.
func cutBy(s *mesh.Snapshot, h mesh.Hop) *mesh.Object {
	if by, sure := s.Cut(h); sure && len(by) > 0 {
		return by[0]
	}
	return nil
}

// istiod is a pod of istiod: one that is in the input, else as its chart makes it.
func (m *maker) istiod() *mesh.Workload {
	root := m.snapshot.RootNamespace()
	labels := map[string]string{"app": "istiod"}
	for _, w := range m.snapshot.Workloads(root) {
		if w.Carries(labels) {
			return w
		}
	}
	return m.snapshot.Imagine(root, labels)
}

// cutClient is a client that gets to the pods and would not get to the waypoint, and what keeps it from there. Those of the
// namespace itself are looked at first.
func (m *maker) cutClient(s *mesh.Snapshot, waypoint *mesh.Workload, behind []*mesh.Workload) (*mesh.Workload, *mesh.Object) {
	if len(behind) == 0 {
		return nil, nil
	}
	// Where the same policies are over the waypoint and the pods, whoever they admit to the one they admit to the other.
	everywhere := s.Isolating(waypoint, false)
	same := !slices.ContainsFunc(behind, func(w *mesh.Workload) bool { return !slices.Equal(s.Isolating(w, false), everywhere) })
	calling, here := m.callers(), sorted([]string{behind[0].Namespace, waypoint.Namespace})
	if !calling.any {
		return nil, nil
	}
	for _, client := range slices.Concat(calling.near(here, behind), calling.elsewhere(here, same || len(everywhere) == 0)) {
		by := cutBy(s, mesh.Hop{From: client, To: waypoint, Port: hbonePort})
		if by != nil && slices.ContainsFunc(behind, func(w *mesh.Workload) bool {
			stops, _ := s.Cut(mesh.Hop{From: client, To: w, Port: hbonePort})
			return len(stops) == 0
		}) {
			return client, by
		}
	}
	return nil, nil
}

// clusters tell of Services that are called from other clusters of the mesh.
func (m *maker) clusters(after *mesh.Snapshot) {
	spans := m.snapshot.Spans()
	if spans == "" {
		return
	}
	for _, l := range m.plan.Labels {
		for _, ref := range l.Binds {
			if svc := find(after, ref); after.Global(svc) {
				m.plan.Notices = append(m.plan.Notices, Notice{ref, ClassClusters, fmt.Sprintf("calls from other clusters of the mesh pass the waypoint of their own cluster, or none: the mesh spans more than one (%s), and %s is called from all of them. Plan its waypoint, policies and labels there too.", spans, svc)})
			}
		}
	}
}
