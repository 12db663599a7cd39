package policies

import (
	"fmt"
	"strings"

	"istio.io/api/annotation"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// authorizationPolicy judges an AuthorizationPolicy: by its targetRefs at waypoints and gateways,
// else by its scope at ztunnel, sidecars and gateways (docs/semantics.md).
func authorizationPolicy(s *mesh.Snapshot, o *mesh.Object) []Effect {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	if refs := p.Attachment().Refs(); len(refs) > 0 {
		return authzTargets(s, o, p)
	}
	r := reachOf(s, o, p.Selector)
	var effects []Effect
	if len(r.sidecar) > 0 {
		effects = withEffect(effects, authzAtEnvoy(s, o, r, Sidecar, r.sidecar))
	}
	if len(r.gateway) > 0 {
		effects = withEffect(effects, authzAtEnvoy(s, o, r, Gateway, r.gateway))
	}
	if len(r.ambient) > 0 {
		effects = withEffect(effects, authzAtZtunnel(s, o, p, r))
	}
	if e, ok := authzElsewhere(s, o, p, r, len(effects)); ok {
		effects = mergeNobody(effects, e)
	}
	return effects
}

// withEffect adds one more effect of a scope.
func withEffect(effects []Effect, e Effect) []Effect {
	if e.EnforcedBy == Nobody {
		return mergeNobody(effects, e)
	}
	return append(effects, e)
}

// mergeNobody keeps at most one effect that nobody carries out: the one that is there, with the
// workloads of both.
func mergeNobody(effects []Effect, e Effect) []Effect {
	for i := range effects {
		if effects[i].EnforcedBy == Nobody {
			effects[i].Workloads += e.Workloads
			effects[i].Causes = append(effects[i].Causes, e.Causes...)
			return effects
		}
	}
	return append(effects, e)
}

// unseen is the effect of a policy that istiod never looks at, whatever it says.
func unseen(s *mesh.Snapshot, o *mesh.Object) (Effect, bool) {
	target := Target{Kind: ScopeNamespace, Name: o.Namespace}
	if s.OtherRevision(o) {
		return nobody(target, NotEnforced, OtherRevision, "metadata.labels["+label.IoIstioRev.Name+"]",
			fmt.Sprintf("this %s has no effect: its label %s=%s names a revision that no istiod in the input has. Remove the label, or name the revision of the ambient istiod (a revision tag does not count).", o.Kind, label.IoIstioRev.Name, o.Labels[label.IoIstioRev.Name])), true
	}
	if sel := s.Settings().DiscoverySelectors; len(sel) > 0 && s.Known(o.Namespace) {
		labels := s.NamespaceLabels(o.Namespace)
		for i := range sel {
			if sel[i].Matches(labels) {
				return Effect{}, false
			}
		}
		return nobody(target, NotEnforced, NotDiscovered, "metadata.namespace",
			fmt.Sprintf("this %s has no effect: the mesh's discoverySelectors leave Namespace %s out, so istiod never sees it. Label the Namespace so that a discoverySelector matches it.", o.Kind, o.Namespace)), true
	}
	return Effect{}, false
}

// nobody is an effect that nobody carries out.
func nobody(t Target, v Verdict, reason, field, message string) Effect {
	return Effect{Target: t, EnforcedBy: Nobody, Verdict: v, Reason: reason, Field: field, Message: message,
		Causes: []Cause{{Reason: reason, Verdict: v, Field: field}}}
}

// notThere is the effect of a policy whose target is not in the input: gone, where its namespace is whole.
func notThere(s *mesh.Snapshot, target mesh.Ref, gone Effect) Effect {
	e := gone
	if !s.Known(target.Namespace) {
		e = nobody(gone.Target, Unknown, NotInInput, gone.Field, fmt.Sprintf("it cannot be judged: %s is not in the input. Add it, or use --live.", target))
	}
	e.WaitsFor = []Wait{{Object: &target}}
	return e
}

// authzAtEnvoy is a policy at sidecars or gateways, which compare everything.
func authzAtEnvoy(s *mesh.Snapshot, o *mesh.Object, r reach, by EnforcedBy, workloads []*mesh.Workload) Effect {
	e := Effect{Target: r.target, EnforcedBy: by, Verdict: Enforced, Reason: Accepted, Workloads: count(workloads)}
	e.Message = asWritten(o, "the sidecars", true)
	if by == Gateway {
		e.Message = asWritten(o, "the gateway", false)
		if name := workloads[0].Labels[label.IoK8sNetworkingGatewayGatewayName.Name]; name != "" {
			e.By = &mesh.Ref{APIVersion: mesh.Gateway.APIVersion(), Kind: "Gateway", Namespace: workloads[0].Namespace, Name: name}
		}
	}
	if p := o.Spec.(*mesh.AuthorizationPolicySpec); Tries(o) {
		judgeTriedCustom(s, p, &attachment{gateway: true}, &e)
	} else {
		at := "the sidecars"
		if by == Gateway {
			at = "the gateway"
		}
		judgePrincipals(p, at, &e)
		judgeProvider(s, p, nil, &e)
	}
	return e
}

// authzAtZtunnel is a policy at the ztunnels of the selected, enrolled workloads.
func authzAtZtunnel(s *mesh.Snapshot, o *mesh.Object, p *mesh.AuthorizationPolicySpec, r reach) Effect {
	if e, ok := undelivered(s, o, p, r); ok {
		return e
	}
	if Tries(o) {
		return Effect{Target: r.target, EnforcedBy: Ztunnel, Verdict: Enforced, Reason: Accepted, Workloads: count(r.ambient), Message: asWritten(o, "ztunnel", false)}
	}
	action := Action(p)
	fates := ztunnelRules{snapshot: s, object: o, action: action, endpoint: pods{s, r.ambient}}.fates(p)
	j, who := weigh(action, fates, unconditional(p)), identity(s, o, r.ambient, fates)
	if who.verdict.Worse(j.verdict) {
		j.verdict, j.causes = who.verdict, append(who.causes, j.causes...)
	} else {
		j.causes = append(j.causes, who.causes...)
	}
	e := Effect{Target: r.target, EnforcedBy: Ztunnel, Verdict: j.verdict, Reason: Accepted, Workloads: count(r.ambient), Causes: j.causes}
	if len(j.causes) > 0 {
		e.Reason, e.Field = j.causes[0].Reason, j.causes[0].Field
	}
	if e.Verdict == NotEnforced {
		e.EnforcedBy = Nobody
	}
	e.Message = ztunnelMessage(s, o, &e)
	return e
}

// undelivered is the effect of a policy of which ztunnels get nothing, or get it and attach it to nothing.
func undelivered(s *mesh.Snapshot, o *mesh.Object, p *mesh.AuthorizationPolicySpec, r reach) (Effect, bool) {
	action := Action(p)
	switch {
	case p.Selector != nil && p.Selector.MatchLabels == nil:
		return nobodyAt(r, EmptySelector, "spec.selector",
			"this "+action+" has no effect in ambient mode: `selector: {}` attaches it to nothing at ztunnel, though istiod reports it as accepted. Remove spec.selector if the whole namespace is meant."), true
	case DryRun(s, o):
		return nobodyAt(r, UnsupportedValue, "metadata.annotations["+annotation.IoIstioDryRun.Name+"]",
			"this "+action+" is not even tried: ztunnel does not support dry runs unless istiod has AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY. Bind it to a Service with targetRefs to try it at a waypoint."), true
	case action != Allow && action != Deny:
		return nobodyAt(r, UnsupportedValue, "spec.action",
			fmt.Sprintf("this %s has no effect: ztunnel does not support the action. Bind the policy to its Services with targetRefs, so that their waypoint carries it out.", action)), true
	}
	return Effect{}, false
}

func nobodyAt(r reach, reason, field, message string) Effect {
	e := nobody(r.target, NotEnforced, reason, field, message)
	e.Workloads = count(r.ambient)
	return e
}

// authzElsewhere is what becomes of the part of the scope that nothing captures, or of a scope
// that holds nothing. enforced is how many effects the rest of the scope has.
func authzElsewhere(s *mesh.Snapshot, o *mesh.Object, p *mesh.AuthorizationPolicySpec, r reach, enforced int) (Effect, bool) {
	what, field := "this "+Action(p), attachmentField(p)
	switch {
	case enforced == 0 && (len(r.unknown) > 0 || r.missing != ""):
		missing := r.missing
		if missing == "" {
			missing = "Namespace " + r.unknown[0].Namespace
		}
		e := nobody(r.target, Unknown, NotInInput, field, fmt.Sprintf(
			"it cannot be judged: %s is not in the input, so nobody can tell what captures the pods. Add it, or use --live or --assume-ambient.", missing))
		e.WaitsFor = waitFor(missing)
		return e, true
	case len(r.outside) > 0:
		e := nobody(r.target, NotEnforced, NotEnrolled, field, fmt.Sprintf("%s guards nothing there: %s. %s", what, whyOutside(r.outside), howToEnrol(s, r.outside)))
		e.Workloads = count(r.outside)
		if a := Convert(s, o); a != nil && len(L7Attributes(p)) == 0 {
			e.WaitsFor = enrolWait(s, r.outside)
		}
		return e, true
	case enforced > 0:
		return Effect{}, false
	case len(r.spared) > 0:
		return r.sparing(what, field), true
	case len(r.waypoints) > 0:
		gw := r.waypoints[0].Namespace + "/" + r.waypoints[0].Labels[label.IoK8sNetworkingGatewayGatewayName.Name]
		about := "it selects only pods of waypoint " + gw
		if r.target.Kind != ScopeSelector {
			about = "nothing but waypoint " + gw + " runs in " + r.target.String()
		}
		return nobody(r.target, NotEnforced, WaypointPods, field, fmt.Sprintf(
			"%s has no effect: %s, and neither ztunnel captures a waypoint nor does a waypoint apply a policy without targetRefs. Name the Gateway with targetRefs.", what, about)), true
	}
	return noWorkloads(r, what, field), true
}

// waitFor turns "Namespace shop" into the object that is missing.
func waitFor(missing string) []Wait {
	kind, name, ok := strings.Cut(missing, " ")
	if !ok || strings.Contains(name, " ") {
		return nil
	}
	ref := mesh.Ref{Kind: kind, Name: name}
	if ns, n, ok := strings.Cut(name, "/"); ok {
		ref.Namespace, ref.Name = ns, n
	}
	return []Wait{{Object: &ref}}
}

func attachmentField(p *mesh.AuthorizationPolicySpec) string {
	if p.Selector != nil {
		return "spec.selector"
	}
	return "metadata.namespace"
}
