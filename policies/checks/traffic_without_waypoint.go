package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A VirtualService, DestinationRule, route, BackendTLSPolicy or XBackendTrafficPolicy for a Service or
// ServiceEntry whose calls no waypoint takes. ztunnel reads none of these kinds, tcp and tls rules
// included, and nothing in the status of the object says so: routes have Accepted=True and at most
// a message in ResolvedWaypoints. Nothing is found of DestinationRules that only ask for ISTIO_MUTUAL,
// which HBONE is anyway, or that a gateway applies, and of wildcards that hold somewhere.
var _ = policies.Register(policies.Check{
	ID:       "effect/traffic-without-waypoint",
	Title:    "Traffic management that nobody carries out",
	Severity: policies.Medium,
	Kinds:    slices.Concat(routing, shaping),
	Cases:    []int{81, 82, 91, 98, 101, 104, 112},
	Controls: configuration(),
	Doc: `In ambient mode only the waypoint of the called Service carries out VirtualServices, DestinationRules,
routes and backend policies. ztunnel reads none of them. Without a ready waypoint they do nothing for calls of
ambient pods: no routing, no retries, no timeouts, no fault injection, and no TLS towards external hosts,
which then are called in plaintext.`,
	Remedy: "Bind the Service or ServiceEntry to a waypoint with label istio.io/use-waypoint.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.AncestorNotBound, mesh.WaypointIsNotReady, mesh.AttachmentDenied, mesh.UnsupportedTrafficType,
			mesh.CrossNamespaceWaypointForbidden, policies.ForeignGateway, policies.Agentgateway) {
			svc := targetOf(p, e.Target)
			if e.EnforcedBy != policies.Nobody || svc == nil && e.Target.Kind != "Host" || heldElsewhere(p, e) {
				continue
			}
			f := told(e)
			switch {
			case originatesTLS(p.Object) && svc != nil && external(svc):
				f.Severity = policies.High
				f.Message = fmt.Sprintf("calls to %s leave without the TLS that this %s asks for: %s.", svc, p.Object.Kind, e.Causes[0].Text)
			case onItsWay(e):
				f.Severity = policies.Low
			case p.Object.Kind == mesh.DestinationRule || p.Object.Kind == mesh.XBackendTrafficPolicy:
				f.Severity = policies.Low
			}
			p.Report(f)
		}
	},
})

// heldElsewhere is whether what the waypoint does not do is done by others, or need not be done.
func heldElsewhere(p *policies.Pass, e policies.Effect) bool {
	d, isRule := p.Object.Spec.(*mesh.DestinationRuleSpec)
	if isRule && asksNothingNew(d) {
		return true
	}
	if slices.Contains(shaping, p.Object.Kind) && enforcedBy(p, e.Target, policies.Gateway) {
		return true
	}
	wild := isRule && strings.HasPrefix(d.Host, "*")
	if v, ok := p.Object.Spec.(*mesh.VirtualServiceSpec); ok {
		wild = slices.ContainsFunc(v.Hosts, func(h string) bool { return strings.HasPrefix(h, "*") })
	}
	return wild && slices.ContainsFunc(p.Effects(p.Object), func(e policies.Effect) bool { return e.EnforcedBy != policies.Nobody })
}

// asksNothingNew is a DestinationRule that says only what ambient mode does anyway.
func asksNothingNew(d *mesh.DestinationRuleSpec) bool {
	t := d.TrafficPolicy
	if len(d.Subsets) > 0 {
		return false
	}
	return t == nil || t.LoadBalancer == nil && t.ConnectionPool == nil && t.OutlierDetection == nil && len(t.PortLevelSettings) == 0 &&
		t.Tunnel == nil && t.ProxyProtocol == nil && (t.TLS == nil || t.TLS.Mode == "ISTIO_MUTUAL")
}

// originatesTLS is whether the object asks for TLS towards the host.
func originatesTLS(o *mesh.Object) bool {
	if o.Kind == mesh.BackendTLSPolicy {
		return true
	}
	d, ok := o.Spec.(*mesh.DestinationRuleSpec)
	if !ok || d.TrafficPolicy == nil {
		return false
	}
	tls := []*mesh.ClientTLS{d.TrafficPolicy.TLS}
	for _, l := range d.TrafficPolicy.PortLevelSettings {
		tls = append(tls, l.TLS)
	}
	return slices.ContainsFunc(tls, func(t *mesh.ClientTLS) bool { return t != nil && (t.Mode == "SIMPLE" || t.Mode == "MUTUAL") })
}

func external(svc *mesh.Object) bool {
	b, ok := svc.Spec.(*mesh.ServiceEntrySpec)
	return ok && b.Location != "MESH_INTERNAL"
}
