package checks

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A second, brute-force reading of AuthorizationPolicy. It shares nothing with the effects: it takes
// one call and compares it with one policy, as ztunnel, as an Envoy, or as the policy is written. The
// tests lay it beside what the effects and the fixes claim.

// call is one request as an enforcement point sees it.
type call struct {
	principal   string // "trust.domain/ns/a/sa/b"; "" for plaintext
	ip          netip.Addr
	port        uint16 // where it arrives: the pod's port at ztunnel, the Service's at a waypoint
	servicePort uint16 // the Service's port by which it came; 0 if by none
	method      string
	path        string
	host        string
	token       string // request principal; "" without a valid token
	opaque      bool   // the port does not speak HTTP
}

// How a policy is read.
type reading int

const (
	written   reading = iota // everything counts, and a port is the Service's or the pod's
	atZtunnel                // the conversion for ztunnel
	atEnvoy                  // a waypoint, sidecar or gateway
)

// trust is the mesh's trust domain and its other names.
type trust struct {
	domain  string
	aliases []string
}

func trustOf(s *mesh.Snapshot) trust {
	return trust{s.Settings().TrustDomain, append([]string{"cluster.local"}, s.Settings().TrustDomainAliases...)}
}

// test is one attribute of a source, an operation or a condition.
type test struct {
	yes, no []string
	is      func(value string) bool
	layer   int // 4, 7, or 0 for what ztunnel drops without a word
}

func (t test) asks() bool { return len(t.yes)+len(t.no) > 0 }

func (t test) holds() bool {
	return (len(t.yes) == 0 || slices.ContainsFunc(t.yes, t.is)) && !slices.ContainsFunc(t.no, t.is)
}

func glob(pattern, s string) bool {
	switch {
	case pattern == "*":
		return s != ""
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(s, pattern[1:])
	case strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(s, strings.TrimSuffix(pattern, "*"))
	}
	return pattern == s
}

func (c call) identity() (domain, ns, account string) {
	parts := strings.Split(c.principal, "/")
	if len(parts) != 5 {
		return "", "", ""
	}
	return parts[0], parts[2], parts[4]
}

func (c call) isText(subject string) func(string) bool {
	return func(v string) bool { return subject != "" && glob(v, subject) }
}

func (c call) isPrincipal(t trust, how reading) func(string) bool {
	return func(v string) bool {
		v = strings.TrimPrefix(v, "spiffe://")
		if td, rest, ok := strings.Cut(v, "/"); ok && how != atZtunnel && slices.Contains(t.aliases, td) {
			v = t.domain + "/" + rest
		}
		return c.principal != "" && glob(v, c.principal)
	}
}

func (c call) isAccount(policyNS string) func(string) bool {
	_, ns, sa := c.identity()
	return func(v string) bool {
		if !strings.Contains(v, "/") {
			v = policyNS + "/" + v
		}
		return c.principal != "" && v == ns+"/"+sa
	}
}

func (c call) isIP(v string) bool {
	if !strings.Contains(v, "/") {
		return v == c.ip.String()
	}
	return netip.MustParsePrefix(v).Contains(c.ip)
}

func (c call) isPort(how reading) func(string) bool {
	return func(v string) bool {
		return v == text(c.port) || how == written && c.servicePort != 0 && v == text(c.servicePort)
	}
}

func text(n uint16) string {
	var digits []byte
	for ; n > 0; n /= 10 {
		digits = append([]byte{byte('0' + n%10)}, digits...)
	}
	return string(digits)
}

func (c call) isTrustDomain(t trust) func(string) bool {
	return func(v string) bool {
		td, _, _ := c.identity()
		return td != "" && (glob(v, td) || td == t.domain && slices.Contains(t.aliases, v))
	}
}

func (m model) source(s *mesh.Source) []test {
	c := m.call
	_, ns, _ := c.identity()
	return []test{
		{s.Principals, s.NotPrincipals, c.isPrincipal(m.trust, m.how), 4},
		{s.Namespaces, s.NotNamespaces, c.isText(ns), 4},
		{s.ServiceAccounts, s.NotServiceAccounts, c.isAccount(m.ns), 4},
		{s.IPBlocks, s.NotIPBlocks, c.isIP, 4},
		{s.TrustDomains, s.NotTrustDomains, c.isTrustDomain(m.trust), 0},
		{s.RemoteIPBlocks, s.NotRemoteIPBlocks, c.isIP, 7},
		{s.RequestPrincipals, s.NotRequestPrincipals, c.isText(c.token), 7},
	}
}

func (m model) operation(o *mesh.Operation) []test {
	c := m.call
	return []test{
		{o.Ports, o.NotPorts, c.isPort(m.how), 4},
		{o.Methods, o.NotMethods, c.isText(c.method), 7},
		{o.Paths, o.NotPaths, c.isText(c.path), 7},
		{o.Hosts, o.NotHosts, c.isText(c.host), 7},
	}
}

func (m model) condition(w *mesh.Condition) test {
	c := m.call
	_, ns, _ := c.identity()
	is, layer := func(string) bool { return false }, 7
	switch w.Key {
	case "source.principal":
		is, layer = c.isPrincipal(m.trust, m.how), 4
	case "source.namespace":
		is, layer = c.isText(ns), 4
	case "source.ip":
		is, layer = c.isIP, 4
	case "destination.port":
		is, layer = c.isPort(m.how), 4
	case "destination.ip":
		layer = 4
	case "source.serviceAccount":
		is = c.isAccount(m.ns)
	case "source.trustDomain":
		is = c.isTrustDomain(m.trust)
	case "remote.ip":
		is = c.isIP
	case "request.auth.principal":
		is = c.isText(c.token)
	}
	return test{w.Values, w.NotValues, is, layer}
}

// model compares one call with one policy.
type model struct {
	call  call
	how   reading
	trust trust
	ns    string // of the policy
}

// matches is whether any rule of the policy is true of the call.
func (m model) matches(p *mesh.AuthorizationPolicySpec) bool {
	return slices.ContainsFunc(p.Rules, func(r mesh.Rule) bool { return m.rule(&r, p.Action == "DENY") })
}

func (m model) rule(r *mesh.Rule, deny bool) bool {
	var clauses [][][]test
	var from, to [][]test
	for i := range r.From {
		from = append(from, m.source(&r.From[i].Source))
	}
	for i := range r.To {
		to = append(to, m.operation(&r.To[i].Operation))
	}
	for _, c := range [][][]test{from, to} {
		if len(c) > 0 {
			clauses = append(clauses, c)
		}
	}
	for i := range r.When {
		clauses = append(clauses, [][]test{{m.condition(&r.When[i])}})
	}
	blind := m.how == atZtunnel || m.how == atEnvoy && m.call.opaque
	for _, c := range clauses {
		for _, alternative := range c {
			for _, t := range alternative {
				if blind && !deny && t.asks() && m.dropped(t) && t.layer == 7 {
					return false // an ALLOW rule with something that cannot be compared is dropped whole
				}
			}
		}
		if !slices.ContainsFunc(c, m.alternative) {
			return false
		}
	}
	return true
}

// dropped is whether the reader leaves the test out.
func (m model) dropped(t test) bool {
	return m.how == atZtunnel && t.layer != 4 || m.how == atEnvoy && m.call.opaque && t.layer == 7
}

func (m model) alternative(tests []test) bool {
	left := 0
	for _, t := range tests {
		if !t.asks() || m.dropped(t) {
			continue
		}
		left++
		if !t.holds() {
			return false
		}
	}
	return left > 0 || m.how != atZtunnel // at ztunnel what is empty never matches
}
