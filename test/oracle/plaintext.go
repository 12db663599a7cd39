package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// RefusesPlaintext is what Plaintext compares.
const RefusesPlaintext = "refuses plaintext by port"

// Plaintext compares on which ports a workload refuses plaintext: by our reading of the
// PeerAuthentications, and by running what istiod sent. A policy that a workload refers to and that
// istiod never sent is skipped, as ztunnel does.
func (r Recording) Plaintext() Result {
	var out Result
	sent := map[string]Authorization{}
	for _, p := range r.Ambient.Policies {
		if madeByIstiod(p.Name) {
			sent[p.Namespace+"/"+p.Name] = p
		}
	}
	for _, w := range r.Ambient.Workloads {
		x := r.workload(w)
		if x == nil {
			continue
		}
		m := r.Snapshot.EffectiveMTLS(x.Namespace, x.Labels)
		ports := map[int32]bool{1: true} // one that no policy names
		for p := range m.Ports {
			ports[p] = true
		}
		for _, k := range w.AuthorizationPolicies {
			for _, p := range portsIn(sent[k]) {
				ports[p] = true
			}
		}
		var ours, theirs []string
		for _, p := range slices.Sorted(maps.Keys(ports)) {
			ours = append(ours, fmt.Sprintf("%d:%v", p, !m.Dangling && m.StrictOn(p)))
			refused := slices.ContainsFunc(w.AuthorizationPolicies, func(k string) bool { return deniesPlaintext(sent[k], p) })
			theirs = append(theirs, fmt.Sprintf("%d:%v", p, refused))
		}
		out.compare(RefusesPlaintext, x.Source, strings.Join(ours, " "), strings.Join(theirs, " "))
	}
	return out
}

func portsIn(a Authorization) []int32 {
	var out []int32
	for _, g := range a.Groups {
		for _, rule := range g.Rules {
			for _, m := range rule.Matches {
				for _, f := range []string{"destinationPorts", "notDestinationPorts"} {
					list, _ := m[f].([]any)
					for _, v := range list {
						out = append(out, int32(v.(float64)))
					}
				}
			}
		}
	}
	return out
}

// deniesPlaintext is whether a connection without an identity to a port matches: groups are ORed,
// rules ANDed, matches ORed, fields ANDed, and an empty match never matches (ztunnel src/rbac.rs).
func deniesPlaintext(a Authorization, port int32) bool {
	for _, g := range a.Groups {
		all := true
		for _, rule := range g.Rules {
			all = all && slices.ContainsFunc(rule.Matches, func(m map[string]any) bool { return matchesPlaintext(m, port) })
		}
		if all {
			return true
		}
	}
	return false
}

func matchesPlaintext(m map[string]any, port int32) bool {
	named := func(field string) bool {
		list, _ := m[field].([]any)
		return slices.ContainsFunc(list, func(v any) bool { return int32(v.(float64)) == port })
	}
	for field := range m {
		switch field {
		case "notPrincipals": // nobody is not anybody
		case "destinationPorts":
			if !named(field) {
				return false
			}
		case "notDestinationPorts":
			if named(field) {
				return false
			}
		default:
			return false
		}
	}
	return len(m) > 0
}
