package oracle

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// ChainRules compares what the rules of every AuthorizationPolicy come to on the chains of a target: our
// verdict, and the one that follows from the rules that istiod sent.
func (r Recording) ChainRules() Result {
	var out Result
	lines := r.lines()
	for o := range r.Snapshot.All(mesh.AuthorizationPolicy) {
		for _, e := range policies.Effects(r.Snapshot, o) {
			if !applied(e) || e.Target.Kind == "GatewayClass" && !r.whole() {
				continue
			}
			var on []line
			for _, l := range lines {
				if covers(e, l) && !l.sniffed {
					on = append(on, l)
				}
			}
			if len(on) > 0 {
				out.compare("the rules for "+e.Target.String(), o, base(o, e), sent(o, on))
			}
		}
	}
	return out
}

// whole is whether all waypoints that serve anything are in the recording.
func (r Recording) whole() bool {
	for gw := range r.Snapshot.All(mesh.Gateway) {
		recorded := slices.ContainsFunc(r.Proxies, func(p Proxy) bool { return p.Namespace == gw.Namespace && p.Name == gw.Name })
		if !recorded && len(r.Snapshot.BoundTo(gw))+len(r.Snapshot.WorkloadsBoundTo(gw)) > 0 {
			return false
		}
	}
	return true
}

// tried is the verdict of a dry run.
const tried = "tried"

// base is our verdict on the rules, without the paths round the waypoint that may hide it.
func base(o *mesh.Object, e policies.Effect) string {
	if policies.Tries(o) && e.Verdict != policies.OverDenies {
		return tried
	}
	if e.Verdict != policies.Bypassable {
		return string(e.Verdict)
	}
	if e.Has(policies.ProviderNotFound) || e.Has(policies.ProviderConflict) {
		return string(policies.OverDenies)
	}
	out := policies.Enforced
	for _, c := range e.Causes {
		if c.Verdict != policies.Bypassable && c.Verdict.Worse(out) {
			out = c.Verdict
		}
	}
	return string(out)
}

// sentRule is one rule of a policy as it is on the chains of a target.
type sentRule struct {
	full   json.RawMessage // as it is on a chain that has all of it, if any does
	on     []bool          // on which of the chains it is
	shadow bool            // it is only tried
	asks   bool            // it decides what a provider is asked about
	bad    bool            // it denies for want of a provider
}

func rulesOn(o *mesh.Object, index int, lines []line) sentRule {
	out := sentRule{on: make([]bool, len(lines))}
	for i, l := range lines {
		for _, f := range l.chain.Filters {
			for _, rules := range []*RBAC{f.Rules, f.ShadowRules} {
				if rules == nil {
					continue
				}
				for name, raw := range rules.Policies {
					k, ok := parseRule(name)
					if !ok || k.policy != o.Key() || k.index != index {
						continue
					}
					if out.full == nil || l.http {
						out.full = raw
					}
					out.on[i] = true
					out.asks = out.asks || k.custom && !k.bad && rules == f.ShadowRules
					out.bad = out.bad || k.bad || k.custom && rules == f.Rules // Envoy denies by rules
					out.shadow = out.shadow || !k.custom && rules == f.ShadowRules
				}
			}
		}
	}
	return out
}

// sent is the verdict that follows from what istiod sent.
func sent(o *mesh.Object, lines []line) string {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	action := policies.Action(p)
	if len(p.Rules) == 0 {
		return emptyVerdict(o, action, rulesOn(o, 0, lines))
	}
	var never, lost, wide int
	var shadow, bad, always bool
	for i := range p.Rules {
		rule := rulesOn(o, i, lines)
		shadow, bad = shadow || rule.shadow, bad || rule.bad
		f, err := rule.fate(&p.Rules[i], lines)
		if err != nil {
			return err.Error()
		}
		never += count(f.never)
		lost += count(f.lost || f.never)
		wide += count(f.wide && !f.never)
		always = always || len(p.Rules[i].From)+len(p.Rules[i].To)+len(p.Rules[i].When) == 0 && !slices.Contains(rule.on, false)
	}
	all := never == len(p.Rules)
	switch {
	case shadow, all && policies.Tries(o):
		return tried
	case bad && !all:
		return string(policies.OverDenies)
	case always:
		return string(policies.Enforced)
	case all && action == policies.Allow:
		return string(policies.DeniesAll)
	case all:
		return string(policies.NotEnforced)
	case lost > 0 && action == policies.Allow:
		return string(policies.OverDenies)
	case lost > 0:
		return string(policies.PartiallyEnforced)
	case wide > 0 && action != policies.Audit: // which logs more than it says, and changes nothing for calls
		return string(policies.OverDenies)
	}
	return string(policies.Enforced)
}

// emptyVerdict is that of a policy without rules. An ALLOW must be on every chain to admit nobody there; any
// other matches nothing, on a chain or not.
func emptyVerdict(o *mesh.Object, action string, rule sentRule) string {
	switch {
	case rule.shadow, action == policies.Custom && policies.Tries(o):
		return tried
	case action == policies.Allow && slices.Contains(rule.on, false):
		return string(policies.PartiallyEnforced)
	}
	return string(policies.Enforced)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ruleFate is what becomes of a rule on the chains of a target.
type ruleFate struct{ never, lost, wide bool }

// fate reads it off what was sent. What an alternative asks of HTTP is missing on TCP chains.
func (s sentRule) fate(r *mesh.Rule, lines []line) (ruleFate, error) {
	if s.full == nil {
		return ruleFate{never: true}, nil
	}
	reading := reading{lines: lines}
	matches, alternatives, err := reading.rule(s.full)
	if err != nil {
		return ruleFate{}, err
	}
	f := ruleFate{never: true, lost: reading.deaf}
	everywhere := slices.ContainsFunc(r.When, func(c mesh.Condition) bool { return strings.HasPrefix(c.Key, "request.") })
	for i := range r.From {
		everywhere = everywhere || len(httpOfSource(&r.From[i].Source)) > 0
	}
	for i, l := range lines {
		switch {
		case !matches[i]:
		case !s.on[i]:
			f.lost = true
		default:
			f.never = false
			f.wide = f.wide || !l.http && everywhere
			for k := range r.To {
				f.wide = f.wide || !l.http && alternatives[k][i] && len(httpOfOperation(&r.To[k].Operation)) > 0
			}
		}
	}
	return f, nil
}

// namesHTTP is whether a rule asks for anything that only HTTP has.
func namesHTTP(r mesh.Rule) bool {
	for i := range r.From {
		if len(httpOfSource(&r.From[i].Source)) > 0 {
			return true
		}
	}
	for i := range r.To {
		if len(httpOfOperation(&r.To[i].Operation)) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(r.When, func(c mesh.Condition) bool { return strings.HasPrefix(c.Key, "request.") })
}

func httpOfSource(s *mesh.Source) []string {
	return slices.Concat(s.RequestPrincipals, s.NotRequestPrincipals)
}

func httpOfOperation(o *mesh.Operation) []string {
	return slices.Concat(o.Hosts, o.NotHosts, o.Methods, o.NotMethods, o.Paths, o.NotPaths)
}
