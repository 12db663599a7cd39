package checks

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A path round the waypoint of a Service whose policies the waypoint enforces. Nothing at the pods
// makes calls pass a waypoint; ingress gateways go round it unless they are told otherwise
// (xds/endpoints/endpoint_builder.go findServiceWaypoint), and a waypoint never sends through another.
// Only paths that stored objects show and that ztunnel leaves open are told.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/waypoint-bypass",
	Title:    "A path round a waypoint that enforces policies",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.Service, mesh.ServiceEntry},
	Cases:    []int{22, 75, 77, 141},
	Controls: evidenceFor(authorization(), segmentation()),
	Doc: `A waypoint enforces only what passes through it. A route from an ingress gateway to a Service without label
istio.io/ingress-use-waypoint=true, a Service of type NodePort or LoadBalancer, a route that another waypoint carries out, and
a caller with a sidecar reach the pods without it, and its policies judge nothing of that.`,
	Remedy: "Send the calls through the waypoint, or close the path at the pods with a policy that ztunnel enforces.",
	Run: func(p *policies.Pass) {
		enforced := slices.DeleteFunc(policies.OnChain(p.Snapshot, mesh.AuthorizationPolicy, p.Object), func(o *mesh.Object) bool {
			return !slices.ContainsFunc(p.Effects(o), func(e policies.Effect) bool { return e.Verdict == policies.Bypassable })
		})
		if len(enforced) == 0 {
			return
		}
		for _, b := range policies.Bypasses(p.Snapshot, p.Object) {
			if b.Reason == policies.SidecarBypass && slices.Contains(enforced, b.Via) {
				continue // told of that policy: effect/sidecar-callers
			}
			f := policies.Finding{
				Verdict: policies.Bypassable, Field: bypassField(b), Related: append([]mesh.Ref{b.Via.Ref()}, refsOf(enforced)...), Remedy: b.Remedy,
				Message: fmt.Sprintf("calls get round %s: %s.", enumerate(enforced), b.Text),
			}
			f.WaitsFor = another(mesh.AuthorizationPolicy, p.Object.Namespace) // a guard at the pods
			if b.Reason == policies.IngressBypass {
				f.Fixes = throughWaypoint(p, enforced)
				f.Remedy += admitGateway(p)
			}
			p.Report(f)
		}
	},
})

// admitGateway adds to the remedy what would else take ingress out: an ALLOW at the waypoint judges the
// gateway from then on.
func admitGateway(p *policies.Pass) string {
	for _, o := range policies.OnChain(p.Snapshot, mesh.AuthorizationPolicy, p.Object) {
		if policies.AsksWho(o) && policies.Action(o.Spec.(*mesh.AuthorizationPolicySpec)) == policies.Allow {
			return fmt.Sprintf(" Then the gateway is one of the callers that %s judges: let it in there.", short(o))
		}
	}
	return ""
}

func bypassField(b policies.Bypass) string {
	switch b.Reason {
	case policies.ExposedBypass:
		return "spec.type"
	case policies.IngressBypass:
		return "metadata.labels"
	}
	return "metadata.name"
}

// throughWaypoint offers the label that sends ingress through the waypoint, where that takes nobody
// out: no ALLOW at the waypoint asks who calls, and at the pods nobody asks either.
func throughWaypoint(p *policies.Pass, enforced []*mesh.Object) []policies.Fix {
	for _, o := range policies.OnChain(p.Snapshot, mesh.AuthorizationPolicy, p.Object) {
		if policies.AsksWho(o) && policies.Action(o.Spec.(*mesh.AuthorizationPolicySpec)) == policies.Allow {
			return nil
		}
	}
	behind, _ := p.Backends(p.Object)
	for _, w := range behind {
		if slices.ContainsFunc(slices.Concat(policies.AllowsAt(p.Snapshot, w), policies.DeniesAt(p.Snapshot, w)), policies.AsksWho) {
			return nil
		}
	}
	key := label.IoIstioIngressUseWaypoint.Name
	if mesh.Headless(p.Object) || !p.Settings().Flag("ENABLE_INGRESS_WAYPOINT_ROUTING", true) {
		return nil
	}
	return []policies.Fix{{
		Message: fmt.Sprintf("send what comes from ingress gateways through the waypoint; from then on %s judges it", enumerate(enforced)),
		Patch:   labelOps(p.Object, key, "true"),
	}}
}
