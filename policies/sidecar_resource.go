package policies

import (
	"fmt"

	"github.com/waywarden/waywarden/policies/mesh"
)

// sidecarResource judges a Sidecar, which nothing but sidecars reads: ztunnel knows its own scope, and
// gateways and waypoints have a fixed one (pilot/pkg/model/sidecar.go DefaultSidecarScopeForGateway).
func sidecarResource(s *mesh.Snapshot, o *mesh.Object) []Effect {
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	var sel *mesh.WorkloadSelector
	field := "metadata.namespace"
	if own := o.Spec.(*mesh.SidecarSpec).WorkloadSelector; own != nil {
		sel, field = &mesh.WorkloadSelector{MatchLabels: own.Labels}, "spec.workloadSelector"
	}
	r := reachOf(s, o, sel)
	var effects []Effect
	if len(r.sidecar) > 0 {
		effects = append(effects, Effect{Target: r.target, EnforcedBy: Sidecar, Verdict: Enforced, Reason: Accepted, Workloads: count(r.sidecar), Message: "the sidecars apply it."})
	}
	switch {
	case len(r.ambient) > 0:
		e := nobody(r.target, NotEnforced, SidecarOnly, field, fmt.Sprintf(
			"this Sidecar has no effect on ambient pods in its scope (%s): only sidecars read the kind. Remove it, or limit it to pods with sidecars.", r.target))
		e.Workloads = count(r.ambient)
		effects = append(effects, e)
	case len(effects) > 0:
	case len(r.unknown) > 0 || r.missing != "":
		missing := r.missing
		if missing == "" {
			missing = "Namespace " + r.unknown[0].Namespace
		}
		e := nobody(r.target, Unknown, NotInInput, field, fmt.Sprintf("it cannot be judged: %s is not in the input. Add it, or use --live or --assume-ambient.", missing))
		e.WaitsFor = waitFor(missing)
		effects = append(effects, e)
	default:
		effects = append(effects, nobody(r.target, NotEnforced, NotEnrolled, field, "this Sidecar has no effect: no pod in its scope has a sidecar. Remove it, or correct spec.workloadSelector."))
	}
	return effects
}
