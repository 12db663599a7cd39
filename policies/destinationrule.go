package policies

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/waywarden/waywarden/policies/mesh"
)

// destinationRule judges a DestinationRule for each Service that its host covers: by the sidecars of
// callers, by the gateways that send there, and by the Service's waypoint, which looks for one in its
// own namespace, then in the Service's, then in the root namespace, and never in the caller's
// (pilot/pkg/model/push_context.go destinationRule; cluster_waypoint.go buildWaypointInboundVIP).
func destinationRule(s *mesh.Snapshot, o *mesh.Object) []Effect {
	d := o.Spec.(*mesh.DestinationRuleSpec)
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	services := s.ServicesFor(d.Host, o.Namespace)
	if len(services) == 0 {
		return unresolved(s, o, d.Host, "spec.host", exportOf(s, o), false)
	}
	var effects []Effect
	for _, svc := range services {
		effects = append(effects, destinationRuleFor(s, o, d, svc)...)
	}
	return join(fold(d.Host, effects))
}

// exportOf is a DestinationRule's exportTo, the mesh's default filled in.
func exportOf(s *mesh.Snapshot, o *mesh.Object) []string {
	if own := o.Spec.(*mesh.DestinationRuleSpec).ExportTo; len(own) > 0 {
		return own
	}
	return s.Settings().DestinationRuleExportTo
}

func destinationRuleFor(s *mesh.Snapshot, o *mesh.Object, d *mesh.DestinationRuleSpec, svc *mesh.Object) []Effect {
	t := objectTarget(svc)
	who := audienceOf(s, o, svc, exportOf(s, o))
	effects := clientSide(s, svc, who)
	if who.ambient {
		a := waypointFor(s, svc, "spec.host")
		a.refuseAgentgateway(s)
		a.refuseNamespace(o, svc, s.RootNamespace())
		a.refuseExport(o, d.ExportTo, exportOf(s, o))
		if a.open() && d.WorkloadSelector != nil {
			a.field = "spec.workloadSelector"
			a.not(NotEnforced, SelectorIgnored, "a waypoint never takes a DestinationRule with a workloadSelector", "Remove spec.workloadSelector.")
		}
		if a.open() {
			a.refuseShadowed(s, o, svc)
		}
		e := byWaypoint(a, "DestinationRule")
		if a.applied() {
			judgeTrafficPolicy(s, d, svc, &e)
		}
		effects = append(effects, e)
	}
	if len(effects) == 0 {
		effects = append(effects, uncalled(t, "DestinationRule", "spec.host", who))
	}
	return effects
}

// clientSide are the effects where calls begin: at sidecars, and at gateways that send to the Service
// themselves.
func clientSide(s *mesh.Snapshot, svc *mesh.Object, who audience) []Effect {
	var effects []Effect
	if who.sidecar {
		effects = append(effects, bySidecars(objectTarget(svc)))
	}
	if b := s.Binding(svc); b.Bound && b.Ingress {
		return effects
	}
	for _, route := range s.RoutesTo(svc) {
		if in, ok := ingressOf(s, route, svc); ok {
			return append(effects, Effect{Target: objectTarget(svc), EnforcedBy: Gateway, Verdict: Enforced, Reason: Accepted,
				Message: fmt.Sprintf("%s applies it to the calls that %s leads to the Service.", in.name, route)})
		}
	}
	return effects
}

// Lookup are the DestinationRules that a waypoint uses for a Service: those of the first of its own
// namespace, the Service's and the root namespace that has any. One with a workloadSelector counts in
// the search and is then not used.
func Lookup(s *mesh.Snapshot, svc *mesh.Object, waypointNamespace string) []*mesh.Object {
	keep := func(o *mesh.Object) bool { return visible(exportOf(s, o), o.Namespace, waypointNamespace) }
	order := []string{waypointNamespace, svc.Namespace, s.RootNamespace()}
	if waypointNamespace == s.RootNamespace() {
		order = order[1:]
	}
	for _, ns := range order {
		if found := s.DestinationRulesFor(svc, ns, keep); len(found) > 0 {
			return found
		}
	}
	return nil
}

// refuseShadowed says which other DestinationRule the waypoint prefers.
func (a *attachment) refuseShadowed(s *mesh.Snapshot, o, svc *mesh.Object) {
	used := Lookup(s, svc, a.by.Namespace)
	if len(used) == 0 || slices.Contains(used, o) {
		return
	}
	why := fmt.Sprintf("waypoint %s prefers %s", a.by.Key(), used[0])
	if used[0].Namespace == o.Namespace {
		why += ", whose host is more specific"
	} else {
		why += fmt.Sprintf(", because it looks in Namespace %s first and takes nothing more once it found one", used[0].Namespace)
	}
	a.not(NotEnforced, Shadowed, why, "Put all settings for the host into one DestinationRule.")
}

// judgeTrafficPolicy judges the fields of a DestinationRule that a waypoint uses.
func judgeTrafficPolicy(s *mesh.Snapshot, d *mesh.DestinationRuleSpec, svc *mesh.Object, e *Effect) {
	e.Causes = append(ignoredTLS(s, d, svc), ignoredHash(s, d, svc, e.By.Namespace)...)
	if len(e.Causes) == 0 {
		return
	}
	c := e.Causes[0]
	e.Verdict, e.Reason, e.Field = PartiallyEnforced, c.Reason, c.Field
	remedy := "Remove the field; PeerAuthentication decides whether plaintext is accepted."
	if c.Reason == HashIgnored {
		remedy = "Set spec.trafficPolicy.loadBalancer.consistentHash, for all ports."
		if !s.Settings().Version.AtLeast(1, 31, 0) {
			remedy = "Upgrade to Istio 1.31, or add a VirtualService or HTTPRoute for the Service."
		}
	}
	e.Message = fmt.Sprintf("waypoint %s applies it in part: %s. %s", e.By.Namespace+"/"+e.By.Name, c.Text, remedy)
}

// ignoredTLS finds tls.mode DISABLE: calls between waypoint and enrolled pods are in HBONE whatever it
// says. ISTIO_MUTUAL is ignored too, but it is what happens anyway.
func ignoredTLS(s *mesh.Snapshot, d *mesh.DestinationRuleSpec, svc *mesh.Object) []Cause {
	var out []Cause
	pods, _ := s.Backends(svc)
	if !slices.ContainsFunc(pods, func(w *mesh.Workload) bool { return w.Mode == mesh.ModeAmbient }) {
		return nil
	}
	note := func(t *mesh.ClientTLS, field string) {
		if t != nil && t.Mode == "DISABLE" {
			out = append(out, Cause{TLSModeIgnored, PartiallyEnforced, field + ".mode", "a waypoint always sends to enrolled pods through HBONE, so mode DISABLE does not make calls plaintext"})
		}
	}
	policy := func(p *mesh.TrafficPolicy, path string) {
		if p == nil {
			return
		}
		note(p.TLS, path+".tls")
		for i, l := range p.PortLevelSettings {
			note(l.TLS, path+".portLevelSettings["+strconv.Itoa(i)+"].tls")
		}
	}
	policy(d.TrafficPolicy, "spec.trafficPolicy")
	for i, sub := range d.Subsets {
		policy(sub.TrafficPolicy, "spec.subsets["+strconv.Itoa(i)+"].trafficPolicy")
	}
	return out
}

// ignoredHash finds consistentHash that gives the waypoint a ring and nothing to hash: the policy for
// hashing stands on a route, and the route that a waypoint makes by itself gets it only from the top
// level, since 1.31 (istio/istio#61045, pilot/pkg/networking/core/httproute.go).
func ignoredHash(s *mesh.Snapshot, d *mesh.DestinationRuleSpec, svc *mesh.Object, waypointNamespace string) []Cause {
	if d.TrafficPolicy == nil || hasRoutes(s, svc, waypointNamespace) {
		return nil
	}
	speaksHTTP := func(number int32) bool {
		return slices.ContainsFunc(s.Ports(svc), func(p mesh.Port) bool {
			return (number == 0 || p.Number == number) && (p.Protocol == mesh.HTTP || p.Protocol == mesh.Sniff)
		})
	}
	top := hashes(d.TrafficPolicy.LoadBalancer)
	if top && speaksHTTP(0) && !s.Settings().Version.AtLeast(1, 31, 0) {
		return []Cause{{HashIgnored, PartiallyEnforced, "spec.trafficPolicy.loadBalancer.consistentHash",
			"in Istio 1.30 and older consistentHash without a VirtualService or route gives the waypoint nothing to hash, so it picks at random"}}
	}
	var out []Cause
	for i, p := range d.TrafficPolicy.PortLevelSettings {
		if hashes(p.LoadBalancer) && !top && speaksHTTP(p.Port.Number) {
			out = append(out, Cause{HashIgnored, PartiallyEnforced, "spec.trafficPolicy.portLevelSettings[" + strconv.Itoa(i) + "].loadBalancer.consistentHash",
				"consistentHash of a single port, without a VirtualService or route, gives the waypoint nothing to hash, so it picks at random"})
		}
	}
	return out
}

func hashes(lb *mesh.LoadBalancer) bool { return lb != nil && lb.ConsistentHash != nil }

// hasRoutes is whether a waypoint has HTTP routes for a Service that somebody wrote.
func hasRoutes(s *mesh.Snapshot, svc *mesh.Object, waypointNamespace string) bool {
	here := func(o *mesh.Object) bool { return o.Namespace == svc.Namespace || o.Namespace == waypointNamespace }
	for _, o := range s.VirtualServicesFor(svc) {
		if v := o.Spec.(*mesh.VirtualServiceSpec); here(o) && len(v.HTTP) > 0 && forMesh(v) {
			return true
		}
	}
	return slices.ContainsFunc(s.RoutesFrom(svc), func(o *mesh.Object) bool {
		return here(o) && (o.Kind == mesh.HTTPRoute || o.Kind == mesh.GRPCRoute)
	})
}
