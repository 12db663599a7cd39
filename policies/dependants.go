package policies

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// dependants are the policies whose effect the object can change, sorted. What is not among them cannot have changed: a
// test lays what they miss beside a look at every policy. They are found through the reverse index and the namespaces that
// the object touches, and cost those; only what decides for the whole mesh costs the mesh.
func dependants(before, after *mesh.Snapshot, changed *mesh.Object) []*mesh.Object {
	d := dependence{seen: map[*mesh.Object]bool{}, visited: map[string]bool{}}
	concerned := concernedBy(before, after, changed)
	whole := decidesForAll(before, after, changed)
	for _, s := range []*mesh.Snapshot{before, after} {
		for _, o := range []*mesh.Object{s.Get(changed.Kind, changed.Namespace, changed.Name), changed} {
			if o != nil {
				d.of(s, o, concerned)
			}
		}
		d.take(s.PoliciesForClass(mesh.WaypointClassName)...)
		for o := range policiesIn(s, s.RootNamespace()) {
			d.take(o)
		}
		for o := range whole(s) {
			d.take(o)
		}
	}
	slices.SortFunc(d.out, func(a, b *mesh.Object) int { return a.Ref().Compare(b.Ref()) })
	return d.out
}

// dependence collects policies, each once.
type dependence struct {
	seen    map[*mesh.Object]bool
	visited map[string]bool // namespaces: their policies are the same before and after
	out     []*mesh.Object
}

func (d *dependence) take(policies ...*mesh.Object) {
	for _, o := range policies {
		if o.Kind.IsPolicy() && !d.seen[o] {
			d.seen[o] = true
			d.out = append(d.out, o)
		}
	}
}

// of takes what depends on an object as it is in one of the two meshes.
func (d *dependence) of(s *mesh.Snapshot, o *mesh.Object, concerned func(*mesh.Object) bool) {
	for _, ns := range namespacesOf(s, o) {
		if !d.visited[ns] {
			d.visited[ns] = true
			for p := range policiesIn(s, ns) {
				if concerned(p) {
					d.take(p)
				}
			}
		}
		if o.Kind != mesh.Service {
			for _, svc := range s.List(mesh.Service, ns) {
				d.service(s, svc)
			}
		}
	}
	for _, gw := range waypointsOf(s, o) {
		d.take(s.PoliciesFor(gw)...)
		d.take(s.RoutesFrom(gw)...)
	}
	if o.Kind == mesh.Service || o.Kind == mesh.ServiceEntry {
		d.service(s, o)
	}
}

// service takes what is about the calls to a Service or ServiceEntry, wherever it stands.
func (d *dependence) service(s *mesh.Snapshot, svc *mesh.Object) {
	d.take(s.RoutesFrom(svc)...)
	d.take(s.RoutesTo(svc)...)
	d.take(s.HostPolicies(mesh.VirtualService, svc)...)
	d.take(s.HostPolicies(mesh.DestinationRule, svc)...)
}

// decidesForAll are the policies, of whatever namespace, that hang on who calls in the mesh where a Namespace comes to be
// enrolled or no longer is, and on a provider of CUSTOM policies where its Service comes or goes.
func decidesForAll(before, after *mesh.Snapshot, changed *mesh.Object) func(*mesh.Snapshot) iter.Seq[*mesh.Object] {
	was, is := before.Get(changed.Kind, changed.Namespace, changed.Name), after.Get(changed.Kind, changed.Namespace, changed.Name)
	switch {
	case changed.Kind == mesh.Namespace && was != nil && is != nil && !before.EnrolsAlike(was, is):
		return (*mesh.Snapshot).Objects
	case (changed.Kind == mesh.Service || changed.Kind == mesh.ServiceEntry) && (was == nil) != (is == nil) && slices.ContainsFunc(before.Settings().AuthorizationProviders,
		func(p mesh.AuthorizationProvider) bool { return before.LacksService(p) != after.LacksService(p) }):
		return func(s *mesh.Snapshot) iter.Seq[*mesh.Object] { return s.All(mesh.AuthorizationPolicy) }
	}
	return func(*mesh.Snapshot) iter.Seq[*mesh.Object] { return func(func(*mesh.Object) bool) {} }
}

// concernedBy tells which policies of its namespace a Service can matter to: those that name it, another Service
// of the same pods, or a ServiceEntry of the same host, those that select these pods, and those that go by neither. For anything but a Service it is all of them.
func concernedBy(before, after *mesh.Snapshot, changed *mesh.Object) func(*mesh.Object) bool {
	if changed.Kind != mesh.Service {
		return func(*mesh.Object) bool { return true }
	}
	names := map[string]bool{changed.Name: true}
	var pods []*mesh.Workload
	for _, s := range []*mesh.Snapshot{before, after} {
		svc := s.Get(mesh.Service, changed.Namespace, changed.Name)
		if svc == nil {
			continue
		}
		for _, e := range s.EntriesLike(svc) {
			names[e.Name] = true
		}
		backends, _ := s.Backends(svc)
		for _, w := range backends {
			if slices.ContainsFunc(pods, func(p *mesh.Workload) bool { return maps.Equal(p.Labels, w.Labels) }) {
				continue // selectors cannot tell them apart
			}
			pods = append(pods, w)
			for _, t := range []*mesh.Snapshot{before, after} {
				for _, sibling := range t.ServicesOf(w) {
					names[sibling.Name] = true
				}
			}
		}
	}
	return func(p *mesh.Object) bool {
		attached, ok := p.Spec.(interface{ Attachment() mesh.Attachment })
		if !ok {
			return true
		}
		a := attached.Attachment()
		if refs := a.Refs(); len(refs) > 0 {
			return slices.ContainsFunc(refs, func(r mesh.TargetRef) bool {
				return names[r.Name] || r.Kind != mesh.Service.String() && r.Kind != mesh.ServiceEntry.String()
			})
		}
		return a.Selector == nil || slices.ContainsFunc(pods, func(w *mesh.Workload) bool { return w.Carries(a.Selector.MatchLabels) })
	}
}

// namespacesOf are the namespaces in which the object decides anything: its own, and for a Gateway, or
// the Gateways of a class, those of all that ask for it or for which it is made.
func namespacesOf(s *mesh.Snapshot, o *mesh.Object) []string {
	if o.Kind == mesh.Namespace {
		return []string{o.Name}
	}
	out := []string{o.Namespace}
	gateways := []*mesh.Object{o}
	switch o.Kind {
	case mesh.Gateway:
	case mesh.GatewayClass:
		gateways = s.GatewaysOf(o.Name)
	default:
		return out
	}
	for _, gw := range gateways {
		for _, ns := range s.AwaitedIn(gw) {
			if !slices.Contains(out, ns) {
				out = append(out, ns)
			}
		}
		for _, asking := range slices.Concat([]*mesh.Object{gw}, s.AskingFor(gw)) {
			ns := asking.Namespace
			if asking.Kind == mesh.Namespace {
				ns = asking.Name
			}
			if !slices.Contains(out, ns) {
				out = append(out, ns)
			}
		}
	}
	return out
}

// waypointsOf are the Gateways that the object's labels name, whether they exist or not, and itself.
func waypointsOf(s *mesh.Snapshot, o *mesh.Object) []*mesh.Object {
	out := []*mesh.Object{o}
	if name, ok := o.Labels[label.IoIstioUseWaypoint.Name]; ok {
		ns, ok := o.Labels[label.IoIstioUseWaypointNamespace.Name]
		if !ok {
			ns = cmp.Or(o.Namespace, o.Name)
		}
		out = append(out, &mesh.Object{Kind: mesh.Gateway, Namespace: ns, Name: name})
	}
	if b := s.Binding(o); b.Gateway != nil {
		out = append(out, b.Gateway)
	}
	return out
}

// policiesIn are all policies of a namespace.
func policiesIn(s *mesh.Snapshot, ns string) iter.Seq[*mesh.Object] {
	return func(yield func(*mesh.Object) bool) {
		for _, kind := range policyKinds {
			for _, o := range s.List(kind, ns) {
				if !yield(o) {
					return
				}
			}
		}
	}
}

// policyKinds are those that are judged.
var policyKinds = slices.DeleteFunc(mesh.Kinds(), func(k mesh.Kind) bool { return !k.IsPolicy() })
