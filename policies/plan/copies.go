package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A policy that names a Gateway does not follow when another one takes its place. So it is said there too, by a copy of ours with
// another targetRef: before anything is bound there, and as long as the policy is stored as it is. Copied is what means the same
// under another name, in whichever order such objects were made. What else names the Gateway stops the move.

// copiedKinds are the kinds that are copied: sets of rules, of which neither name nor age decides anything. Of a WasmPlugin,
// TrafficExtension, EnvoyFilter or Telemetry the older one counts or comes first (model/extensions.go, model/envoyfilter.go,
// model/telemetry.go), or its name is what others refer to.
var copiedKinds = []mesh.Kind{mesh.AuthorizationPolicy, mesh.RequestAuthentication}

// named are the policies of people, of the kinds that are copied, that name any of some Gateways in a waypoint's namespace, and not
// itself, sorted.
func (m *maker) named(gw *mesh.Object, places []string) []*mesh.Object {
	if len(places) == 0 {
		return nil
	}
	var out []*mesh.Object
	for _, kind := range copiedKinds {
		for _, o := range m.snapshot.List(kind, gw.Namespace) {
			if staysBehind(o, gw, places) {
				out = append(out, o)
			}
		}
	}
	return out
}

// staysBehind is whether a policy names any of some Gateways and not the one that has taken their place.
func staysBehind(o, gw *mesh.Object, places []string) bool {
	return !o.Terminating && !policies.Tries(o) && nameOfRef(o, places) != "" && nameOfRef(o, []string{gw.Name}) == ""
}

// nameOfRef is which of some Gateways of its namespace a policy names first; "" where it names none.
func nameOfRef(o *mesh.Object, gateways []string) string {
	spec, ok := o.Spec.(interface{ Attachment() mesh.Attachment })
	if !ok {
		return ""
	}
	for _, ref := range spec.Attachment().Refs() {
		if ref.Kind == mesh.Gateway.String() && slices.Contains(gateways, ref.Name) {
			return ref.Name
		}
	}
	return ""
}

func needOfCopy(o *mesh.Object, old string, gw *mesh.Object) Need {
	return Need{Target: policies.Target{Kind: mesh.Gateway.String(), Namespace: gw.Namespace, Name: old}, Policy: o.Ref(), Field: "spec.targetRefs",
		Verdict: policies.NotEnforced, Becomes: policies.Enforced,
		Reason: fmt.Sprintf("%s names Gateway %s/%s, whose place %s has taken: only the copy of it there is in force. Bind it to Gateway %s, or to its Services.", o, gw.Namespace, old, gw.Key(), gw.Name)}
}

// copies adds the copies for waypoints that have taken another's place.
func (m *maker) copies(after *mesh.Snapshot) {
	for i := range m.plan.Waypoints {
		w := &m.plan.Waypoints[i]
		if w.Existing || len(w.places) == 0 {
			continue
		}
		gw := after.Get(mesh.Gateway, w.Namespace, w.Name)
		for _, o := range m.named(gw, w.places) {
			m.plan.Policies = append(m.plan.Policies, m.copyOf(o, gw, after.BoundTo(gw)))
		}
	}
}

// copyOf is a policy with another Gateway as its only target.
func (m *maker) copyOf(o, gw *mesh.Object, services []*mesh.Object) Policy {
	return Policy{Role: Copy, Waypoint: refOf(gw), Of: refs([]*mesh.Object{o}), For: refs(services), Why: fmt.Sprintf("it names a Gateway whose place %s takes, and does not follow", gw.Key()),
		Manifest: copyManifest(o, gw, m.signer(gw.Namespace))}
}

func copyManifest(o, gw *mesh.Object, sign func(map[string]any, map[string]string)) map[string]any {
	spec, _ := o.Content()["spec"].(map[string]any)
	spec = maps.Clone(spec)
	spec["targetRefs"] = []any{map[string]any{"group": mesh.Gateway.Group(), "kind": mesh.Gateway.String(), "name": gw.Name}}
	delete(spec, "targetRef")
	metadata := map[string]any{"name": joined("waywarden-copy-", gw.Kind, o.Name, gw.Name), "namespace": gw.Namespace}
	sign(metadata, map[string]string{RoleAnnotation: string(Copy), WaypointAnnotation: gw.Key(), OfAnnotation: o.Key()})
	return map[string]any{"apiVersion": o.Kind.APIVersion(), "kind": o.Kind.String(), "metadata": metadata, "spec": spec}
}

// atGateway are the policies of people that name a Gateway, or one whose place it has taken and of which a copy is here.
func (c *course) atGateway(gw *mesh.Object) []*mesh.Object {
	var out []*mesh.Object
	for _, o := range c.snapshot.PoliciesFor(gw) {
		switch {
		case !c.Evidence.Managed.Made(o):
			out = append(out, o)
		case Role(o.Annotations[RoleAnnotation]) == Copy:
			ns, name, _ := cutKey(o.Annotations[OfAnnotation])
			if original := c.snapshot.Get(o.Kind, ns, name); original != nil {
				out = append(out, original)
			}
		}
	}
	return out
}

// stays are what people wrote for a Gateway, or for its class, that is in force there and would not be at this waypoint: it has no
// copy, and does not name this one.
func (c *course) stays(gw *mesh.Object) []*mesh.Object {
	out := slices.DeleteFunc(c.atGateway(gw), func(o *mesh.Object) bool { return c.copied(o) || nameOfRef(o, []string{c.ref.Name}) != "" })
	for _, route := range c.snapshot.RoutesFrom(gw) {
		if c.inForceAt(route, refOf(gw)) && (c.gateway == nil || !slices.Contains(c.snapshot.RoutesFrom(c.gateway), route)) {
			out = append(out, route)
		}
	}
	if c.gateway != nil && classOf(c.gateway) != classOf(gw) {
		here := c.snapshot.PoliciesForClass(classOf(c.gateway))
		for _, o := range c.snapshot.PoliciesForClass(classOf(gw)) {
			if !slices.Contains(here, o) {
				out = append(out, o)
			}
		}
	}
	return out
}

// copied is whether the plan has a copy of a policy at this waypoint.
func (c *course) copied(o *mesh.Object) bool {
	return slices.ContainsFunc(c.policies, func(p Policy) bool { return p.Role == Copy && slices.Contains(p.Of, refOf(o)) })
}

// original is whether the policy that a stored copy repeats is there still, so that the copy rests on the waypoint only.
func (c *course) original(stored *mesh.Object) bool {
	ns, name, ok := cutKey(stored.Annotations[OfAnnotation])
	return ok && c.snapshot.Get(stored.Kind, ns, name) != nil
}

func (c *course) removeCopies() outcome {
	return c.removeOwn(Copy, func(o *mesh.Object) outcome {
		return c.delete(RemoveTwin, o, "nothing passes the waypoint any more")
	})
}
