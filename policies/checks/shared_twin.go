package checks

import (
	"fmt"
	"maps"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// twin prints what it takes to have a policy enforced whole where part of it needs the waypoint: the
// same rules, bound to the Services over the pods; for an ALLOW also the policy itself, with what
// ztunnel can enforce of it and with the waypoint admitted. It is never a patch: an ALLOW opens what is
// closed now, and that is for a person to decide.
func twin(p *policies.Pass) []policies.Fix {
	spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
	if p.Object.Namespace == p.RootNamespace() || slices.ContainsFunc(spec.Rules, func(r mesh.Rule) bool { return namesPorts(&r) }) {
		return nil
	}
	var labels map[string]string
	if spec.Selector != nil {
		labels = spec.Selector.MatchLabels
	}
	services := servicesOver(p, application(p.Select(p.Object.Namespace, labels)))
	if len(services) == 0 || len(services) > maxTargetRefs {
		return nil
	}
	bound := specOf(p.Object)
	if rules, ok := bound["rules"]; ok {
		bound["rules"] = plainly(rules)
	}
	delete(bound, "selector")
	bound["targetRefs"] = refsTo(services)
	second := policy(p.Object, p.Object.Name+"-waypoint", bound)
	if policies.Action(spec) != policies.Allow {
		return []policies.Fix{{Message: fmt.Sprintf("repeat the policy for %s, whose waypoint sees who calls and what", enumerate(services)), Apply: []map[string]any{second}}}
	}
	return []policies.Fix{{
		Message: fmt.Sprintf("part the policy: at ztunnel what it can compare, with the waypoint admitted, and all of it at the waypoint of %s. What the waypoint admits gets in from then on", enumerate(services)),
		Apply:   []map[string]any{policy(p.Object, p.Object.Name, admittingWaypoints(p, spec, services)), second},
	}}
}

// admittingWaypoints is the spec of an ALLOW with the rules that ztunnel can compare, and the waypoints let in.
func admittingWaypoints(p *policies.Pass, spec *mesh.AuthorizationPolicySpec, services []*mesh.Object) map[string]any {
	out := specOf(p.Object)
	var rules, principals []any
	if all, ok := out["rules"].([]any); ok {
		for i := range spec.Rules {
			if i < len(all) && !needsWaypoint(&spec.Rules[i]) {
				rules = append(rules, all[i])
			}
		}
	}
	for _, svc := range services {
		if id := p.Identity(p.Binding(svc).Gateway); !slices.Contains(principals, any(id)) {
			principals = append(principals, id)
		}
	}
	out["rules"] = append(rules, map[string]any{"from": []any{map[string]any{"source": map[string]any{"principals": principals}}}})
	return out
}

// plainly is what rules say, with principals as a waypoint compares them: without spiffe://. It is a copy.
func plainly(rules any) any {
	switch v := rules.(type) {
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = plainly(out[i])
		}
		return out
	case map[string]any:
		out := maps.Clone(v)
		for k, of := range out {
			list, _ := of.([]any)
			principals := k == "principals" || k == "notPrincipals" || v["key"] == "source.principal" && (k == "values" || k == "notValues")
			if out[k] = plainly(of); !principals {
				continue
			}
			plain := slices.Clone(list)
			for i := range plain {
				if text, ok := plain[i].(string); ok {
					plain[i] = policies.PlainPrincipal(text)
				}
			}
			out[k] = plain
		}
		return out
	}
	return rules
}

// specOf is a shallow copy of an object's spec.
func specOf(o *mesh.Object) map[string]any {
	out := map[string]any{}
	spec, _ := o.Content()["spec"].(map[string]any)
	for k, v := range spec {
		out[k] = v
	}
	return out
}

func policy(like *mesh.Object, name string, spec map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": mesh.AuthorizationPolicy.APIVersion(), "kind": mesh.AuthorizationPolicy.String(),
		"metadata": map[string]any{"namespace": like.Namespace, "name": name}, "spec": spec,
	}
}
