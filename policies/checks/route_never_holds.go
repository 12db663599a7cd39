package checks

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Routing rules on a port where they cannot hold. A waypoint makes an HTTP chain of a port that speaks
// HTTP, and a TCP chain of one that speaks TCP or TLS; HTTP rules exist on the one, tcp and tls rules on
// the other, and both where the protocol is found out. A tls rule must name the Service's own host as
// its only sniHost (listener_waypoint.go getTLSRouteMatch). A change of a port's name or appProtocol is
// enough to switch rules off.
var _ = policies.Register(policies.Check{
	ID:       "effect/route-never-holds",
	Title:    "A routing rule for another protocol than the port's",
	Severity: policies.Medium,
	Kinds:    routing,
	Cases:    []int{88, 103, 114, 139},
	Controls: configuration(),
	Doc: `HTTP rules hold on ports that speak HTTP, tcp and tls rules on those that do not. The protocol is what the port's
appProtocol, else its name, declares: a port called "https" is opaque to HTTP rules. A tls rule holds only if
its sniHosts are the Service's own host and nothing else.`,
	Remedy: "Declare the port's protocol, or write the rule for the protocol that it has.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			for _, c := range e.Causes {
				if c.Reason != policies.Protocol && c.Reason != policies.PortNeverMatches && c.Reason != policies.SNINeverMatches {
					continue
				}
				f := policies.Finding{Verdict: e.Verdict, Field: c.Field, Message: "the rule never holds at " + e.Target.String() + ": " + c.Text + "."}
				if c.Reason == policies.PortNeverMatches {
					f.Remedy = "Correct the port: it is the Service's, not the pods'."
				}
				if c.Reason == policies.SNINeverMatches {
					f.Remedy = "Let it name the Service's own host alone."
					f.Fixes = nameOwnHost(p, e)
				}
				p.Report(f)
			}
		}
	},
})

// nameOwnHost offers to give a TLSRoute with one parent and one hostname the hostname that holds.
func nameOwnHost(p *policies.Pass, e policies.Effect) []policies.Fix {
	r, ok := p.Object.Spec.(*mesh.Route)
	svc := targetOf(p, e.Target)
	if !ok || svc == nil || len(r.ParentRefs) != 1 || len(r.Hostnames) > 1 {
		return nil
	}
	gw := waypointOf(p, e.Target)
	tls := slices.ContainsFunc(p.Ports(svc), func(port mesh.Port) bool { return port.Protocol != mesh.HTTP && port.Protocol != mesh.UDP })
	if gw == nil || !tls || !safeAt(p, p.Object, gw) || len(p.RoutesFrom(svc)) > 1 || len(p.VirtualServicesFor(svc)) > 0 {
		return nil
	}
	host := p.HostsOf(svc)[0]
	op := policies.Op{Op: "add", Path: "/spec/hostnames", Value: []any{host}}
	if len(r.Hostnames) == 1 {
		op = policies.Op{Op: "replace", Path: "/spec/hostnames/0", Value: host}
	}
	return []policies.Fix{{Message: "name " + svc.String() + " by its own host, so that waypoint " + gw.Key() + " applies the route to all its TLS calls", Patch: []policies.Op{op}}}
}
