package oracle

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// ruleKey is what istiod's name for a rule tells.
type ruleKey struct {
	policy string // "shop/deny"
	index  int
	custom bool // it decides which calls a provider is asked about
	bad    bool // it denies, because the provider cannot be asked
}

// parseRule reads a name as in "istio-ext-authz-PROVIDER-ns[shop]-policy[deny]-rule[0]-deny-due-to-bad-CUSTOM-action".
func parseRule(name string) (k ruleKey, ok bool) {
	prefix, rest, ok := strings.Cut(name, "ns[")
	ns, rest, ok2 := strings.Cut(rest, "]-policy[")
	policy, rest, ok3 := strings.Cut(rest, "]-rule[")
	index, suffix, ok4 := strings.Cut(rest, "]")
	n, err := strconv.Atoi(index)
	return ruleKey{ns + "/" + policy, n, prefix != "", suffix != ""}, ok && ok2 && ok3 && ok4 && err == nil
}

// formula is a rule as Envoy has it.
type formula struct {
	Permissions []any `json:"permissions"`
	Principals  []any `json:"principals"`
}

// reading evaluates formulas on several chains at once, with what is known of calls there: the port and
// the address that they are for. Whatever else a formula asks for, some call has.
type reading struct {
	lines []line
	// deaf is whether an alternative was met that no call has, beside one that some has.
	deaf bool
}

// rule is on which of the chains some call matches; alternatives are those of its permissions.
func (r *reading) rule(raw json.RawMessage) (on []bool, alternatives [][]bool, err error) {
	var f formula
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, nil, err
	}
	for _, p := range f.Permissions {
		on, err := r.term(p)
		if err != nil {
			return nil, nil, err
		}
		alternatives = append(alternatives, on)
	}
	principals, err := r.anyOf(f.Principals)
	if err != nil {
		return nil, nil, err
	}
	return r.both(r.union(alternatives), principals), alternatives, nil
}

// term is on which chains some call has what a permission or principal asks for.
func (r *reading) term(v any) ([]bool, error) {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return nil, fmt.Errorf("not one permission or principal: %v", v)
	}
	for kind, arg := range m {
		switch kind {
		case "andRules", "andIds":
			return r.allOf(list(arg))
		case "orRules", "orIds":
			return r.anyOf(list(arg))
		case "notRule", "notId":
			return r.not(arg)
		case "destinationPort":
			n, _ := arg.(float64)
			return r.where(func(l line) bool { return l.service == nil || l.port == uint16(n) }), nil
		case "destinationIp":
			return r.addressed(arg), nil
		}
	}
	return r.where(func(line) bool { return true }), nil
}

func list(v any) []any {
	m, _ := v.(map[string]any)
	for _, field := range []string{"rules", "ids"} {
		if l, ok := m[field].([]any); ok {
			return l
		}
	}
	return nil
}

// not is exact for ports, the wildcard and lists of them; of anything else both sides can hold.
func (r *reading) not(v any) ([]bool, error) {
	if !exact(v) {
		return r.where(func(line) bool { return true }), nil
	}
	inner := reading{lines: r.lines}
	on, err := inner.term(v)
	for i := range on {
		on[i] = !on[i] || r.lines[i].service == nil && !strings.Contains(fmt.Sprint(v), "any")
	}
	return on, err
}

func exact(v any) bool {
	m, _ := v.(map[string]any)
	for kind, arg := range m {
		switch kind {
		case "any", "destinationPort":
			return true
		case "andRules", "orRules", "andIds", "orIds":
			return !slices.ContainsFunc(list(arg), func(v any) bool { return !exact(v) })
		}
	}
	return false
}

func (r *reading) allOf(terms []any) ([]bool, error) {
	out := r.where(func(line) bool { return true })
	for _, t := range terms {
		on, err := r.term(t)
		if err != nil {
			return nil, err
		}
		out = r.both(out, on)
	}
	return out, nil
}

func (r *reading) anyOf(terms []any) ([]bool, error) {
	var all [][]bool
	for _, t := range terms {
		on, err := r.term(t)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(on, true) && r.harmless(t, terms) {
			continue
		}
		all = append(all, on)
	}
	return r.union(all), nil
}

// harmless is whether an alternative that no call has takes nothing from those beside it: an address, of which
// those of another IP family are no loss, or the pods' port beside the Service's.
func (r *reading) harmless(v any, beside []any) bool {
	m, _ := v.(map[string]any)
	_, address := m["destinationIp"]
	n, port := portOf(v)
	return address || port && r.podPort(n, beside)
}

// portOf is the port that a permission compares and nothing else.
func portOf(v any) (uint16, bool) {
	m, _ := v.(map[string]any)
	n, ok := m["destinationPort"].(float64)
	return uint16(n), ok
}

// podPort is whether a port is that of the pods behind a Service's port that is listed beside it: who lists
// both means the same calls.
func (r *reading) podPort(n uint16, beside []any) bool {
	for _, l := range r.lines {
		if l.service == nil || !slices.ContainsFunc(beside, func(v any) bool { p, ok := portOf(v); return ok && p == l.port }) {
			continue
		}
		if s, ok := l.service.Spec.(*mesh.ServiceSpec); ok {
			for _, p := range s.Ports {
				if uint16(p.Port) == l.port && p.TargetPort.Int == int32(n) {
					return true
				}
			}
		}
	}
	return false
}

func (r *reading) union(all [][]bool) []bool {
	out := make([]bool, len(r.lines))
	none := false
	for _, on := range all {
		none = none || !slices.Contains(on, true)
		for i := range on {
			out[i] = out[i] || on[i]
		}
	}
	r.deaf = r.deaf || none && slices.Contains(out, true)
	return out
}

func (r *reading) both(a, b []bool) []bool {
	out := slices.Clone(a)
	for i := range out {
		out[i] = out[i] && b[i]
	}
	return out
}

func (r *reading) where(f func(line) bool) []bool {
	out := make([]bool, len(r.lines))
	for i, l := range r.lines {
		out[i] = f(l)
	}
	return out
}

// addressed is on which chains calls are for an address of a range. Where istiod itself chose the
// addresses of a ServiceEntry, as only its status says, any may be.
func (r *reading) addressed(arg any) []bool {
	m, _ := arg.(map[string]any)
	prefix, _ := m["addressPrefix"].(string)
	bits, _ := m["prefixLen"].(float64)
	address, err := netip.ParseAddr(prefix)
	return r.where(func(l line) bool {
		if err != nil || l.service == nil {
			return true
		}
		if b, ok := l.service.Spec.(*mesh.ServiceEntrySpec); ok && len(b.Addresses) == 0 {
			return true
		}
		within := netip.PrefixFrom(address, int(bits))
		return slices.ContainsFunc(l.addresses, func(a netip.Prefix) bool { return within.Overlaps(a) })
	})
}
