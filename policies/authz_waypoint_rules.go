package policies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// waypointRules judges the rules of a policy on a waypoint's chains. An endpoint of the chains
// knows all ports there are, in contrast to pods.
type waypointRules struct {
	action string
	chains []chain
	direct bool // pods are reached too, on ports that nobody lists
	// overHTTP is the provider of a CUSTOM where that is asked by HTTP, and so about HTTP only.
	overHTTP string
}

func authzRulesAt(s *mesh.Snapshot, p *mesh.AuthorizationPolicySpec, a *attachment) waypointRules {
	w := waypointRules{action: Action(p), chains: chainsOf(s, a.services), direct: a.direct}
	if w.action != Custom {
		return w
	}
	if reason, _, _ := providerTrouble(s, p, a.services); reason == "" {
		if provider, _ := s.Settings().AuthorizationProvider(providerOf(p)); provider.HTTP {
			w.overHTTP = provider.Name
		}
	}
	return w
}

func (w waypointRules) judge(p *mesh.AuthorizationPolicySpec) judgement {
	if len(w.chains) == 0 && !w.direct {
		return judgement{NotEnforced, []Cause{{Reason: Protocol, Verdict: NotEnforced, Field: "spec.targetRefs", Text: "no port of the target passes a waypoint"}}}
	}
	fates := make([]fate, len(p.Rules))
	for i := range p.Rules {
		fates[i] = w.rule(&p.Rules[i], rulePath(i))
	}
	return weigh(w.action, fates, unconditional(p) && w.overHTTP == "")
}

func (w waypointRules) rule(r *mesh.Rule, path string) fate {
	narrowed, gone := w.when(r), w.gone(r, path)
	var any fate
	if len(r.To) > 0 {
		alternatives := make([]fate, len(r.To))
		for i := range r.To {
			alternatives[i] = w.operation(&r.To[i].Operation, path+".to["+strconv.Itoa(i)+"].operation", narrowed, gone)
		}
		any = anyOf(alternatives)
	} else {
		gone.drop(&any, narrowed)
	}
	parts := []fate{any}
	reachable := narrowed.reachable(r)
	if len(r.From) > 0 && (gone == nil || NamesScheme(r)) {
		alternatives := make([]fate, len(r.From))
		for i := range r.From {
			at := path + ".from[" + strconv.Itoa(i) + "].source"
			alternatives[i] = sourceFate(&r.From[i].Source, at)
			if gone == nil {
				w.http(&alternatives[i], httpSource(&r.From[i].Source, at), reachable)
			}
		}
		parts = append(parts, anyOf(alternatives))
	}
	for i := range r.When {
		parts = append(parts, w.condition(&r.When[i], path+".when["+strconv.Itoa(i)+"]", reachable, gone))
	}
	return allOf(parts)
}

// operation is the fate of one alternative of to.
func (w waypointRules) operation(op *mesh.Operation, at string, narrowed waypointRules, gone *absence) fate {
	f := portFate(w, op.Ports, op.NotPorts, at+".ports", at+".notPorts")
	narrowed.chains = narrowed.matching(ports(op.Ports), ports(op.NotPorts))
	switch {
	case f.never:
	case len(narrowed.chains) == 0 && !w.direct && len(w.chains) > 0 && len(w.matching(ports(op.Ports), nil)) > 0:
		f.never = true
		f.add(PortNeverMatches, at, "its conditions on the port leave none over")
	case gone != nil:
		gone.drop(&f, narrowed)
	default:
		w.http(&f, l7Operation(op, at), narrowed.chains)
	}
	return f
}

// absence is that a rule is left out on chains that are not HTTP.
type absence struct {
	field string
	why   string // continues "where "
}

// gone is why istiod leaves a rule out on chains that are not HTTP; nil where it does not: an ALLOW rule with anything
// in it that only HTTP has, and every rule of a CUSTOM whose provider is asked by HTTP
// (pilot/pkg/security/authz/builder/builder.go build, buildTCP).
func (w waypointRules) gone(r *mesh.Rule, path string) *absence {
	if w.overHTTP != "" {
		return &absence{"spec.provider.name", fmt.Sprintf("provider %q is not asked, because envoyExtAuthzHttp is for HTTP only", w.overHTTP)}
	}
	if attributes := httpAttributes(r, path); w.action == Allow && len(attributes) > 0 {
		return &absence{attributes[0].Field, "nothing can compare " + Names(attributes)}
	}
	return nil
}

// drop notes what the absence does to a rule, or an alternative of it, that reaches the chains of w.
func (a *absence) drop(f *fate, w waypointRules) {
	if a == nil {
		return
	}
	opaque := opaqueOf(w.chains)
	if len(opaque) == 0 {
		return
	}
	f.add(Protocol, a.field, opaque[0].where()+a.why)
	f.never = f.never || len(opaque) == len(w.chains) && !w.direct
	f.lost = f.lost || !f.never
}

func opaqueOf(chains []chain) []chain {
	return slices.DeleteFunc(slices.Clone(chains), func(c chain) bool { return !c.port.OpaqueToHTTP() })
}

// where begins a clause about a chain that is not HTTP.
func (c chain) where() string {
	return fmt.Sprintf("port %d of %s is %s, where ", c.port.Number, c.service.Ref(), c.port.Protocol)
}

// httpAttributes are those of a rule that only HTTP has; remote IPs are known of any connection.
func httpAttributes(r *mesh.Rule, path string) []Attribute {
	var out []Attribute
	for i := range r.To {
		out = append(out, l7Operation(&r.To[i].Operation, path+".to["+strconv.Itoa(i)+"].operation")...)
	}
	for i := range r.From {
		out = append(out, httpSource(&r.From[i].Source, path+".from["+strconv.Itoa(i)+"].source")...)
	}
	for i := range r.When {
		if key := r.When[i].Key; strings.HasPrefix(key, "request.") {
			out = append(out, Attribute{key, path + ".when[" + strconv.Itoa(i) + "].key"})
		}
	}
	return out
}

func httpSource(src *mesh.Source, at string) []Attribute {
	return present(at, []string{"requestPrincipals", "notRequestPrincipals"}, src.RequestPrincipals, src.NotRequestPrincipals)
}

func (w waypointRules) condition(c *mesh.Condition, at string, reachable []chain, gone *absence) fate {
	switch {
	case c.Key == "destination.port":
		return portFate(w, c.Values, c.NotValues, at+".values", at+".notValues")
	case c.Key == "destination.ip":
		return addressFate(w, c, at+".values")
	case c.Key == "source.principal":
		return principalFate(c.Values, c.NotValues, at, ".values", ".notValues")
	case strings.HasPrefix(c.Key, "request.") && gone == nil:
		var f fate
		w.http(&f, []Attribute{{c.Key, at + ".key"}}, reachable)
		return f
	}
	return fate{}
}

// http judges attributes that only HTTP has on the chains that a rule reaches. On a chain that is not HTTP the
// rule loses them and matches without (pilot/pkg/security/authz/model/model.go checkError). An ALLOW rule
// is not there at all: see gone.
func (w waypointRules) http(f *fate, attributes []Attribute, reachable []chain) {
	if opaque := opaqueOf(reachable); len(attributes) > 0 && len(opaque) > 0 {
		f.add(Protocol, attributes[0].Field, opaque[0].where()+"nothing can compare "+Names(attributes))
		f.wide = true
	}
}

// when leaves only the chains that the rule's conditions on the port let it reach.
func (w waypointRules) when(r *mesh.Rule) waypointRules {
	for i := range r.When {
		if c := &r.When[i]; c.Key == "destination.port" {
			w.chains = w.matching(ports(c.Values), ports(c.NotValues))
		}
	}
	return w
}

// reachable are the chains that the rule's own ports leave it.
func (w waypointRules) reachable(r *mesh.Rule) []chain {
	if len(r.To) == 0 {
		return w.chains
	}
	var out []chain
	for i := range r.To {
		for _, c := range w.matching(ports(r.To[i].Operation.Ports), ports(r.To[i].Operation.NotPorts)) {
			if !slices.ContainsFunc(out, func(o chain) bool { return o.service == c.service && o.port == c.port }) {
				out = append(out, c)
			}
		}
	}
	return out
}

func (w waypointRules) matching(list, not []uint16) []chain {
	var out []chain
	for _, c := range w.chains {
		n := uint16(c.port.Number)
		if (len(list) == 0 || slices.Contains(list, n)) && !slices.Contains(not, n) {
			out = append(out, c)
		}
	}
	return out
}

func (w waypointRules) port(n uint16, listed []uint16) (bool, string) {
	if w.direct || len(w.matching([]uint16{n}, nil)) > 0 {
		return false, ""
	}
	for _, c := range w.chains {
		if c.port.Target.Int == int32(n) {
			if slices.Contains(listed, uint16(c.port.Number)) {
				return false, "" // the Service's port is listed as well
			}
			return true, fmt.Sprintf("%d is the pods' port, and the waypoint sees the Service's port %d", n, c.port.Number)
		}
	}
	return true, fmt.Sprintf("no port of the target is %d, and the waypoint sees the Service's ports", n)
}

func (w waypointRules) excluded(not []uint16) bool {
	return !w.direct && len(w.matching(nil, not)) == 0
}

func (w waypointRules) address(values []string) (bool, string) {
	if w.direct {
		return false, ""
	}
	nets := prefixes(values)
	for _, c := range w.chains {
		if len(c.ips) == 0 {
			return false, ""
		}
		for _, ip := range prefixes(c.ips) {
			for _, n := range nets {
				if n.Contains(ip.Addr()) {
					return false, ""
				}
			}
		}
	}
	return true, "the waypoint sees the Service's address, and that is another"
}
