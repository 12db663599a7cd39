package policies

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Some kinds are carried out by Envoy alone: by sidecars and gateways as ever, by waypoints in ways
// of their own, by ztunnel never.

// The reasons that only these kinds have.
const (
	NeedsTargetRefs     = "NeedsTargetRefs"     // a waypoint applies the kind only by targetRefs
	ContextNeverMatches = "ContextNeverMatches" // an EnvoyFilter's context that the proxy does not have
	PatchNeverApplies   = "PatchNeverApplies"   // an EnvoyFilter's patch of what a waypoint does not patch
	MatchNeverMatches   = "MatchNeverMatches"   // an extension's match that a waypoint never meets
	ClientMode          = "ClientMode"          // a waypoint is always the server's side
	OlderExists         = "OlderExists"         // only the oldest of its scope counts
	NoProxy             = "NoProxy"             // nothing in the scope reads the kind
)

// scopePolicy is a policy without targetRefs of a kind that only Envoy carries out.
type scopePolicy struct {
	what  string // "this WasmPlugin"
	field string // where it says its scope
	// sidecars and gateways are whether it has something to say to them.
	sidecars, gateways bool
	// reason, why and remedy are for the enrolled pods, which get nothing of it.
	reason, why, remedy string
	waits               []Wait
}

// at is the effects at sidecars and gateways.
func (p scopePolicy) at(r reach) []Effect {
	var out []Effect
	if p.sidecars && len(r.sidecar) > 0 {
		out = append(out, Effect{Target: r.target, EnforcedBy: Sidecar, Verdict: Enforced, Reason: Accepted,
			Workloads: count(r.sidecar), Message: "the sidecars apply it as written."})
	}
	if p.gateways && len(r.gateway) > 0 {
		e := Effect{Target: r.target, EnforcedBy: Gateway, Verdict: Enforced, Reason: Accepted,
			Workloads: count(r.gateway), Message: "the gateways apply it as written."}
		if by := onlyGateway(r.gateway); by != nil {
			e.By, e.Message = by, fmt.Sprintf("Gateway %s/%s applies it as written.", by.Namespace, by.Name)
		}
		out = append(out, e)
	}
	return out
}

// onlyGateway is the Gateway of which all workloads are instances; nil where there are several.
func onlyGateway(workloads []*mesh.Workload) *mesh.Ref {
	var ref *mesh.Ref
	for _, w := range workloads {
		name := w.Labels[label.IoK8sNetworkingGatewayGatewayName.Name]
		if name == "" || ref != nil && (ref.Name != name || ref.Namespace != w.Namespace) {
			return nil
		}
		ref = &mesh.Ref{APIVersion: mesh.Gateway.APIVersion(), Kind: mesh.Gateway.String(), Namespace: w.Namespace, Name: name}
	}
	return ref
}

// effects are those at sidecars and gateways, and what becomes of the rest of the scope.
func (p scopePolicy) effects(r reach) []Effect {
	out := p.at(r)
	if p.sidecars && len(r.ambient) > 0 {
		return append(out, p.unenforced(r))
	}
	if len(out) == 0 {
		out = append(out, p.nothing(r))
	}
	return out
}

// unenforced is what becomes of the enrolled pods.
func (p scopePolicy) unenforced(r reach) Effect {
	e := nobody(r.target, NotEnforced, p.reason, p.field, fmt.Sprintf("%s has no effect on the enrolled pods: %s. %s", p.what, p.why, p.remedy))
	e.Workloads, e.WaitsFor = count(r.ambient), p.waits
	e.Causes[0].Text = p.why
	return e
}

// nothing is the effect where nothing in the scope would carry the policy out, enrolled or not.
func (p scopePolicy) nothing(r reach) Effect {
	missing := r.missing
	if missing == "" && len(r.unknown) > 0 {
		missing = "Namespace " + r.unknown[0].Namespace
	}
	switch {
	case missing != "":
		e := nobody(r.target, Unknown, NotInInput, p.field, fmt.Sprintf(
			"it cannot be judged: %s is not in the input, so nobody can tell what captures the pods. Add it, or use --live or --assume-ambient.", missing))
		e.WaitsFor = waitFor(missing)
		return e
	case !p.sidecars && r.target.Kind == ScopeMesh && len(r.gateway) == 0:
		return nobody(r.target, Unknown, NotInInput, p.field,
			"it cannot be judged: it is for gateways, and none is in the input. Add their Namespace and workloads, or use --live.")
	case len(r.spared) > 0 && p.gateways:
		return r.sparing(p.what, p.field)
	case len(r.waypoints) > 0 && len(r.outside)+len(r.ambient)+len(r.sidecar)+len(r.gateway) == 0:
		return nobody(r.target, NotEnforced, WaypointPods, p.field, fmt.Sprintf(
			"%s has no effect: it selects only pods of waypoint %s/%s, and a waypoint does not look at selectors. Name the Gateway with targetRefs.",
			p.what, r.waypoints[0].Namespace, r.waypoints[0].Labels[label.IoK8sNetworkingGatewayGatewayName.Name]))
	case len(r.outside) > 0:
		e := nobody(r.target, NotEnforced, NotEnrolled, p.field, fmt.Sprintf(
			"%s has no effect: %s. Remove it, or take the pods into the mesh.", p.what, whyOutside(r.outside)))
		e.Workloads = count(r.outside)
		return e
	}
	return nobody(r.target, NotEnforced, NoWorkloads, p.field, fmt.Sprintf(
		"%s has no effect: no proxy that it is for runs in %s. Correct the selector, or remove it.", p.what, r.target))
}

// waypointPods adds the pods of a waypoint to a reach whose selector is the one label that names its
// Gateway: istiod makes them, so manifests do not show them.
func (r *reach) waypointPods(s *mesh.Snapshot) {
	name := r.target.Labels[label.IoK8sNetworkingGatewayGatewayName.Name]
	if name == "" || len(r.waypoints) > 0 || r.target.Namespace == "" || !ownWaypoint(s, s.Get(mesh.Gateway, r.target.Namespace, name)) {
		return
	}
	r.waypoints, r.missing = append(r.waypoints, s.Imagine(r.target.Namespace, r.target.Labels)), ""
}

// scopeField is where a policy without targetRefs says its scope.
func scopeField(sel *mesh.WorkloadSelector, name string) string {
	if sel != nil {
		return "spec." + name
	}
	return "metadata.namespace"
}

// proxyOf names what applies a policy to a target.
func proxyOf(a *attachment) string {
	switch {
	case a.by == nil:
		return "every waypoint"
	case a.gateway:
		return "Gateway " + a.by.Key()
	}
	return "waypoint " + a.by.Key()
}

// limit turns the effect of a policy that a waypoint gets into what is left of it there.
func (e *Effect) limit(v Verdict, reason, field, consequence, why, remedy string) {
	e.Verdict, e.Reason, e.Field = v, reason, field
	e.Message = fmt.Sprintf("%s: %s. %s", consequence, why, remedy)
	e.Causes = append([]Cause{{Reason: reason, Verdict: v, Field: field, Text: why}}, e.Causes...)
	if v == NotEnforced || v == Unknown {
		e.EnforcedBy = Nobody
	}
}

// ownWaypoint is whether a Gateway is a waypoint that applies Istio's own policies.
func ownWaypoint(s *mesh.Snapshot, gw *mesh.Object) bool {
	if gw == nil || s.Sandwiched(gw) {
		return false
	}
	class := s.ClassOf(gw)
	return class == mesh.ClassWaypoint || class == mesh.ClassRemote
}

// serving is whether anything passes a waypoint.
func serving(s *mesh.Snapshot, gw *mesh.Object) bool {
	return len(s.BoundTo(gw)) > 0 || len(s.WorkloadsBoundTo(gw)) > 0
}

// waypointRef names the waypoint where there is just one.
func waypointRef(waypoints []*mesh.Object) *mesh.Ref {
	if len(waypoints) != 1 {
		return nil
	}
	ref := waypoints[0].Ref()
	return &ref
}

func addOnce(list []*mesh.Object, o *mesh.Object) []*mesh.Object {
	if slices.Contains(list, o) {
		return list
	}
	return append(list, o)
}
