package rules

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies/mesh"
)

// callers are whom an AuthorizationPolicy names: many rules ask, and each would have to walk through all sources.
var callers = question("mesh.callers", "the principals, serviceAccounts and namespaces that a stored AuthorizationPolicy names, each with its path and, where it is no wildcard, with namespace, account and principal",
	ofObject, objects, func(s *session, a arguments) *ast.Term {
		o := s.view.Get(a.kind(0), a[1], a[2])
		if o == nil {
			return nil
		}
		spec, ok := o.Spec.(*mesh.AuthorizationPolicySpec)
		if !ok {
			panic(wrongArgument(a[0] + " names no callers"))
		}
		c := callerList{trustDomain: s.view.Settings().TrustDomain, own: o.Namespace}
		for i, rule := range spec.Rules {
			for j, from := range rule.From {
				at := fmt.Sprintf("spec.rules[%d].from[%d].source.", i, j)
				c.add("principals", at+"principals", from.Source.Principals)
				c.add("serviceAccounts", at+"serviceAccounts", from.Source.ServiceAccounts)
				c.add("namespaces", at+"namespaces", from.Source.Namespaces)
			}
			for j, condition := range rule.When {
				if field := conditionOn[condition.Key]; field != "" {
					c.add(field, fmt.Sprintf("spec.rules[%d].when[%d].values", i, j), condition.Values)
				}
			}
		}
		return ast.NewTerm(ast.NewArray(c.terms...))
	})

// conditionOn are the fields of a source that mean the same as the key of a condition.
var conditionOn = map[string]string{"source.principal": "principals", "source.serviceAccount": "serviceAccounts", "source.namespace": "namespaces"}

type callerList struct {
	trustDomain, own string
	terms            []*ast.Term
}

func (c *callerList) add(kind, at string, values []string) {
	for i, value := range values {
		var trustDomain, ns, account string
		switch kind {
		case "principals":
			trustDomain, ns, account = splitPrincipal(value)
		case "serviceAccounts":
			trustDomain, ns, account = c.trustDomain, c.own, value
			if before, after, qualified := strings.Cut(value, "/"); qualified {
				ns, account = before, after
			}
		default:
			ns = value
		}
		fields := []field{{"path", text(fmt.Sprintf("%s[%d]", at, i))}, {"field", text(kind)}, {"value", text(value)},
			{"trustDomain", exact(trustDomain)}, {"namespace", exact(ns)}, {"account", exact(account)}}
		if principal := trustDomain + "/ns/" + ns + "/sa/" + account; trustDomain != "" && account != "" {
			fields = append(fields, field{"principal", exact(principal)})
		}
		c.terms = append(c.terms, object(fields...))
	}
}

// exact is a text that is no wildcard, and no field where it is one.
func exact(s string) *ast.Term {
	if strings.Contains(s, "*") {
		return nil
	}
	return optional(s)
}

// splitPrincipal takes cluster.local/ns/shop/sa/web apart.
func splitPrincipal(p string) (trustDomain, ns, account string) {
	parts := strings.Split(p, "/")
	if len(parts) != 5 || parts[1] != "ns" || parts[3] != "sa" {
		return "", "", ""
	}
	return parts[0], parts[2], parts[4]
}
