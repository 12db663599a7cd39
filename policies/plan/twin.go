package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// What stands beside a binding, as it is written.

// twin adds a policy at the waypoint.
func (r *restating) twin(action string, rules []rule, of []*mesh.Object, why string) {
	name := of[0].Name
	switch {
	case len(of) > 1:
		name = "allows"
	case of[0].Namespace != r.svc.Namespace:
		name = of[0].Namespace + "." + of[0].Name
	}
	spec := map[string]any{
		"targetRefs": []any{map[string]any{"group": r.svc.Kind.Group(), "kind": r.svc.Kind.String(), "name": r.svc.Name}},
		"action":     action,
	}
	if len(rules) > 0 {
		spec["rules"] = written(rules)
	}
	r.add(Policy{Role: Twin, Of: refs(of), For: []mesh.Ref{refOf(r.svc)}, Why: why}, "waywarden-twin-"+name+"-"+r.svc.Name, spec)
}

func (r *restating) add(p Policy, name string, spec map[string]any) {
	p.Waypoint = refOf(r.gateway)
	metadata := map[string]any{"name": short(name, maxName), "namespace": r.svc.Namespace}
	var of []string
	for _, o := range p.Of {
		of = append(of, o.Namespace+"/"+o.Name)
	}
	annotations := map[string]string{RoleAnnotation: string(p.Role), WaypointAnnotation: r.gateway.Key(), ForAnnotation: r.svc.Key()}
	if len(of) > 0 {
		annotations[OfAnnotation] = strings.Join(of, ",")
	}
	r.sign(metadata, annotations)
	p.Manifest = map[string]any{"apiVersion": mesh.AuthorizationPolicy.APIVersion(), "kind": mesh.AuthorizationPolicy.String(), "metadata": metadata, "spec": spec}
	r.policies = append(r.policies, p)
}

func refs(objects []*mesh.Object) []mesh.Ref {
	var out []mesh.Ref
	for _, o := range objects {
		out = append(out, refOf(o))
	}
	return out
}

// admitWaypoint lets the waypoint in at ztunnel, only where an ALLOW is: alone ours would shut everybody else out. So it selects no
// pod that none of them does. It is false where that cannot be done.
func (r *restating) admitWaypoint(allows []*mesh.Object, admitting []rule) bool {
	if r.after.Settings().Flag("PILOT_AUTO_ALLOW_WAYPOINT_POLICY", false) || slices.ContainsFunc(admitting, func(x rule) bool { return x.of(r.id) == always }) {
		return true
	}
	spec, ok := r.svc.Spec.(*mesh.ServiceSpec)
	if !ok || len(spec.Selector) == 0 {
		r.stop(allows[0], "%s would shut the waypoint out, and %s has no selector by which to let it in. Let %s in.", allows[0], r.svc, r.id.principal)
		return false
	}
	labels := maps.Clone(spec.Selector)
	if sel := allows[0].Spec.(*mesh.AuthorizationPolicySpec).Selector; sel != nil {
		maps.Copy(labels, sel.MatchLabels)
	}
	from := r.gateway.Name
	if r.gateway.Namespace != r.svc.Namespace { // where one of its own may have the same name
		from = r.gateway.Namespace + "." + from
	}
	name := short("waywarden-admit-"+from+"-"+r.svc.Name, maxName)
	r.add(Policy{Role: Admission, Of: refs(allows), For: []mesh.Ref{refOf(r.svc)}, Why: "an ALLOW is over the pods, and keeps the waypoint out"}, name, map[string]any{
		"selector": map[string]any{"matchLabels": anyMap(labels)}, "action": policies.Allow,
		"rules": []any{map[string]any{"from": []any{map[string]any{"source": map[string]any{"principals": anyList([]string{r.id.principal})}}}}}})
	return true
}
