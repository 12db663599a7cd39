package mesh

import (
	"cmp"
	"slices"
	"strings"

	"istio.io/api/label"
)

// The reverse index answers "who refers to this?" without a walk over the mesh. Its keys name what
// is referred to; referencesOf is the one place that says which objects refer to what.

// refersTo is what is referred to: how, and by which names. As a value, and not put together to a text, it costs nothing to ask for.
type refersTo struct {
	how      relation
	kind     string // where it can be one of several
	ns, name string // name may be a host
}

type relation uint8

const (
	asWaypoint relation = iota
	asBackend
	asParent
	asHost
	asTarget
	asClass
	asEntry
	asDelegate
	asListed
	asAwaited
)

var relations = [...]string{"waypoint", "backend", "parent", "host", "target", "class", "entry", "delegate", "listed", "awaited"}

// String is for a Read. Two that came out as the same text would be taken for one, and answers found anew once too often.
func (r refersTo) String() string {
	return relations[r.how] + "/" + r.kind + "/" + r.ns + "/" + r.name
}

func waypointKey(ns, name string) refersTo     { return refersTo{asWaypoint, "", ns, name} }
func backendKey(ns, name string) refersTo      { return refersTo{asBackend, "", ns, name} }
func parentKey(kind, ns, name string) refersTo { return refersTo{asParent, kind, ns, name} }

// hostKey is for a host as written in an object of ns: a short name means the Service of that name in
// the object's own namespace, and no other.
func hostKey(host, ns string) refersTo {
	if strings.Contains(host, ".") || host == "*" {
		ns = ""
	}
	return refersTo{asHost, "", ns, host}
}

func targetKey(kind, ns, name string) refersTo { return refersTo{asTarget, kind, ns, name} }
func classKey(name string) refersTo            { return refersTo{asClass, "", "", name} }
func entryKey(host string) refersTo            { return refersTo{asEntry, "", "", host} }
func delegateKey(ns, name string) refersTo     { return refersTo{asDelegate, "", ns, name} }
func listedKey(host string) refersTo           { return refersTo{asListed, "", "", host} }

// awaitedKey is what is to be bound to a waypoint and is not yet; ns is "" for a Namespace.
func awaitedKey(kind, ns, name string) refersTo { return refersTo{asAwaited, kind, ns, name} }

// referencesOf lists the keys of all that o refers to.
func referencesOf(o *Object) []refersTo {
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
		keys = append(append(keys, classKey(body.Spec.GatewayClassName)), awaitedBy(o)...)
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
func templateReferences(o *Object, owner *PodOwner) []refersTo {
	labels := owner.Template.Metadata.Labels
	name, ok := labels[label.IoIstioUseWaypoint.Name]
	if !ok || name == none {
		return nil
	}
	ns, ok := labels[label.IoIstioUseWaypointNamespace.Name]
	if !ok {
		ns = o.Namespace
	}
	return []refersTo{waypointKey(ns, name)}
}

// asking are the kinds whose labels istiod reads for a waypoint (pilot/pkg/serviceregistry/ambient/waypoints.go). Others have such labels
// and ask for nothing: an EndpointSlice has all labels of its Service, copied by Kubernetes.
var asking = []Kind{Namespace, Service, ServiceEntry, WorkloadEntry, Pod}

// waypointReferences are the waypoints that its labels name.
func waypointReferences(o *Object) []refersTo {
	if !slices.Contains(asking, o.Kind) {
		return nil
	}
	var keys []refersTo
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
func virtualServiceReferences(o *Object, body *VirtualServiceSpec) []refersTo {
	var keys []refersTo
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

func routeReferences(o *Object, r *Route) []refersTo {
	var keys []refersTo
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

func (s *Snapshot) referrers(key refersTo) []*Object {
	if s.recorder != nil {
		s.note(readReferrers, 0, "", key.String())
	}
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
