package plan

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A rule of an AuthorizationPolicy as ztunnel takes it: clauses that all hold, each a list of alternatives, each a set of
// conditions that all hold. What ztunnel does not compare is gone, as it is for ztunnel (policies.Convert).

// conditions are by field: "principals", "notPrincipals", …, "ports", "destinationIPs". The values of one are alternatives,
// but of a field that begins with "not": there none may hold.
type conditions map[string][]string

// clause is a list of alternatives. key is that of a `when`, "" for `from` and `to`.
type clause struct {
	key          string
	alternatives []conditions
}

type rule []clause

const (
	portsField        = "ports"
	destinationsField = "destinationIPs"
)

// whenFields are the keys of `when` that ztunnel compares.
var whenFields = map[string]string{
	"source.principal": "principals", "source.namespace": "namespaces", "source.ip": "ipBlocks",
	"destination.port": portsField, "destination.ip": destinationsField,
}

func negated(field string) string {
	if rest, ok := strings.CutPrefix(field, "not"); ok {
		return strings.ToLower(rest[:1]) + rest[1:]
	}
	return "not" + strings.ToUpper(field[:1]) + field[1:]
}

// rulesOf are the rules of an ALLOW or DENY as ztunnel takes them. An ALLOW rule with anything that ztunnel does not compare
// is dropped; of a DENY rule the condition is, and an alternative of which nothing is left never holds.
func rulesOf(o *mesh.Object) []rule {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	var out []rule
	for i := range p.Rules {
		r := &p.Rules[i]
		if policies.Action(p) == policies.Allow && len(policies.L7Attributes(&mesh.AuthorizationPolicySpec{Rules: p.Rules[i : i+1]})) > 0 {
			continue
		}
		if zt := ruleOf(r, o.Namespace); zt.possible() {
			out = append(out, zt)
		}
	}
	return out
}

func ruleOf(r *mesh.Rule, ns string) rule {
	out := rule{}
	if len(r.To) > 0 {
		c := clause{}
		for i := range r.To {
			op := &r.To[i].Operation
			c.alternatives = append(c.alternatives, of(portsField, op.Ports, op.NotPorts))
		}
		out = append(out, c)
	}
	if len(r.From) > 0 {
		c := clause{}
		for i := range r.From {
			s := &r.From[i].Source
			all := conditions{}
			for _, f := range []conditions{of("principals", plain(s.Principals), plain(s.NotPrincipals)), of("namespaces", s.Namespaces, s.NotNamespaces),
				of("serviceAccounts", inNamespace(s.ServiceAccounts, ns), inNamespace(s.NotServiceAccounts, ns)), of("ipBlocks", s.IPBlocks, s.NotIPBlocks)} {
				for k, v := range f {
					all[k] = v
				}
			}
			c.alternatives = append(c.alternatives, all)
		}
		out = append(out, c)
	}
	for i := range r.When {
		w, field := &r.When[i], whenFields[r.When[i].Key]
		values, not := w.Values, w.NotValues
		if field == "principals" {
			values, not = plain(values), plain(not)
		}
		out = append(out, clause{w.Key, []conditions{of(field, values, not)}})
	}
	return out
}

// plain are principals as ztunnel and a waypoint compare them alike.
func plain(principals []string) []string {
	out := slices.Clone(principals)
	for i := range out {
		out[i] = policies.PlainPrincipal(out[i])
	}
	return out
}

func of(field string, values, not []string) conditions {
	out := conditions{}
	if field == "" {
		return out
	}
	if len(values) > 0 {
		out[field] = values
	}
	if len(not) > 0 {
		out[negated(field)] = not
	}
	return out
}

func inNamespace(accounts []string, ns string) []string {
	var out []string
	for _, a := range accounts {
		if !strings.Contains(a, "/") {
			a = ns + "/" + a
		}
		out = append(out, a)
	}
	return out
}

// possible is whether every clause has an alternative with a condition left.
func (r rule) possible() bool {
	return !slices.ContainsFunc(r, func(c clause) bool {
		return !slices.ContainsFunc(c.alternatives, func(a conditions) bool { return len(a) > 0 })
	})
}

// asksWho is whether any condition is on who calls.
func (r rule) asksWho() bool {
	return r.has(func(field string, _ []string) bool {
		return field != portsField && field != negated(portsField) && !strings.Contains(strings.ToLower(field), "destination")
	})
}

// asksWhere is whether any condition is on the address that is called, which is the Service's at a waypoint and the pod's at ztunnel.
func (r rule) asksWhere() bool {
	return r.has(func(field string, _ []string) bool { return strings.Contains(strings.ToLower(field), "destination") })
}

// asksPort is whether any condition is on the port.
func (r rule) asksPort() bool {
	return slices.ContainsFunc(r, func(c clause) bool { return c.about(portsField) })
}

// names is whether the rule has the identity, letter by letter, among its principals or service accounts.
func (r rule) names(id identity) bool {
	return r.has(func(field string, values []string) bool { return slices.Contains(values, id.as(field)) })
}

// onlyTells is whether the rule says of who calls nothing but whether it is that identity.
func (r rule) onlyTells(id identity) bool {
	return r.names(id) && !r.has(func(field string, values []string) bool {
		return field != portsField && field != negated(portsField) && slices.ContainsFunc(values, func(v string) bool { return v != id.as(field) && v != "*" })
	})
}

func (r rule) has(so func(field string, values []string) bool) bool {
	for _, c := range r {
		for _, a := range c.alternatives {
			for f, v := range a {
				if so(f, v) {
					return true
				}
			}
		}
	}
	return false
}

// identity is who calls, as ztunnel sees it; its address is not known.
type identity struct{ principal string }

func (id identity) namespace() string {
	_, rest, _ := strings.Cut(id.principal, "/ns/")
	ns, _, _ := strings.Cut(rest, "/sa/")
	return ns
}

func (id identity) account() string {
	_, sa, _ := strings.Cut(id.principal, "/sa/")
	return id.namespace() + "/" + sa
}

// as is how a field names the identity by itself; "" where it does not.
func (id identity) as(field string) string {
	switch field {
	case "principals", "notPrincipals":
		return id.principal
	case "serviceAccounts", "notServiceAccounts":
		return id.account()
	}
	return ""
}

// chance is whether something holds.
type chance int

const (
	never chance = iota
	maybe
	always
)

// of is whether the rule holds of a caller, whatever port it calls.
func (r rule) of(id identity) chance {
	out := always
	for _, c := range r {
		best := never
		for _, a := range c.alternatives {
			if len(a) > 0 {
				best = max(best, a.of(id))
			}
		}
		out = min(out, best)
	}
	return out
}

func (a conditions) of(id identity) chance {
	out := always
	for f, values := range a {
		field, not := f, false
		if rest, ok := strings.CutPrefix(f, "not"); ok {
			field, not = strings.ToLower(rest[:1])+rest[1:], true
		}
		var hit chance
		switch field {
		case "principals":
			hit = anyMatch(values, id.principal)
		case "namespaces":
			hit = anyMatch(values, id.namespace())
		case "serviceAccounts":
			hit = anyMatch(values, id.account())
		case "ipBlocks":
			hit = address(values)
		default:
			hit = maybe
		}
		if not {
			hit = always - hit
		}
		out = min(out, hit)
	}
	return out
}

func anyMatch(values []string, subject string) chance {
	if slices.ContainsFunc(values, func(v string) bool { return policies.MatchString(v, subject) }) {
		return always
	}
	return never
}

// address is whether a pod of which the address is not known is within one of the blocks.
func address(values []string) chance {
	out := never
	for _, v := range values {
		p, err := netip.ParsePrefix(v)
		if a, aerr := netip.ParseAddr(v); err != nil && aerr == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		switch {
		case err != nil:
		case p.Bits() == 0:
			return always
		case !policies.OutsideCluster([]netip.Prefix{p}):
			out = maybe
		}
	}
	return out
}
