package plan

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// What stands beside a binding, as it is written.

// twinStem is with what the name of each twin begins.
const twinStem = "waywarden-twin"

// twin adds a policy at the waypoint.
func (r *restating) twin(action string, rules []rule, of []*mesh.Object, why string) {
	stem, parts := twinStem+"-", []string{of[0].Name, r.svc.Name}
	switch {
	case len(of) > 1:
		stem, parts = twinStem+"s.", parts[1:]
	case of[0].Namespace != r.svc.Namespace:
		parts = slices.Insert(parts, 0, of[0].Namespace)
	}
	spec := map[string]any{
		"targetRefs": []any{map[string]any{"group": r.svc.Kind.Group(), "kind": r.svc.Kind.String(), "name": r.svc.Name}},
		"action":     action,
	}
	if len(rules) > 0 {
		spec["rules"] = written(rules)
	}
	r.add(Policy{Role: Twin, Of: refs(of), For: []mesh.Ref{refOf(r.svc)}, Why: why}, joined(stem, r.svc.Kind, parts...), spec)
}

func (r *restating) add(p Policy, name string, spec map[string]any) {
	p.Waypoint = refOf(r.gateway)
	metadata := map[string]any{"name": name, "namespace": r.svc.Namespace}
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

// joined is a name for what is about several objects, the last of a kind, that what is about any others has not. Dots are between their
// names. Where one of those has a dot itself, or a Service may have the name of the last too, it ends in a hash of them all.
func joined(stem string, kind mesh.Kind, names ...string) string {
	name := stem + strings.Join(names, ".")
	if kind == mesh.ServiceEntry || slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, ".") }) {
		h := fnv.New32a()
		h.Write([]byte(kind.String() + "/" + strings.Join(names, "/")))
		suffix := fmt.Sprintf(".hash.%08x", h.Sum32())
		return short(name, maxName-len(suffix)) + suffix
	}
	return short(name, maxName)
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
	parts := []string{r.gateway.Name, r.svc.Name}
	if r.gateway.Namespace != r.svc.Namespace { // where one of its own may have the same name
		parts = slices.Insert(parts, 0, r.gateway.Namespace)
	}
	name := joined("waywarden-admit-", r.svc.Kind, parts...)
	r.add(Policy{Role: Admission, Of: refs(allows), For: []mesh.Ref{refOf(r.svc)}, Why: "an ALLOW is over the pods, and keeps the waypoint out"}, name, map[string]any{
		"selector": map[string]any{"matchLabels": anyMap(labels)}, "action": policies.Allow,
		"rules": []any{map[string]any{"from": []any{map[string]any{"source": map[string]any{"principals": anyList([]string{r.id.principal})}}}}}})
	return true
}
