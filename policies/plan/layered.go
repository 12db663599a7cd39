package plan

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// layeredFlag has istiod apply policies without targetRefs at a waypoint's own port, 15008, as if it were a workload: those that are over
// its pods, of its namespace or of all. ztunnel sees the waypoint as ever, and what selects the pods of a Service is not among them
// (listener_waypoint.go, plugin/authz/authorization.go NewWaypointTerminationBuilder), so all has to be said that has to be otherwise.
const layeredFlag = "ENABLE_LAYERED_WAYPOINT_AUTHORIZATION_POLICIES"

// layered stops where such a policy would deny there what it does not deny at the pods, or what it does not mean at all.
func (r *restating) layered() {
	if !r.after.Settings().Flag(layeredFlag, false) {
		return
	}
	over := slices.Concat(r.attached(policies.DeniesAt), r.attached(policies.AllowsAt))
	for _, ns := range sorted([]string{r.gateway.Namespace, r.after.RootNamespace()}) {
		for _, o := range r.after.List(mesh.AuthorizationPolicy, ns) {
			spec := o.Spec.(*mesh.AuthorizationPolicySpec)
			if action := policies.Action(spec); spec.Selector != nil || len(spec.Attachment().Refs()) > 0 || policies.Tries(o) || action != policies.Allow && action != policies.Deny {
				continue
			}
			other := slices.ContainsFunc(rulesOf(o), func(x rule) bool { return x.asksPort() || x.asksWhere() })
			if other || len(policies.L7Attributes(spec)) > 0 || !slices.Contains(over, o) {
				r.stop(o, "%s would be applied to calls to %s at port 15008 of the waypoint too, as %s is set, and means something else there. Let it ask nothing but who calls, and be over those pods.", o, r.svc, layeredFlag)
			}
		}
	}
}
