package mesh

import (
	"slices"
	"strings"
)

// ServicesFor resolves a host, as written in an object of ns: the Services and ServiceEntries it
// covers, wildcards included. A Kubernetes Service wins over a ServiceEntry of the same host. Do not
// write to the slice.
func (s *Snapshot) ServicesFor(host, ns string) []*Object {
	fq := s.Hostname(host, ns)
	if strings.HasPrefix(fq, "*") {
		return s.servicesMatching(fq)
	}
	suffix := ".svc." + s.settings.ClusterDomain
	if short, ok := strings.CutSuffix(fq, suffix); ok {
		if name, in, ok := strings.Cut(short, "."); ok {
			if o := s.Get(Service, in, name); o != nil {
				return []*Object{o}
			}
		}
	}
	for _, h := range covering(fq) {
		if entries := s.referrers(entryKey(h)); len(entries) > 0 {
			return []*Object{entryFor(entries, ns)}
		}
	}
	return nil
}

// entryFor is the ServiceEntry that an object of ns means where several have the host: its own
// namespace's, else the first.
func entryFor(entries []*Object, ns string) *Object {
	for _, o := range entries {
		if o.Namespace == ns {
			return o
		}
	}
	return entries[0]
}

// TakenBy is the object of the same namespace that has a host of a ServiceEntry in its place: a Service
// of that host, or an older ServiceEntry. istiod makes nothing of the later one, neither for ztunnels nor
// for waypoints, and writes no status for it (pilot/pkg/serviceregistry/ambient/services.go
// selectWorkloadServices, pilot/pkg/model/push_context.go initServiceRegistry). nil where nobody has it, and
// between two of the same age, of which istiod takes either.
func (s *Snapshot) TakenBy(o *Object, host string) *Object {
	if svc := s.besides(o, host); svc != nil && !ExternalName(svc) {
		return svc
	}
	var first *Object
	for _, e := range s.referrers(entryKey(host)) {
		if e.Namespace != o.Namespace || e == o || s.OtherRevision(e) || e.Created.IsZero() || !e.Created.Before(o.Created) {
			continue
		}
		if first == nil || e.Created.Before(first.Created) {
			first = e
		}
	}
	return first
}

// besides is the Service in the namespace of a ServiceEntry that has one of its hosts.
func (s *Snapshot) besides(o *Object, host string) *Object {
	if short, ok := strings.CutSuffix(host, "."+o.Namespace+".svc."+s.settings.ClusterDomain); ok {
		return s.Get(Service, o.Namespace, short)
	}
	return nil
}

// EntriesLike are the ServiceEntries of the namespace of a Service that have its host.
func (s *Snapshot) EntriesLike(svc *Object) []*Object {
	var out []*Object
	for _, h := range s.HostsOf(svc) {
		for _, e := range s.referrers(entryKey(h)) {
			if e.Namespace == svc.Namespace {
				out = append(out, e)
			}
		}
	}
	return out
}

// AliasOf is the Service of type ExternalName that at waypoints has the place of a ServiceEntry of its namespace,
// where it has all the hosts; nil where none has. ztunnels know only the entry, and send to the waypoint, which has no chain for
// the entry's addresses (pilot/pkg/model/push_context.go initServiceRegistry, networking/core/waypoint.go
// findWaypointResources).
func (s *Snapshot) AliasOf(o *Object) *Object {
	if o.Kind != ServiceEntry {
		return nil
	}
	var first *Object
	for _, h := range s.HostsOf(o) {
		alias := s.besides(o, h)
		if alias == nil || !ExternalName(alias) {
			return nil
		}
		if first == nil {
			first = alias
		}
	}
	return first
}

// Taken is whether others have all hosts of a ServiceEntry (TakenBy).
func (s *Snapshot) Taken(o *Object) bool {
	hosts := s.HostsOf(o)
	for _, h := range hosts {
		if s.TakenBy(o, h) == nil {
			return false
		}
	}
	return len(hosts) > 0
}

// covering are the ways to write a host that cover fq, the most specific first: fq itself, then the
// wildcards over it.
func covering(fq string) []string {
	out := []string{fq}
	for rest := strings.TrimPrefix(fq, "*."); ; {
		_, parent, ok := strings.Cut(rest, ".")
		if !ok {
			return append(out, "*")
		}
		out = append(out, "*."+parent)
		rest = parent
	}
}

// DestinationRulesFor are the DestinationRules of one namespace whose host covers the Service or
// ServiceEntry and that keep lets through, by the most specific host that the namespace has: Istio
// looks no further (pilot/pkg/model/push_context.go MostSpecificHostMatch).
func (s *Snapshot) DestinationRulesFor(svc *Object, ns string, keep func(*Object) bool) []*Object {
	for _, own := range s.HostsOf(svc) {
		for _, host := range covering(own) {
			written := []string{host}
			if svc.Kind == Service && svc.Namespace == ns && host == own {
				written = append(written, svc.Name)
			}
			var out []*Object
			for _, h := range written {
				for _, o := range s.referrers(hostKey(h, ns)) {
					if o.Kind == DestinationRule && o.Namespace == ns && keep(o) {
						out = append(out, o)
					}
				}
			}
			if len(out) > 0 {
				slices.SortFunc(out, compareObjects)
				return out
			}
		}
	}
	return nil
}

// VirtualServicesFor are the VirtualServices that have a host of the Service or ServiceEntry,
// wildcards included.
func (s *Snapshot) VirtualServicesFor(svc *Object) []*Object {
	out := s.HostPolicies(VirtualService, svc)
	for _, own := range s.HostsOf(svc) {
		for _, host := range covering(own)[1:] {
			for _, o := range s.referrers(hostKey(host, svc.Namespace)) {
				if o.Kind == VirtualService {
					out = append(out, o)
				}
			}
		}
	}
	return sorted(out)
}

// Delegators are the VirtualServices whose routes delegate to a VirtualService.
func (s *Snapshot) Delegators(vs *Object) []*Object {
	return s.referrers(delegateKey(vs.Namespace, vs.Name))
}

func (s *Snapshot) servicesMatching(pattern string) []*Object {
	s.note(readHosts, 0, "", pattern)
	if found, ok := s.remembered.hosts.Load(pattern); ok {
		return found.([]*Object)
	}
	s = s.unrecorded()
	out := s.clusterServices(pattern[1:])
	for o := range s.All(ServiceEntry) {
		if slices.ContainsFunc(o.Spec.(*ServiceEntrySpec).Hosts, func(h string) bool { return HostMatches(pattern, h) }) {
			out = append(out, o)
		}
	}
	out = slices.Clip(out) // shared from now on
	s.remembered.hosts.Store(pattern, out)
	return out
}

// clusterServices are the Services whose host ends so. Most wildcards are for a domain of their own, or
// for one namespace, and need not look at any other.
func (s *Snapshot) clusterServices(end string) []*Object {
	var out []*Object
	domain := ".svc." + s.settings.ClusterDomain
	inMesh, ok := strings.CutSuffix(end, domain)
	if !ok && !strings.HasSuffix(domain, end) {
		return nil
	}
	if dot := strings.LastIndexByte(inMesh, '.'); ok && dot >= 0 {
		for _, o := range s.List(Service, inMesh[dot+1:]) {
			if strings.HasSuffix(o.Name, inMesh[:dot]) {
				out = append(out, o)
			}
		}
		return out
	}
	for o := range s.All(Service) {
		if !ok || strings.HasSuffix(o.Namespace, inMesh) {
			out = append(out, o)
		}
	}
	return out
}

// HostMatches is whether two hosts, either of which may be a wildcard, can mean the same
// (pkg/config/host/name.go Matches).
func HostMatches(a, b string) bool {
	wa, wb := strings.HasPrefix(a, "*"), strings.HasPrefix(b, "*")
	switch {
	case wa && wb:
		return strings.HasSuffix(a[1:], b[1:]) || strings.HasSuffix(b[1:], a[1:])
	case wa:
		return strings.HasSuffix(b, a[1:])
	case wb:
		return strings.HasSuffix(a, b[1:])
	}
	return a == b
}
