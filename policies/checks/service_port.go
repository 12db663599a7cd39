package checks

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A rule at a waypoint on a port, or address, that no call there can have. A waypoint sees the
// Service's port and address (ztunnel: outbound.rs sends the authority VIP:servicePort); the pods' are
// what ztunnel sees. A policy that moved from one to the other must translate them.
var _ = policies.Register(policies.Check{
	ID:       "effect/service-port",
	Title:    "A rule at a waypoint on a port that no call has there",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{37},
	Controls: authorization(),
	Doc: `At a waypoint, ports are the Service's ports and destination.ip is the Service's address. A rule on
the pods' port or address never matches there: a DENY denies nothing, an ALLOW admits nobody.`,
	Remedy: "Name the Service's port.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		if len(spec.Attachment().Refs()) == 0 {
			return
		}
		for _, e := range p.Effects(p.Object) {
			c := causeOf(e, policies.PortNeverMatches)
			if c.Reason != policies.PortNeverMatches || c.Verdict == policies.Enforced {
				continue
			}
			f := policies.Finding{
				Verdict: e.Verdict, Field: c.Field, Fixes: translatePorts(p, spec),
				Message: fmt.Sprintf("%s at %s: %s.", portConsequence(policies.Action(spec), c.Verdict), e.Target, c.Text),
			}
			if strings.Contains(c.Text, "address") {
				f.Remedy = "Name the Service's address."
			}
			p.Report(f)
		}
	},
})

func portConsequence(action string, v policies.Verdict) string {
	switch {
	case v == policies.NotEnforced:
		return "this " + action + " never matches anything"
	case v == policies.DeniesAll:
		return "this ALLOW admits nobody"
	case action == policies.Allow:
		return "this ALLOW admits less than it says"
	}
	return "this " + action + " does less than it says"
}

// translatePorts offers the Service's ports for the pods' ports that a rule names, where each leads
// to exactly one at every target. Never for an ALLOW: it would admit what it does not admit now.
func translatePorts(p *policies.Pass, spec *mesh.AuthorizationPolicySpec) []policies.Fix {
	if policies.Action(spec) == policies.Allow {
		return nil
	}
	var ops []policies.Op
	for i := range spec.Rules {
		for j := range spec.Rules[i].To {
			for k, port := range spec.Rules[i].To[j].Operation.Ports {
				number, ok := servicePort(p, spec, port)
				if !ok {
					return nil
				}
				if number != port {
					path := policies.Pointer("spec", "rules", strconv.Itoa(i), "to", strconv.Itoa(j), "operation", "ports", strconv.Itoa(k))
					ops = append(ops, policies.Op{Op: "replace", Path: path, Value: number})
				}
			}
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return []policies.Fix{{Message: "name the Service's ports; from then on calls to them meet the rule, which none does now", Patch: ops}}
}

// servicePort is the Service's port behind a pods' port at every target; the port itself where it
// is the Service's already.
func servicePort(p *policies.Pass, spec *mesh.AuthorizationPolicySpec, port string) (string, bool) {
	found := ""
	for _, ref := range spec.Attachment().Refs() {
		svc := p.Get(mesh.Service, p.Object.Namespace, ref.Name)
		if ref.Kind != "Service" || svc == nil {
			return "", false
		}
		here := ""
		for _, sp := range p.Ports(svc) {
			number := strconv.Itoa(int(sp.Number))
			if number == port {
				here = number
				break
			}
			if strconv.Itoa(int(sp.Target.Int)) == port {
				if here != "" {
					return "", false
				}
				here = number
			}
		}
		if here == "" || found != "" && here != found {
			return "", false
		}
		found = here
	}
	return found, found != ""
}
