package policies

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// authzTargets judges an AuthorizationPolicy with targetRefs, one effect a target.
func authzTargets(s *mesh.Snapshot, o *mesh.Object, p *mesh.AuthorizationPolicySpec) []Effect {
	var out []Effect
	for _, a := range attach(s, o, p.Attachment()) {
		e := a.effect("this " + Action(p))
		if a.applied() {
			judgeAuthzAt(s, o, p, a, &e)
		}
		out = mergeTargets(out, e)
	}
	return out
}

// mergeTargets keeps one effect a target where a policy names the same target twice.
func mergeTargets(effects []Effect, e Effect) []Effect {
	for i := range effects {
		if effects[i].Target.compare(e.Target) == 0 && effects[i].EnforcedBy == e.EnforcedBy {
			return effects
		}
	}
	return append(effects, e)
}

// effect is what follows from the attachment alone.
func (a *attachment) effect(what string) Effect {
	e := Effect{Target: a.target, EnforcedBy: Waypoint, Verdict: Enforced, Reason: Accepted, Field: a.field}
	if a.by != nil {
		ref := a.by.Ref()
		e.By = &ref
	}
	if a.gateway {
		e.EnforcedBy = Gateway
	}
	if !a.applied() {
		e.EnforcedBy, e.Verdict, e.Reason, e.WaitsFor = Nobody, a.verdict, a.reason, a.waits
		e.Causes = []Cause{{Reason: cmp.Or(a.cause, a.reason), Verdict: a.verdict, Field: a.field, Text: a.why}}
		consequence := what + " is not enforced"
		if a.verdict == Unknown {
			consequence = "it cannot be judged"
		}
		e.Message = fmt.Sprintf("%s: %s. %s", consequence, a.why, a.remedy)
	}
	return e
}

// judgeAuthzAt judges a policy that a waypoint or gateway applies.
func judgeAuthzAt(s *mesh.Snapshot, o *mesh.Object, p *mesh.AuthorizationPolicySpec, a *attachment, e *Effect) {
	by := "the waypoints"
	if a.by != nil {
		by = "waypoint " + a.by.Key()
		if a.gateway {
			by = "Gateway " + a.by.Key()
		}
	}
	e.Message = asWritten(o, by, a.by == nil)
	if Tries(o) {
		judgeTriedCustom(s, p, a, e)
		return
	}
	if a.gateway {
		judgePrincipals(p, by, e)
		judgeProvider(s, p, nil, e)
		return
	}
	w := authzRulesAt(s, p, a)
	if j := w.judge(p); j.verdict != Enforced || len(j.causes) > 0 {
		e.Verdict, e.Causes = j.verdict, j.causes
		if j.verdict != Enforced && len(j.causes) > 0 {
			e.Reason, e.Field = j.causes[0].Reason, j.causes[0].Field
			e.Message = waypointMessage(Action(p), by, e)
		}
		if j.verdict == NotEnforced {
			e.EnforcedBy, e.By = Nobody, nil
		}
	}
	judgeProvider(s, p, a.services, e)
	if e.EnforcedBy == Waypoint && e.Verdict != PartiallyEnforced && Action(p) != Audit {
		judgeSidecarCallers(s, o, a.services, e)
		judgeBypass(s, a, e)
	}
}

func waypointMessage(action, by string, e *Effect) string {
	consequence := fmt.Sprintf("this %s does less than it says at %s", action, by)
	switch {
	case e.Verdict == NotEnforced:
		consequence = fmt.Sprintf("this %s has no effect at %s, because no rule can match", action, by)
	case e.Verdict == DeniesAll:
		consequence = fmt.Sprintf("this ALLOW admits nobody at %s, so everything that no other ALLOW admits is denied", by)
	case e.Verdict == OverDenies && action == Custom:
		consequence = fmt.Sprintf("this CUSTOM asks its provider about more than it says at %s", by)
	case e.Verdict == OverDenies && action == Deny:
		consequence = fmt.Sprintf("this DENY denies more than it says at %s", by)
	case e.Verdict == OverDenies:
		consequence = fmt.Sprintf("this %s admits less than it says at %s", action, by)
	}
	remedy := "Declare the port's protocol (appProtocol), or limit the rule to HTTP ports."
	switch {
	case e.Reason == SchemeNeverMatches:
		remedy = schemeRemedy
	case e.Reason == PortNeverMatches:
		remedy = "Name the Service's own ports and addresses, which are what a waypoint sees."
	case strings.HasPrefix(e.Field, "spec.provider"):
		remedy = "Declare the port's protocol (appProtocol) if it is HTTP; else use a provider that is asked by gRPC (envoyExtAuthzGrpc)."
	case e.Verdict == NotEnforced && e.Reason == Protocol:
		remedy = "Guard UDP with a NetworkPolicy: nothing else in the mesh sees it."
	}
	return fmt.Sprintf("%s: %s. %s", consequence, firstText(e.Causes, e.Reason), remedy)
}

// chain is one port of one Service at a waypoint.
type chain struct {
	service *mesh.Object
	port    mesh.Port
	ips     []string
}

// chainsOf are the chains that a waypoint builds for Services; UDP has none.
func chainsOf(s *mesh.Snapshot, services []*mesh.Object) []chain {
	var out []chain
	for _, svc := range services {
		if mesh.Headless(svc) || dynamicInside(svc) {
			continue // its placeholder address never matches
		}
		ips := addressesOf(svc)
		for _, p := range s.Ports(svc) {
			if p.Protocol != mesh.UDP {
				out = append(out, chain{svc, p, ips})
			}
		}
	}
	return out
}

func addressesOf(svc *mesh.Object) []string {
	switch b := svc.Spec.(type) {
	case *mesh.ServiceSpec:
		if len(b.ClusterIPs) > 0 {
			return b.ClusterIPs
		}
		if b.ClusterIP != "" {
			return []string{b.ClusterIP}
		}
	case *mesh.ServiceEntrySpec:
		return b.Addresses
	}
	return nil
}
