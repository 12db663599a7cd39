package checks

import (
	"strconv"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A rule without targetRefs on a port, or address, that no connection to the pods has. ztunnel stands before
// the pods and sees their ports and addresses; the Service's are what a waypoint sees. Only a port that
// Services lead elsewhere, and that the pods do not show to use themselves, is taken for impossible.
var _ = policies.Register(policies.Check{
	ID:       "effect/pod-port",
	Title:    "A rule at ztunnel on a port that no connection has there",
	Severity: policies.Critical,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{37},
	Controls: authorization(),
	Doc: `At ztunnel, ports are the ports on which the pods listen and destination.ip is the pod's address. A rule on the Service's port or
address never matches there: a DENY denies nothing, an ALLOW admits nobody, and notPorts leaves nothing out.`,
	Remedy: "Name the ports on which the pods listen.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		if len(spec.Attachment().Refs()) > 0 {
			return
		}
		for _, e := range p.Effects(p.Object) {
			if atPods(e) && e.Reason == policies.PortNeverMatches && e.Verdict != policies.Enforced {
				tell(p, e, addPodPorts(p, spec)...)
			}
		}
	},
})

// addPodPorts offers the pods' ports beside the Service's ports that a DENY names. Never for an ALLOW: it
// would admit what it does not admit now.
func addPodPorts(p *policies.Pass, spec *mesh.AuthorizationPolicySpec) []policies.Fix {
	if policies.Action(spec) != policies.Deny {
		return nil
	}
	var labels map[string]string
	if spec.Selector != nil {
		labels = spec.Selector.MatchLabels
	}
	var ops []policies.Op
	add := func(list []string, at string) {
		for _, port := range list {
			n, err := strconv.ParseUint(port, 10, 16)
			if leads := policies.LeadsTo(p.Snapshot, application(p.Select(p.Object.Namespace, labels)), int32(n)); err == nil && len(leads) == 1 {
				ops = append(ops, policies.Op{Op: "add", Path: at + "/-", Value: strconv.Itoa(int(leads[0]))})
			}
		}
	}
	for i := range spec.Rules {
		for j := range spec.Rules[i].To {
			add(spec.Rules[i].To[j].Operation.Ports, policies.Pointer("spec", "rules", strconv.Itoa(i), "to", strconv.Itoa(j), "operation", "ports"))
		}
		for j, w := range spec.Rules[i].When {
			if w.Key == "destination.port" {
				add(w.Values, whenPointer(i, j, "values"))
			}
		}
	}
	return rewritten(p, "add the ports on which the pods listen; from then on connections to them are denied as the policy says", ops)
}
