package policies

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Authorization is what istiod makes of an AuthorizationPolicy for ztunnels. Groups are ORed, the
// clauses of a group ANDed, the matches of a clause ORed, the fields of a match ANDed. An empty
// match never matches; a group without clauses matches everything; a policy without groups nothing.
//
// Source: pilot/pkg/serviceregistry/ambient/authorization.go convertAuthorizationPolicy;
// ztunnel src/rbac.rs matches.
type Authorization struct {
	Namespace, Name string
	Scope           string // GLOBAL, NAMESPACE or WORKLOAD_SELECTOR
	Action          string // ALLOW or DENY
	Groups          [][]Clause
}

// Clause is a list of alternatives.
type Clause []Match

// Match is what of a source, an operation or a condition ztunnel can compare.
type Match struct {
	Namespaces, NotNamespaces             []string
	ServiceAccounts, NotServiceAccounts   []string // as "namespace/name"
	Principals, NotPrincipals             []string
	SourceIPs, NotSourceIPs               []netip.Prefix
	DestinationIPs, NotDestinationIPs     []netip.Prefix
	DestinationPorts, NotDestinationPorts []uint16
}

// Empty is whether nothing is left to compare, so that ztunnel never lets it match.
func (m Match) Empty() bool {
	return len(m.Namespaces)+len(m.NotNamespaces)+len(m.ServiceAccounts)+len(m.NotServiceAccounts)+len(m.Principals)+len(m.NotPrincipals)+
		len(m.SourceIPs)+len(m.NotSourceIPs)+len(m.DestinationIPs)+len(m.NotDestinationIPs)+len(m.DestinationPorts)+len(m.NotDestinationPorts) == 0
}

// The actions of an AuthorizationPolicy.
const (
	Allow  = "ALLOW"
	Deny   = "DENY"
	Custom = "CUSTOM"
	Audit  = "AUDIT"
)

// Action is the policy's action, the default filled in.
func Action(p *mesh.AuthorizationPolicySpec) string {
	if p.Action == "" {
		return Allow
	}
	return p.Action
}

// MatchesAll is whether a policy has a rule without any condition.
func MatchesAll(p *mesh.AuthorizationPolicySpec) bool {
	return slices.ContainsFunc(p.Rules, func(r mesh.Rule) bool { return len(r.From)+len(r.To)+len(r.When)+len(r.Unknown) == 0 })
}

// Convert makes of an AuthorizationPolicy what istiod sends to ztunnels; nil where it sends
// nothing: for policies with targetRefs, for actions other than ALLOW and DENY, and for a dry run.
func Convert(s *mesh.Snapshot, o *mesh.Object) *Authorization {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	action := Action(p)
	if DryRun(s, o) || len(p.Attachment().Refs()) > 0 || action != Allow && action != Deny {
		return nil
	}
	a := &Authorization{Namespace: o.Namespace, Name: o.Name, Action: action, Scope: "WORKLOAD_SELECTOR"}
	switch {
	case p.Selector != nil:
	case o.Namespace == s.RootNamespace():
		a.Scope = "GLOBAL"
	default:
		a.Scope = "NAMESPACE"
	}
	for i := range p.Rules {
		if action == Allow && len(l7Fields(&p.Rules[i], "")) > 0 {
			continue // an ALLOW rule with anything that ztunnel does not support is dropped whole
		}
		a.Groups = append(a.Groups, convertRule(&p.Rules[i], o.Namespace))
	}
	return a
}

// Tries is whether the policy only asks what would happen (istio.io/dry-run). A value that is not a
// bool is logged by istiod and taken for false: the policy is enforced.
func Tries(o *mesh.Object) bool {
	return mesh.True(o.Annotations[annotation.IoIstioDryRun.Name])
}

// DryRun is whether the policy only asks what would happen, and ztunnel's dry-run is off, so that
// istiod does not even send it.
func DryRun(s *mesh.Snapshot, o *mesh.Object) bool {
	return Tries(o) && !s.Settings().Flag("AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY", false)
}

func convertRule(r *mesh.Rule, ns string) []Clause {
	clauses := []Clause{}
	if len(r.To) > 0 {
		c := Clause{}
		for i := range r.To {
			op := &r.To[i].Operation
			c = append(c, Match{DestinationPorts: ports(op.Ports), NotDestinationPorts: ports(op.NotPorts)})
		}
		clauses = append(clauses, c)
	}
	if len(r.From) > 0 {
		c := Clause{}
		for i := range r.From {
			c = append(c, convertSource(&r.From[i].Source, ns))
		}
		clauses = append(clauses, c)
	}
	for i := range r.When {
		clauses = append(clauses, Clause{convertCondition(&r.When[i])})
	}
	return clauses
}

func convertSource(src *mesh.Source, ns string) Match {
	return Match{
		SourceIPs: prefixes(src.IPBlocks), NotSourceIPs: prefixes(src.NotIPBlocks),
		Namespaces: src.Namespaces, NotNamespaces: src.NotNamespaces,
		ServiceAccounts: qualified(src.ServiceAccounts, ns), NotServiceAccounts: qualified(src.NotServiceAccounts, ns),
		Principals: src.Principals, NotPrincipals: src.NotPrincipals,
	}
}

func convertCondition(w *mesh.Condition) Match {
	switch w.Key {
	case "source.namespace":
		return Match{Namespaces: w.Values, NotNamespaces: w.NotValues}
	case "source.principal":
		return Match{Principals: w.Values, NotPrincipals: w.NotValues}
	case "source.ip":
		return Match{SourceIPs: prefixes(w.Values), NotSourceIPs: prefixes(w.NotValues)}
	case "destination.ip":
		return Match{DestinationIPs: prefixes(w.Values), NotDestinationIPs: prefixes(w.NotValues)}
	case "destination.port":
		return Match{DestinationPorts: ports(w.Values), NotDestinationPorts: ports(w.NotValues)}
	}
	return Match{}
}

func ports(in []string) []uint16 {
	var out []uint16
	for _, p := range in {
		if n, err := strconv.ParseUint(p, 10, 16); err == nil {
			out = append(out, uint16(n))
		}
	}
	return out
}

// prefixes drops what is not an address, as istiod does.
func prefixes(in []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range in {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p)
		} else if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return out
}

func qualified(in []string, ns string) []string {
	var out []string
	for _, sa := range in {
		if !strings.Contains(sa, "/") {
			sa = ns + "/" + sa
		}
		out = append(out, sa)
	}
	return out
}

// l4Conditions are the only keys of when that ztunnel compares.
var l4Conditions = []string{"source.ip", "source.namespace", "source.principal", "destination.ip", "destination.port"}

// Attribute is a field of a rule that some enforcement points cannot compare.
type Attribute struct {
	Name  string // as istiod names it: "methods", "remoteIpBlocks", "request.headers[x]"
	Field string // as in "spec.rules[0].to[0].operation.methods"
}

// L7Attributes are the attributes of a policy that ztunnel does not compare and istiod says so of,
// in the order in which they stand. The set that ztunnel compares is closed: a field that nobody
// here knows counts.
func L7Attributes(p *mesh.AuthorizationPolicySpec) []Attribute {
	var out []Attribute
	for i := range p.Rules {
		out = append(out, l7Fields(&p.Rules[i], "spec.rules["+strconv.Itoa(i)+"]")...)
	}
	return out
}

func l7Fields(r *mesh.Rule, path string) []Attribute {
	var out []Attribute
	for i := range r.From {
		at := path + ".from[" + strconv.Itoa(i) + "]"
		out = append(out, l7Source(&r.From[i].Source, at+".source")...)
		out = append(out, unknown(r.From[i].Unknown, at)...)
	}
	for i := range r.To {
		at := path + ".to[" + strconv.Itoa(i) + "]"
		out = append(out, l7Operation(&r.To[i].Operation, at+".operation")...)
		out = append(out, unknown(r.To[i].Unknown, at)...)
	}
	for i := range r.When {
		if key := r.When[i].Key; !slices.Contains(l4Conditions, key) {
			out = append(out, Attribute{key, path + ".when[" + strconv.Itoa(i) + "].key"})
		}
	}
	return append(out, unknown(r.Unknown, path)...)
}

func l7Source(src *mesh.Source, at string) []Attribute {
	out := present(at, []string{"remoteIpBlocks", "notRemoteIpBlocks", "requestPrincipals", "notRequestPrincipals"},
		src.RemoteIPBlocks, src.NotRemoteIPBlocks, src.RequestPrincipals, src.NotRequestPrincipals)
	return append(out, unknown(src.Unknown, at)...)
}

func l7Operation(op *mesh.Operation, at string) []Attribute {
	out := present(at, []string{"hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"},
		op.Hosts, op.NotHosts, op.Methods, op.NotMethods, op.Paths, op.NotPaths)
	return append(out, unknown(op.Unknown, at)...)
}

func present(at string, names []string, values ...[]string) []Attribute {
	var out []Attribute
	for i, v := range values {
		if len(v) > 0 {
			out = append(out, Attribute{names[i], at + "." + names[i]})
		}
	}
	return out
}

func unknown(names []string, at string) []Attribute {
	var out []Attribute
	for _, n := range names {
		out = append(out, Attribute{n, at + "." + n})
	}
	return out
}

// Names lists the names of attributes, each once, in order.
func Names(attributes []Attribute) string {
	var names []string
	for _, a := range attributes {
		if !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
	}
	return strings.Join(names, ", ")
}
