package plan

import (
	"maps"
	"slices"
	"strings"
)

// complement are rules that hold of exactly the calls of which none of the rules given holds; ok is false where that takes too many, or
// cannot be written. A waypoint compares all that ztunnel does, so nothing but patterns that overlap stands in the way.
//
// Of rules that are ORed, clauses that are ANDed, alternatives that are ORed and conditions that are ANDed the complement is
// the conditions, negated, with AND for OR and OR for AND; it is multiplied out into rules that each have one source and one
// operation.
func complement(rules []rule) (out []rule, ok bool) {
	terms := []conditions{{}}
	for _, r := range rules {
		var options []conditions
		for _, c := range r {
			products := []conditions{{}}
			for _, a := range c.alternatives {
				if len(a) == 0 {
					continue // it never holds
				}
				var negations []conditions
				for _, f := range slices.Sorted(maps.Keys(a)) {
					negations = append(negations, conditions{negated(f): a[f]})
				}
				if products, ok = multiply(products, negations); !ok {
					return nil, false
				}
			}
			options = append(options, products...)
		}
		if terms, ok = multiply(terms, options); !ok {
			return nil, false
		}
	}
	for _, t := range terms {
		t, ok := t.writable()
		if !ok {
			return nil, false
		}
		out = append(out, asRule(t))
	}
	return out, true
}

// maxTerms is how long a complement may be and still be read by people.
const maxTerms = 32

func multiply(a, b []conditions) ([]conditions, bool) {
	var out []conditions
	for _, x := range a {
		for _, y := range b {
			both, possible, ok := x.and(y)
			if !ok {
				return nil, false
			}
			if possible {
				out = append(out, both)
			}
		}
	}
	return out, len(out) <= maxTerms
}

// and is both; possible is false where they exclude each other, ok where that cannot be written.
func (a conditions) and(b conditions) (out conditions, possible, ok bool) {
	out = maps.Clone(a)
	for f, values := range b {
		had, both := out[f]
		switch {
		case !both:
			out[f] = values
		case strings.HasPrefix(f, "not"):
			out[f] = union2(had, values)
		default:
			common, exact := intersection(had, values, f)
			if !exact {
				return nil, false, false
			}
			if len(common) == 0 {
				return nil, false, true
			}
			out[f] = common
		}
	}
	return out, true, true
}

func union2(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// intersection is what is in both lists; exact is false where a pattern or block is in one of them that the other does not
// have too.
func intersection(a, b []string, field string) (out []string, exact bool) {
	pattern := func(v string) bool { return field == "ipBlocks" || strings.Contains(v, "*") }
	for _, v := range slices.Concat(a, b) {
		in := slices.Contains(a, v) && slices.Contains(b, v)
		if pattern(v) && !in {
			return nil, false
		}
		if in && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out, true
}

// maxAccounts is how many service accounts a source may name (the CRD's schema).
const maxAccounts = 16

// writable is one source as the API server takes it: with service accounts, and not too many, or with principals and namespaces. A
// service account is written as the end of its principals, of any trust domain, where it has to be; ok is false where both have to
// hold.
func (a conditions) writable() (out conditions, ok bool) {
	const yes, no = "serviceAccounts", "notServiceAccounts"
	with := slices.ContainsFunc([]string{"principals", "notPrincipals", "namespaces", "notNamespaces"}, func(f string) bool { return len(a[f]) > 0 })
	if !with && len(a[yes]) <= maxAccounts && len(a[no]) <= maxAccounts {
		return a, true
	}
	if len(a[yes]) > 0 && len(a["principals"]) > 0 {
		return nil, false
	}
	out = maps.Clone(a)
	delete(out, yes)
	delete(out, no)
	if len(a[yes]) > 0 {
		out["principals"] = endsOf(a[yes])
	}
	if len(a[no]) > 0 {
		out["notPrincipals"] = union2(a["notPrincipals"], endsOf(a[no]))
	}
	return out, true
}

// endsOf are patterns of the principals of service accounts, each "namespace/name".
func endsOf(accounts []string) []string {
	var out []string
	for _, a := range accounts {
		ns, name, _ := strings.Cut(a, "/")
		out = append(out, "*/ns/"+ns+"/sa/"+name)
	}
	return out
}

// asRule is a rule with one source and one operation.
func asRule(c conditions) rule {
	to, from := conditions{}, conditions{}
	for f, v := range c {
		if f == portsField || f == negated(portsField) {
			to[f] = v
		} else {
			from[f] = v
		}
	}
	out := rule{}
	if len(to) > 0 {
		out = append(out, clause{alternatives: []conditions{to}})
	}
	if len(from) > 0 {
		out = append(out, clause{alternatives: []conditions{from}})
	}
	return out
}
