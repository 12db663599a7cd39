package mesh

import (
	"cmp"
	"slices"
	"strings"

	"istio.io/api/label"
)

// The reverse index answers "who refers to this?" without a walk over the mesh. Its keys name what
// is referred to; referencesOf is the one place that says which objects refer to what.

func waypointKey(ns, name string) string { return "waypoint/" + ns + "/" + name }
func backendKey(ns, name string) string  { return "backend/" + ns + "/" + name }
func parentKey(kind, ns, name string) string {
	return "parent/" + kind + "/" + ns + "/" + name
}

// hostKey is for a host as written in an object of ns: a short name means the Service of that name in
// the object's own namespace, and no other.
func hostKey(host, ns string) string {
	if strings.Contains(host, ".") || host == "*" {
		return "host/" + host
	}
	return "host/" + host + "@" + ns
}

func targetKey(kind, ns, name string) string {
	return "target/" + kind + "/" + ns + "/" + name
}
func classKey(name string) string        { return "class/" + name }
func entryKey(host string) string        { return "entry/" + host }
func delegateKey(ns, name string) string { return "delegate/" + ns + "/" + name }
func listedKey(host string) string       { return "listed/" + host }

// referencesOf lists the keys of all that o refers to.
func referencesOf(o *Object) []string {
	keys := waypointReferences(o)
	switch body := o.Spec.(type) {
	case *PodOwner:
		keys = append(keys, templateReferences(o, body)...)
	case *CronJobSpec:
		keys = append(keys, templateReferences(o, &body.JobTemplate.Spec)...)
	case *Route:
		keys = append(keys, routeReferences(o, body)...)
	case *VirtualServiceSpec:
		keys = append(keys, virtualServiceReferences(o, body)...)
	case *ServiceEntrySpec:
		for _, h := range body.Hosts {
			keys = append(keys, entryKey(h))
		}
	case *DestinationRuleSpec:
		keys = append(keys, hostKey(body.Host, o.Namespace))
	case *SidecarSpec:
		for _, e := range body.Egress {
			for _, h := range e.Hosts {
				if _, host, ok := strings.Cut(h, "/"); ok && host != "*" {
					keys = append(keys, listedKey(host))
				}
			}
		}
	case *GatewayBody:
		keys = append(keys, classKey(body.Spec.GatewayClassName))
	case interface{ Attachment() Attachment }:
		for _, ref := range body.Attachment().Refs() {
			ns := o.Namespace
			if ref.Kind == GatewayClass.String() {
				ns = ""
			}
			keys = append(keys, targetKey(ref.Kind, ns, ref.Name))
		}
	case *BackendPolicy:
		for _, ref := range body.TargetRefs {
			keys = append(keys, targetKey(ref.Kind, o.Namespace, ref.Name))
		}
	}
	return keys
}

// templateReferences is what the pods of a template will ask for.
func templateReferences(o *Object, owner *PodOwner) []string {
	labels := owner.Template.Metadata.Labels
	name, ok := labels[label.IoIstioUseWaypoint.Name]
	if !ok || name == none {
		return nil
	}
	ns, ok := labels[label.IoIstioUseWaypointNamespace.Name]
	if !ok {
		ns = o.Namespace
	}
	return []string{waypointKey(ns, name)}
}

// asking are the kinds whose labels istiod reads for a waypoint (pilot/pkg/serviceregistry/ambient/waypoints.go). Others have such labels
// and ask for nothing: an EndpointSlice has all labels of its Service, copied by Kubernetes.
var asking = []Kind{Namespace, Service, ServiceEntry, WorkloadEntry, Pod}

// waypointReferences are the waypoints that its labels name.
func waypointReferences(o *Object) []string {
	if !slices.Contains(asking, o.Kind) {
		return nil
	}
	var keys []string
	if name, ok := o.Labels[label.IoIstioUseWaypoint.Name]; ok && name != none {
		keys = append(keys, waypointKey(waypointNamespace(o, o.Home()), name))
	}
	if name, ok := o.Labels[label.IoIstioUseWaypointCanary.Name]; ok {
		ns, ok := o.Labels[label.IoIstioUseWaypointCanaryNamespace.Name]
		if !ok {
			ns = o.Home()
		}
		keys = append(keys, waypointKey(ns, name))
	}
	return keys
}

// virtualServiceReferences are its hosts, its destinations and what it delegates to.
func virtualServiceReferences(o *Object, body *VirtualServiceSpec) []string {
	var keys []string
	for _, d := range body.Destinations() {
		keys = append(keys, hostKey(d.Host, o.Namespace))
	}
	for _, h := range body.Hosts {
		keys = append(keys, hostKey(h, o.Namespace))
	}
	for _, h := range body.HTTP {
		if h.Delegate != nil {
			keys = append(keys, delegateKey(cmp.Or(h.Delegate.Namespace, o.Namespace), h.Delegate.Name))
		}
	}
	return keys
}

func routeReferences(o *Object, r *Route) []string {
	var keys []string
	for _, p := range r.ParentRefs {
		_, kind := p.GroupKind()
		keys = append(keys, parentKey(kind, cmp.Or(p.Namespace, o.Namespace), p.Name))
	}
	for _, b := range r.Backends() {
		keys = append(keys, backendKey(cmp.Or(b.Namespace, o.Namespace), b.Name))
	}
	return keys
}

// Backends are all Services that the route sends to, mirrors counted in.
func (r *Route) Backends() []BackendRef {
	var out []BackendRef
	for _, rule := range r.Rules {
		for _, b := range rule.BackendRefs {
			if b.IsService() {
				out = append(out, b)
			}
		}
		for _, f := range rule.Filters {
			if f.RequestMirror != nil && f.RequestMirror.BackendRef.IsService() {
				out = append(out, f.RequestMirror.BackendRef)
			}
		}
	}
	return out
}

// Destinations are all destinations of the VirtualService's routes, mirrors counted in.
func (v *VirtualServiceSpec) Destinations() []Destination {
	var out []Destination
	for _, h := range v.HTTP {
		for _, r := range h.Route {
			out = append(out, r.Destination)
		}
		if h.Mirror != nil {
			out = append(out, *h.Mirror)
		}
		for _, m := range h.Mirrors {
			out = append(out, m.Destination)
		}
	}
	for _, rules := range [][]L4RouteRule{v.TCP, v.TLS} {
		for _, l := range rules {
			for _, r := range l.Route {
				out = append(out, r.Destination)
			}
		}
	}
	return out
}

// AskingFor are the objects whose labels name a waypoint, ready or not: Namespaces, Services,
// ServiceEntries, WorkloadEntries, Pods and whatever makes pods.
func (s *Snapshot) AskingFor(gw *Object) []*Object {
	return s.referrers(waypointKey(gw.Namespace, gw.Name))
}

func (s *Snapshot) referrers(key string) []*Object {
	s.note(readReferrers, 0, "", key)
	return s.refs.get(key)
}

// SidecarsListing are the Sidecars that list a host of the object, from whatever namespace they say.
func (s *Snapshot) SidecarsListing(o *Object) []*Object {
	var out []*Object
	for _, h := range s.HostsOf(o) {
		out = append(out, s.referrers(listedKey(h))...)
	}
	return sorted(out)
}

// PoliciesFor are the policies that name the object in a targetRef, by kind, namespace and name.
func (s *Snapshot) PoliciesFor(o *Object) []*Object {
	return s.referrers(targetKey(o.Kind.String(), o.Namespace, o.Name))
}

// PoliciesForClass are the policies that name a GatewayClass in a targetRef.
func (s *Snapshot) PoliciesForClass(name string) []*Object {
	return s.referrers(targetKey(GatewayClass.String(), "", name))
}

// GatewaysOf are the Gateways of a class.
func (s *Snapshot) GatewaysOf(class string) []*Object { return s.referrers(classKey(class)) }

// RoutesFrom are the routes of the Gateway API whose parent is the object.
func (s *Snapshot) RoutesFrom(o *Object) []*Object {
	return s.referrers(parentKey(o.Kind.String(), o.Namespace, o.Name))
}

// RoutesTo are the routes of the Gateway API and the VirtualServices that send to a Service.
func (s *Snapshot) RoutesTo(svc *Object) []*Object {
	routes := slices.Clone(s.referrers(backendKey(svc.Namespace, svc.Name)))
	for _, host := range s.namesOf(svc) {
		for _, o := range s.referrers(hostKey(host, svc.Namespace)) {
			if v, ok := o.Spec.(*VirtualServiceSpec); ok && s.sendsTo(o, v, svc) {
				routes = append(routes, o)
			}
		}
	}
	slices.SortFunc(routes, compareObjects)
	return slices.Compact(routes)
}

// sendsTo is whether a VirtualService has svc as a destination, and not only as a host.
func (s *Snapshot) sendsTo(vs *Object, v *VirtualServiceSpec, svc *Object) bool {
	for _, d := range v.Destinations() {
		if slices.Contains(s.HostsOf(svc), s.Hostname(d.Host, vs.Namespace)) {
			return true
		}
	}
	return false
}

// HostPolicies are the VirtualServices and DestinationRules that name a host of the object,
// wildcards left out.
func (s *Snapshot) HostPolicies(kind Kind, svc *Object) []*Object {
	var out []*Object
	for _, host := range s.namesOf(svc) {
		for _, o := range s.referrers(hostKey(host, svc.Namespace)) {
			if o.Kind == kind && s.namesHost(o, svc) {
				out = append(out, o)
			}
		}
	}
	slices.SortFunc(out, compareObjects)
	return slices.Compact(out)
}

func (s *Snapshot) namesHost(o, svc *Object) bool {
	var hosts []string
	switch b := o.Spec.(type) {
	case *VirtualServiceSpec:
		hosts = b.Hosts
	case *DestinationRuleSpec:
		hosts = []string{b.Host}
	}
	for _, h := range hosts {
		if slices.Contains(s.HostsOf(svc), s.Hostname(h, o.Namespace)) {
			return true
		}
	}
	return false
}
