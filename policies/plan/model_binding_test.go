package plan

import (
	"slices"
	"strconv"
	"strings"

	"istio.io/api/annotation"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Which waypoint has the connections of a Service, as a proxy reads it off what is stored.

// namespaces are those of the Services and waypoints of a sequence.
func (m *model) namespaces() []string {
	if m.home("ord") == "shop" {
		return []string{"shop"}
	}
	return []string{"edge", "pay", "shop"}
}

// home is the namespace of a Service.
func (m *model) home(service string) string {
	return m.apps[slices.IndexFunc(m.apps, func(p pod) bool { return p.app == service })].namespace
}

func (m *model) service(name string) *mesh.Object {
	return m.latest().Get(mesh.Service, m.home(name), name)
}

// guardAt is the guard of a Service, nil where there is none.
func (m *model) guardAt(service string) *mesh.Object {
	return m.latest().Get(mesh.AuthorizationPolicy, m.home(service), guardName(service))
}

// labelledBy is the object whose labels bind a Service: itself, else its Namespace.
func labelledBy(s *mesh.Snapshot, svc *mesh.Object) *mesh.Object {
	if _, own := svc.Labels[label.IoIstioUseWaypoint.Name]; own {
		return svc
	}
	return s.Get(mesh.Namespace, "", svc.Namespace)
}

// gatewayNamed is the Gateway that a pair of labels on an object name, if it has an address and lets a namespace attach.
func gatewayNamed(gateways *mesh.Snapshot, on *mesh.Object, name, namespace, from string) *mesh.Object {
	ns, ok := on.Labels[namespace]
	if !ok {
		ns = from
	}
	gw := gateways.Get(mesh.Gateway, ns, on.Labels[name])
	if on.Labels[name] == "none" || gw == nil || !mesh.Ready(gw) || !attaches(gw, from) {
		return nil
	}
	return gw
}

// attaches is whether a Gateway lets objects of a namespace attach: those of its own, else as its listener names namespaces.
func attaches(gw *mesh.Object, from string) bool {
	allowed := gw.Spec.(*mesh.GatewayBody).Spec.Listeners[0].AllowedRoutes
	if allowed == nil || allowed.Namespaces == nil || allowed.Namespaces.Selector == nil {
		return gw.Namespace == from
	}
	return slices.ContainsFunc(allowed.Namespaces.Selector.MatchExpressions, func(r mesh.Requirement) bool {
		return r.Key == namespaceName && r.Operator == "In" && slices.Contains(r.Values, from)
	})
}

// servedBy is the waypoint of a Service, as "namespace/name"; "" where it has none.
func servedBy(s, gateways *mesh.Snapshot, svc *mesh.Object) string {
	gw := gatewayNamed(gateways, labelledBy(s, svc), label.IoIstioUseWaypoint.Name, label.IoIstioUseWaypointNamespace.Name, svc.Namespace)
	if gw == nil {
		return ""
	}
	return gw.Key()
}

// canary is a waypoint that has a share of the connections of a Service.
type canary struct {
	waypoint string
	weight   int
}

// canaryOf is read beside the label by which a Service is bound, and only there.
func canaryOf(s, gateways *mesh.Snapshot, svc *mesh.Object) (canary, bool) {
	on := labelledBy(s, svc)
	weight, err := strconv.Atoi(on.Annotations[annotation.IoIstioUseWaypointCanaryWeight.Name])
	primary := servedBy(s, gateways, svc)
	gw := gatewayNamed(gateways, on, label.IoIstioUseWaypointCanary.Name, label.IoIstioUseWaypointCanaryNamespace.Name, svc.Namespace)
	if err != nil || primary == "" || gw == nil || gw.Key() == primary {
		return canary{}, false
	}
	return canary{gw.Key(), weight}, true
}

// bindings are what serves which Service.
type bindings struct {
	bound    map[string]string // Services to Gateways, as "namespace/name"
	canaries map[string]canary // Services to those that have a share of their connections
}

// bindingsOf are those of the labels in one mesh and of the Gateways in another.
func (m *model) bindingsOf(s, gateways *mesh.Snapshot) bindings {
	out := bindings{map[string]string{}, map[string]canary{}}
	for _, name := range services {
		svc := s.Get(mesh.Service, m.home(name), name)
		out.bound[name] = servedBy(s, gateways, svc)
		if c, ok := canaryOf(s, gateways, svc); ok {
			out.canaries[name] = c
		}
	}
	return out
}

// pair are the bindings by the rest as of one state and the Gateways as of another.
func (m *model) pair(rest, gateways int) bindings {
	if rest == gateways {
		return m.states[rest].bindings
	}
	key := [2]int{rest, gateways}
	out, ok := m.pairs[key]
	if !ok {
		out = m.bindingsOf(m.states[rest].snapshot, m.states[gateways].snapshot)
		m.pairs[key] = out
	}
	return out
}

// knownBy are the bindings as a proxy knows them.
func (m *model) knownBy(p *proxy) bindings { return m.pair(p.rest, p.gateways) }

// waypointsOf are those that have any share of the connections of a Service.
func (s bindings) waypointsOf(service string) []string {
	out, c := []string{}, s.canaries[service]
	if gw := s.bound[service]; gw != "" && c.weight < 100 {
		out = append(out, gw)
	}
	if c.weight > 0 {
		out = append(out, c.waypoint)
	}
	return out
}

// serves is whether a waypoint is sent the configuration of a Service: whatever its share is.
func (s bindings) serves(service, waypoint string) bool {
	return waypoint != "" && (s.bound[service] == waypoint || s.canaries[service].waypoint == waypoint)
}

// ways are all that a connection of a client may take, as its ztunnel knows them.
func (m *model) ways(c client, service string) []way {
	var out []way
	for _, gw := range m.knownBy(m.nodes[c.node]).waypointsOf(service) {
		before := len(out)
		for _, p := range m.pods[gw] {
			if p.ready {
				out = append(out, way{gw, p})
			}
		}
		if len(out) == before {
			out = append(out, way{waypoint: gw})
		}
	}
	if len(out) == 0 {
		out = append(out, way{})
	}
	return out
}

// placeOf is the waypoint that people name when they mean whoever is the Namespace's.
func placeOf(waypoint string) string {
	if strings.HasPrefix(waypoint, theirs) {
		return theirs
	}
	return waypoint
}

// theirs is the waypoint that people name in policies.
const theirs = "shop/waypoint"
