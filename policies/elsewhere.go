package policies

import (
	"fmt"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// elsewhere is what becomes of the part of a policy's scope that nothing in the mesh captures, or
// of a scope that holds nothing. enforced is how many effects the rest of the scope has.
func elsewhere(s *mesh.Snapshot, r reach, what, field string, enforced int) (Effect, bool) {
	if gap := gaps(s, r, enforced); len(gap) > 0 {
		consequence := what + " has no effect"
		if enforced > 0 {
			consequence = what + " does not hold for all of its pods"
		}
		e := nobody(r.target, NotEnforced, NotEnrolled, field, fmt.Sprintf(
			"%s: %s. Enrol them (label %s=ambient on the Namespace), or leave them out of the policy.", consequence, whyOutside(gap), label.IoIstioDataplaneMode.Name))
		e.Workloads, e.WaitsFor = count(gap), enrolWait(s, gap)
		return e, true
	}
	if enforced > 0 {
		return Effect{}, false
	}
	missing := r.missing
	switch {
	case missing != "":
	case len(r.unknown) > 0:
		missing = "Namespace " + r.unknown[0].Namespace
	case r.target.Kind == ScopeMesh:
		missing = "what it is about" // a mesh of nothing but its own installation
	}
	switch {
	case missing != "":
		e := nobody(r.target, Unknown, NotInInput, field, fmt.Sprintf(
			"it cannot be judged: %s is not in the input, so nobody can tell what captures the pods. Add it, or use --live or --assume-ambient.", missing))
		e.WaitsFor = waitFor(missing)
		return e, true
	case len(r.spared) > 0:
		return r.sparing(what, field), true
	case len(r.waypoints) > 0:
		return nobody(r.target, NotEnforced, WaypointPods, field, fmt.Sprintf(
			"%s has no effect: it selects only pods of waypoint %s/%s, which ztunnel does not capture and which ignores what has no targetRefs. Select the pods behind the waypoint.",
			what, r.waypoints[0].Namespace, r.waypoints[0].Labels[label.IoK8sNetworkingGatewayGatewayName.Name])), true
	case len(r.gateway) > 0:
		return nobody(r.target, NotEnforced, GatewayPods, field, fmt.Sprintf(
			"%s has no effect: it selects only pods of gateways, which take their TLS settings from their Gateway. Set spec.listeners[].tls or spec.servers[].tls there.", what)), true
	}
	return noWorkloads(r, what, field), true
}

// noWorkloads is the effect of a policy whose scope holds nothing.
func noWorkloads(r reach, what, field string) Effect {
	cause := "nothing runs in " + r.target.String()
	if r.target.Kind == ScopeSelector {
		cause = "there are no " + r.target.String()
	}
	e := nobody(r.target, NotEnforced, NoWorkloads, field, fmt.Sprintf("%s has no effect: %s. Correct the selector, or remove the policy.", what, cause))
	e.WaitsFor = []Wait{{Object: &mesh.Ref{APIVersion: "v1", Kind: "Pod", Namespace: r.target.Namespace}, Labels: r.target.Labels}}
	return e
}

// gaps are the workloads outside the mesh that the policy's author can mean. A policy for the whole mesh
// is not about the installation itself, nor, where it holds somewhere, about namespaces that nobody
// has enrolled.
func gaps(s *mesh.Snapshot, r reach, enforced int) []*mesh.Workload {
	if r.target.Kind != ScopeMesh {
		return r.outside
	}
	var out []*mesh.Workload
	for _, w := range r.outside {
		enrolled := s.NamespaceLabels(w.Namespace)[label.IoIstioDataplaneMode.Name] == "ambient"
		if w.Namespace != s.RootNamespace() && (enrolled || enforced == 0) {
			out = append(out, w)
		}
	}
	return out
}
