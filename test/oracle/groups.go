package oracle

import (
	"encoding/json"
	"net/netip"
	"slices"

	"github.com/waywarden/waywarden/policies"
)

// wireGroups and ourGroups bring both forms into one: groups of clauses of matches of field → values.
func wireGroups(a Authorization) [][][]map[string][]string {
	var out [][][]map[string][]string
	for _, g := range a.Groups {
		clauses := [][]map[string][]string{}
		for _, rule := range g.Rules {
			var matches []map[string][]string
			for _, m := range rule.Matches {
				fields := map[string][]string{}
				for k, v := range m {
					for _, x := range v.([]any) {
						fields[k] = append(fields[k], wireValue(x))
					}
				}
				matches = append(matches, fields)
			}
			clauses = append(clauses, matches)
		}
		out = append(out, clauses)
	}
	return out
}

func wireValue(v any) string {
	switch x := v.(type) {
	case map[string]any:
		if a, ok := x["address"].(string); ok {
			return wireAddress(a, x["length"])
		}
		if s, ok := x["serviceAccount"].(string); ok {
			return x["namespace"].(string) + "/" + s
		}
		for kind, s := range x {
			switch kind {
			case "exact":
				return s.(string)
			case "prefix":
				return s.(string) + "*"
			case "suffix":
				return "*" + s.(string)
			case "presence":
				return "*"
			}
		}
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func wireAddress(encoded string, length any) string {
	var raw []byte
	b, _ := json.Marshal(encoded)
	if err := json.Unmarshal(b, &raw); err != nil {
		return err.Error()
	}
	addr, _ := netip.AddrFromSlice(raw)
	bits, _ := length.(float64)
	return netip.PrefixFrom(addr, int(bits)).String()
}

func ourGroups(a *policies.Authorization) [][][]map[string][]string {
	var out [][][]map[string][]string
	for _, g := range a.Groups {
		clauses := [][]map[string][]string{}
		for _, c := range g {
			var matches []map[string][]string
			for _, m := range c {
				matches = append(matches, ourMatch(m))
			}
			clauses = append(clauses, matches)
		}
		out = append(out, clauses)
	}
	return out
}

func ourMatch(m policies.Match) map[string][]string {
	fields := map[string][]string{}
	texts := map[string][]string{
		"namespaces": m.Namespaces, "notNamespaces": m.NotNamespaces, "principals": m.Principals, "notPrincipals": m.NotPrincipals,
		"serviceAccounts": m.ServiceAccounts, "notServiceAccounts": m.NotServiceAccounts,
	}
	for k, nets := range map[string][]netip.Prefix{"sourceIps": m.SourceIPs, "notSourceIps": m.NotSourceIPs, "destinationIps": m.DestinationIPs, "notDestinationIps": m.NotDestinationIPs} {
		for _, n := range nets {
			texts[k] = append(texts[k], n.String())
		}
	}
	for k, ports := range map[string][]uint16{"destinationPorts": m.DestinationPorts, "notDestinationPorts": m.NotDestinationPorts} {
		for _, p := range ports {
			b, _ := json.Marshal(p)
			texts[k] = append(texts[k], string(b))
		}
	}
	for k, v := range texts {
		if len(v) > 0 {
			fields[k] = v
		}
	}
	return fields
}

// canonical sorts what istiod sorts on its way out: the groups, the clauses and the matches.
func canonical(groups [][][]map[string][]string) []string {
	var out []string
	for _, g := range groups {
		var clauses []string
		for _, c := range g {
			var matches []string
			for _, m := range c {
				for _, v := range m {
					slices.Sort(v)
				}
				b, _ := json.Marshal(m)
				matches = append(matches, string(b))
			}
			slices.Sort(matches)
			b, _ := json.Marshal(matches)
			clauses = append(clauses, string(b))
		}
		slices.Sort(clauses)
		b, _ := json.Marshal(clauses)
		out = append(out, string(b))
	}
	slices.Sort(out)
	return out
}
