package checks

import (
	"maps"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// relabel is what happens if labels of an object change: the policies that come into force, and
// whether nothing else does. It is the judgement behind every patch that binds something: the effects
// before against the effects after (docs/semantics.md).
type relabel struct {
	wakes []*mesh.Object
	safe  bool
}

// relabelled predicts the object with one label set; with an empty value, removed.
func relabelled(p *policies.Pass, o *mesh.Object, key, value string) relabel {
	labels := maps.Clone(o.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[key] = value
	if value == "" {
		delete(labels, key)
	}
	next := policies.NewView(p.With(o.Labelled(labels)))
	r := relabel{safe: true}
	for _, svc := range touched(p, o) {
		if !forwards(next, svc) || len(p.RoutesFrom(svc))+len(p.HostPolicies(mesh.VirtualService, svc))+len(p.HostPolicies(mesh.DestinationRule, svc)) > 0 {
			r.safe = false // routes that slept would wake, or the waypoint takes no such traffic
			return r
		}
		for _, policy := range about(next.Snapshot, svc) {
			r.compare(p.Effects(policy), next.Effects(policy), policy)
		}
	}
	return r
}

// touched are the Services and ServiceEntries whose binding the labels of o can change.
func touched(p *policies.Pass, o *mesh.Object) []*mesh.Object {
	if o.Kind == mesh.Namespace {
		return slices.Concat(p.List(mesh.Service, o.Name), p.List(mesh.ServiceEntry, o.Name))
	}
	return []*mesh.Object{o}
}

// forwards is whether a bound Service's traffic gets through its waypoint.
func forwards(v *policies.View, svc *mesh.Object) bool {
	b := v.Binding(svc)
	return !b.Bound || v.ClassOf(b.Gateway) == mesh.ClassWaypoint && !v.Sandwiched(b.Gateway) && v.AttachmentListener(b.Gateway) != nil
}

// about are the policies whose effect a Service's binding can change.
func about(s *mesh.Snapshot, svc *mesh.Object) []*mesh.Object {
	out := slices.Concat(s.PoliciesFor(svc), policies.OnChain(s, mesh.AuthorizationPolicy, svc))
	behind, _ := s.Backends(svc)
	for _, w := range behind {
		out = append(out, policies.AllowsAt(s, w)...)
		out = append(out, policies.DeniesAt(s, w)...)
	}
	slices.SortFunc(out, func(a, b *mesh.Object) int { return a.Ref().Compare(b.Ref()) })
	return slices.Compact(out)
}

// compare keeps the change safe only if every effect stays as it is, or comes into force.
func (r *relabel) compare(before, after []policies.Effect, policy *mesh.Object) {
	was := map[string]policies.Verdict{}
	for _, e := range before {
		was[e.Target.String()] = e.Verdict
	}
	for _, e := range after {
		old := was[e.Target.String()]
		switch {
		case old == e.Verdict:
		case e.Verdict == policies.Enforced && old.FailsOpen(), e.Verdict == policies.Bypassable && (old == policies.NotEnforced || old == policies.Pending):
			if !slices.Contains(r.wakes, policy) {
				r.wakes = append(r.wakes, policy)
			}
		default:
			r.safe = false
		}
	}
}

// then names in a fix's message what comes into force with it.
func (r relabel) then() string {
	if len(r.wakes) == 0 {
		return ""
	}
	return "; from then on the waypoint enforces " + enumerate(r.wakes)
}

// labelOps set a label by patch, whether or not the object has labels as it was given: a Namespace
// that was decoded always has one.
func labelOps(o *mesh.Object, key, value string) []policies.Op {
	metadata, _ := o.Content()["metadata"].(map[string]any)
	if labels, _ := metadata["labels"].(map[string]any); labels == nil {
		return []policies.Op{{Op: "add", Path: "/metadata/labels", Value: map[string]any{key: value}}}
	}
	return []policies.Op{{Op: "add", Path: policies.Pointer("metadata", "labels", key), Value: value}}
}
