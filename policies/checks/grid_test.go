package checks

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// callsIn is a grid of calls over all that the policies of a mesh and some more tell apart: every
// value that a rule names, and for each attribute one that none does.
func callsIn(s *mesh.Snapshot, more ...*mesh.Object) []call {
	v := values{trust: trustOf(s), principals: []string{"", "far.example/ns/nowhere/sa/nobody"}, ips: []string{"198.51.100.9"},
		methods: []string{"BREW"}, paths: []string{"/nowhere"}, hosts: []string{"nowhere"}, tokens: []string{"", "some-issuer/some-subject"}}
	for o := range s.All(mesh.AuthorizationPolicy) {
		v.read(o)
	}
	for _, o := range more {
		v.read(o)
	}
	for gw := range s.All(mesh.Gateway) {
		v.principals = append(v.principals, s.Identity(gw))
	}
	var out []call
	for _, p := range unique(v.principals) {
		for _, ip := range unique(v.ips) {
			for _, method := range unique(v.methods) {
				for _, path := range unique(v.paths) {
					for _, host := range unique(v.hosts) {
						for _, token := range unique(v.tokens) {
							out = append(out, call{principal: p, ip: netip.MustParseAddr(ip), method: method, path: path, host: host, token: token})
						}
					}
				}
			}
		}
	}
	return out
}

func unique(in []string) []string {
	slices.Sort(in)
	return slices.Compact(in)
}

type values struct {
	trust                                          trust
	principals, ips, methods, paths, hosts, tokens []string
}

// one makes a value of a pattern.
func one(pattern string) string { return strings.ReplaceAll(pattern, "*", "any") }

func each(lists ...[]string) []string {
	var out []string
	for _, l := range lists {
		for _, v := range l {
			out = append(out, one(v))
		}
	}
	return out
}

func (v *values) read(o *mesh.Object) {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	for i := range p.Rules {
		r := &p.Rules[i]
		for j := range r.From {
			src := &r.From[j].Source
			v.callers(o.Namespace, slices.Concat(src.Principals, src.NotPrincipals), slices.Concat(src.Namespaces, src.NotNamespaces),
				slices.Concat(src.ServiceAccounts, src.NotServiceAccounts), slices.Concat(src.TrustDomains, src.NotTrustDomains))
			v.addresses(src.IPBlocks, src.NotIPBlocks, src.RemoteIPBlocks, src.NotRemoteIPBlocks)
			v.tokens = append(v.tokens, each(src.RequestPrincipals, src.NotRequestPrincipals)...)
		}
		for j := range r.To {
			op := &r.To[j].Operation
			v.methods = append(v.methods, each(op.Methods, op.NotMethods)...)
			v.paths = append(v.paths, each(op.Paths, op.NotPaths)...)
			v.hosts = append(v.hosts, each(op.Hosts, op.NotHosts)...)
		}
		for _, w := range r.When {
			list := slices.Concat(w.Values, w.NotValues)
			switch w.Key {
			case "source.principal":
				v.callers(o.Namespace, list, nil, nil, nil)
			case "source.namespace":
				v.callers(o.Namespace, nil, list, nil, nil)
			case "source.serviceAccount":
				v.callers(o.Namespace, nil, nil, list, nil)
			case "source.trustDomain":
				v.callers(o.Namespace, nil, nil, nil, list)
			case "source.ip", "remote.ip":
				v.addresses(list)
			}
		}
	}
}

// callers adds principals of the real trust domain, and of the one that a policy names.
func (v *values) callers(ns string, principals, namespaces, accounts, domains []string) {
	for _, p := range each(principals) {
		p = strings.TrimPrefix(p, "spiffe://")
		if _, rest, ok := strings.Cut(p, "/"); ok && strings.Count(p, "/") == 4 {
			v.principals = append(v.principals, p, v.trust.domain+"/"+rest)
		} else if td, _, ok := strings.Cut(p, "/"); ok {
			v.principals = append(v.principals, td+"/ns/other/sa/other")
		}
	}
	for _, n := range each(namespaces) {
		v.principals = append(v.principals, v.trust.domain+"/ns/"+n+"/sa/other", "far.example/ns/"+n+"/sa/other")
	}
	for _, a := range each(accounts) {
		if !strings.Contains(a, "/") {
			a = ns + "/" + a
		}
		in, name, _ := strings.Cut(a, "/")
		v.principals = append(v.principals, v.trust.domain+"/ns/"+in+"/sa/"+name)
	}
	for _, td := range each(domains) {
		v.principals = append(v.principals, td+"/ns/other/sa/other")
	}
}

func (v *values) addresses(lists ...[]string) {
	for _, a := range slices.Concat(lists...) {
		a, _, _ = strings.Cut(a, "/")
		v.ips = append(v.ips, a)
	}
}
