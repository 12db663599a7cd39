package policies

import (
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// rest enters what a finding rests on: the namespaces that it is about, and what it only waits for.
func (p *Pass) rest(f *Finding) {
	effects := p.effectsBehind(f)
	if f.WaitsFor == nil && f.Verdict != "" {
		f.WaitsFor = waits(effects)
	}
	if len(f.WaitsFor) == 0 && f.Verdict == Pending { // the waypoint is there, and only has to become ready
		ref := p.Object.Ref()
		if len(effects) > 0 && effects[0].At != nil {
			ref = *effects[0].At
		}
		f.WaitsFor = []Wait{{Object: &ref}}
	}
	if f.Namespaces == nil {
		f.Namespaces = p.changedBy(effects)
	}
}

// effectsBehind are the effects that a finding is about: those with its verdict, and of several those that its field
// and its message name. A finding without a verdict is about the policy as a whole.
func (p *Pass) effectsBehind(f *Finding) []Effect {
	effects := slices.Clone(p.Effects(p.Object))
	for _, narrower := range []func(Effect) bool{
		func(e Effect) bool { return e.Verdict == f.Verdict },
		func(e Effect) bool { return e.Field == f.Field },
		func(e Effect) bool { return strings.Contains(f.Message, e.Target.String()) },
	} {
		if some := slices.DeleteFunc(slices.Clone(effects), func(e Effect) bool { return !narrower(e) }); len(some) > 0 {
			effects = some
		}
	}
	return effects
}

// waits is what effects wait for. Where one of several can be put in force by waiting, the finding waits: to refuse what
// would have come right is worse than to warn about what will not.
func waits(effects []Effect) []Wait {
	var out []Wait
	for _, e := range effects {
		out = append(out, e.WaitsFor...)
	}
	return out
}

// changedBy are the namespaces in which the object changes something, through the effects if it is a policy.
func (p *Pass) changedBy(effects []Effect) []string {
	o := p.Object
	switch {
	case o.Kind == mesh.Namespace:
		return []string{o.Name}
	case o.Kind == mesh.Gateway:
		return p.View.behind(o)
	case len(effects) == 1:
		return p.NamespacesOf(effects[0])
	case len(effects) > 1:
		seen := map[string]bool{}
		for _, e := range effects {
			for _, ns := range p.NamespacesOf(e) {
				seen[ns] = true
			}
		}
		return slices.Sorted(maps.Keys(seen))
	case o.Namespace == "":
		return nil
	}
	return []string{o.Namespace}
}

// NamespacesOf are the namespaces in which a policy changes something by one of its effects, sorted. They are those of
// the Services, pods and waypoints that it is about: for a policy of the root namespace, wherever its selector selects;
// where it selects nothing yet, all, because what it will select can be anywhere. Do not write to the slice.
func (v *View) NamespacesOf(e Effect) []string {
	t := e.Target
	switch {
	case t.Kind == ScopeMesh, t.Kind == mesh.GatewayClass.String():
		return v.allNamespaces()
	case t.Kind == ScopeNamespace:
		return []string{t.Name}
	case t.Kind == ScopeSelector && t.Namespace == "":
		if some := v.selecting(t.Labels); len(some) > 0 {
			return some
		}
		return v.allNamespaces()
	case t.Kind == mesh.Gateway.String():
		if gw := v.Get(mesh.Gateway, t.Namespace, t.Name); gw != nil {
			return v.behind(gw)
		}
	case t.Kind == "Host":
		if services := v.ServicesFor(t.Name, e.Object.Namespace); len(services) > 0 {
			return namespacesIn(services, "")
		}
	}
	if t.Namespace == "" {
		return []string{e.Object.Namespace}
	}
	return []string{t.Namespace}
}

func (v *View) allNamespaces() []string {
	return Once(v, "all namespaces", func(s *mesh.Snapshot) []string { return slices.Collect(s.Namespaces()) })
}

// selecting are the namespaces in which pods have the labels.
func (v *View) selecting(labels map[string]string) []string {
	var out []string
	for ns := range v.Namespaces() {
		here := slices.ContainsFunc(v.Select(ns, labels), func(w *mesh.Workload) bool { return w.Source != nil })
		if here || len(v.GatewayPods(ns, labels)) > 0 {
			out = append(out, ns)
		}
	}
	return out
}

// behind are the namespaces whose calls pass a Gateway, its own among them: a waypoint may serve others.
func (v *View) behind(gw *mesh.Object) []string {
	return namespacesIn(v.BoundTo(gw), gw.Namespace)
}

// namespacesIn are the namespaces of objects, and one more unless it is empty; sorted.
func namespacesIn(objects []*mesh.Object, besides string) []string {
	var out []string
	if besides != "" {
		out = append(out, besides)
	}
	for _, o := range objects {
		out = append(out, o.Namespace)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
