package policies

import (
	"fmt"
	"strconv"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// connectStrategy is not in istio.io/api; pilot/pkg/model/service.go GetDNSConnectStrategy reads it.
const connectStrategy = "istio.io/connect-strategy"

// serviceEntry judges a ServiceEntry host by host: ztunnels know its hosts, addresses, ports and
// endpoints, except those that only a waypoint can resolve, and read no exportTo
// (pilot/pkg/serviceregistry/ambient/services.go serviceEntriesInfo).
func serviceEntry(s *mesh.Snapshot, o *mesh.Object) []Effect {
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	spec := o.Spec.(*mesh.ServiceEntrySpec)
	who := audienceOf(s, o, o, spec.ExportTo)
	var effects []Effect
	for i, host := range spec.Hosts {
		field := "spec.hosts[" + strconv.Itoa(i) + "]"
		if who.sidecar {
			effects = append(effects, bySidecars(hostTarget(host)))
		}
		switch {
		case who.ambient, len(s.Clients().Ambient) > 0 && !onlyAtWaypoint(spec, host):
			// ztunnels know every entry, also one that is meant for pods with sidecars.
			effects = append(effects, entryForAmbient(s, o, spec, host, field))
		case !who.sidecar:
			effects = append(effects, uncalled(hostTarget(host), "ServiceEntry", field, who))
		}
	}
	if len(effects) == 0 {
		effects = append(effects, nobody(Target{Kind: ScopeNamespace, Name: o.Namespace}, NotEnforced, Invalid, "spec.hosts", "this ServiceEntry has no effect: it names no host. Name one in spec.hosts."))
	}
	return join(effects)
}

// onlyAtWaypoint is whether a host has to be looked up call by call, which ztunnel does not do.
func onlyAtWaypoint(spec *mesh.ServiceEntrySpec, host string) bool {
	return spec.Resolution == "DYNAMIC_DNS" || strings.HasPrefix(host, "*")
}

// entryForAmbient is one host as ambient pods see it.
func entryForAmbient(s *mesh.Snapshot, o *mesh.Object, spec *mesh.ServiceEntrySpec, host, field string) Effect {
	t := hostTarget(host)
	switch {
	case s.TakenBy(o, host) != nil:
		return nobody(t, NotEnforced, Shadowed, field, fmt.Sprintf(
			"this ServiceEntry has no effect for host %s: %s of the same namespace has the host, and there can be one only. Remove one of them, or name another host.", host, s.TakenBy(o, host)))
	case s.Visibility(o) == "NONE" && s.Settings().Version.AtLeast(1, 31, 0):
		return nobody(t, NotEnforced, NotVisible, field, fmt.Sprintf(
			"this ServiceEntry has no effect: meshConfig.serviceEntryVisibility hides those of Namespace %s. Change the mesh configuration.", o.Namespace))
	case spec.Resolution == "DYNAMIC_DNS" && spec.Location == "MESH_INTERNAL":
		return nobody(t, NotEnforced, LocationInternal, "spec.location",
			"this ServiceEntry has no effect: waypoints leave hosts inside the mesh out that they would have to look up (DYNAMIC_DNS). Set spec.location: MESH_EXTERNAL.")
	case onlyAtWaypoint(spec, host):
		return entryAtWaypoint(s, o, spec, host, field)
	}
	e := Effect{Target: t, EnforcedBy: Ztunnel, Verdict: Enforced, Reason: Accepted, Message: "ztunnels know the host, its addresses, ports and endpoints."}
	b := s.Binding(o)
	if alias := s.AliasOf(o); alias != nil && b.Bound {
		return nobody(t, NotEnforced, Shadowed, field, fmt.Sprintf(
			"calls to host %s fail: ztunnels send them to waypoint %s, which knows %s of type ExternalName in the place of this ServiceEntry and takes no calls to it. %s", host, b.Gateway.Key(), alias, aliasRemedy))
	}
	if b.Bound {
		e.By = refOf(b.Gateway)
		e.EnforcedBy = Waypoint
		e.Message = fmt.Sprintf("calls to it go through waypoint %s.", b.Gateway.Key())
	}
	if strings.EqualFold(o.Annotations[connectStrategy], "RACE_FIRST_TCP_CONNECT") && !b.Bound && b.Reason != mesh.ReasonUnknown {
		e.Causes = append(e.Causes, Cause{NoWaypointForRacingConnectStrategy, PartiallyEnforced, "metadata.annotations[" + connectStrategy + "]",
			"only a waypoint can race connections, and the ServiceEntry is bound to none"})
		e.WaitsFor = bindWait(o)
	}
	if c, ok := wider(s, o, spec); ok {
		e.Causes = append(e.Causes, c)
	}
	if len(e.Causes) > 0 {
		c := e.Causes[0]
		e.Verdict, e.Reason, e.Field = c.Verdict, c.Reason, c.Field
		e.Message = fmt.Sprintf("it does not all do what it says: %s. %s", c.Text, entryRemedy[c.Reason])
	}
	return e
}

var entryRemedy = map[string]string{
	NoWaypointForRacingConnectStrategy: "Bind the ServiceEntry to a waypoint.",
	ExportToIgnored:                    "Limit it with meshConfig.serviceEntryVisibility (Istio 1.31 and newer).",
}

// wider is an exportTo that leaves out namespaces whose ambient pods see the host all the same.
func wider(s *mesh.Snapshot, o *mesh.Object, spec *mesh.ServiceEntrySpec) (Cause, bool) {
	if len(spec.ExportTo) == 0 || s.Visibility(o) == "NAMESPACE" && s.Settings().Version.AtLeast(1, 31, 0) {
		return Cause{}, false
	}
	first := ""
	for ns := range s.Clients().Ambient {
		if !visible(spec.ExportTo, o.Namespace, ns) && (first == "" || ns < first) {
			first = ns
		}
	}
	if first == "" {
		return Cause{}, false
	}
	return Cause{ExportToIgnored, PartiallyEnforced, "spec.exportTo",
		fmt.Sprintf("ztunnel does not read exportTo, so the ambient pods of every namespace, among them %s, use the entry", first)}, true
}

// entryAtWaypoint is a host that only a waypoint can resolve.
func entryAtWaypoint(s *mesh.Snapshot, o *mesh.Object, spec *mesh.ServiceEntrySpec, host, field string) Effect {
	t := hostTarget(host)
	a := waypointFor(s, o, field)
	a.target = t
	if !a.applied() {
		e := a.effect("this ServiceEntry")
		if a.reason == AncestorNotBound {
			e.Reason, e.Causes[0].Reason = NoWaypointForWildcardService, NoWaypointForWildcardService
		}
		e.Message = fmt.Sprintf("this ServiceEntry has no effect for host %s, which only a waypoint can resolve: %s. %s", host, a.why, a.remedy)
		if a.verdict == Unknown {
			e.Message = fmt.Sprintf("it cannot be judged: %s. %s", a.why, a.remedy)
		}
		return e
	}
	e := Effect{Target: t, EnforcedBy: Waypoint, By: refOf(a.by), Verdict: Enforced, Reason: Accepted, Message: fmt.Sprintf("waypoint %s resolves the host and takes the calls.", a.by.Key())}
	if spec.Resolution != "DYNAMIC_DNS" || s.Settings().Flag("ENABLE_WILDCARD_HOST_SERVICE_ENTRIES_FOR_TLS", false) {
		return e
	}
	opaque := 0
	for i, p := range s.Ports(o) {
		// Only HTTP and, with the flag, TLS are looked up (cluster_waypoint.go buildWaypointInboundVIP).
		if p.Protocol != mesh.HTTP {
			opaque++
			e.Causes = append(e.Causes, Cause{FeatureDisabled, PartiallyEnforced, "spec.ports[" + strconv.Itoa(i) + "].protocol",
				fmt.Sprintf("port %d speaks %s, and a waypoint looks up hosts of HTTP ports only, unless istiod has ENABLE_WILDCARD_HOST_SERVICE_ENTRIES_FOR_TLS for TLS", p.Number, p.Protocol)})
		}
	}
	if opaque > 0 {
		c := e.Causes[0]
		e.Verdict, e.Reason, e.Field = PartiallyEnforced, c.Reason, c.Field
		if opaque == len(spec.Ports) {
			e.Verdict, e.EnforcedBy, e.By = NotEnforced, Nobody, nil
		}
		e.Message = fmt.Sprintf("calls to the host fail on that port: %s. Have the applications call an HTTP port, and let a DestinationRule originate TLS.", c.Text)
	}
	return e
}

func refOf(o *mesh.Object) *mesh.Ref {
	ref := o.Ref()
	return &ref
}

func bindWait(o *mesh.Object) []Wait {
	return []Wait{{Label: label.IoIstioUseWaypoint.Name, On: refOf(o)}}
}
