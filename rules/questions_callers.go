package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// callers are whom an AuthorizationPolicy names: many rules ask, and each would have to walk through all sources.
var callers = question("mesh.callers", "the principals, serviceAccounts and namespaces that a stored AuthorizationPolicy names, each with its path and, where it is no wildcard, with namespace, account and principal; exists is whether the service account is there, where the input shows that",
	ofObject, objects, func(s *session, a arguments) *ast.Term {
		o := s.view.Get(a.kind(0), a[1], a[2])
		if o == nil {
			return nil
		}
		spec, ok := o.Spec.(*mesh.AuthorizationPolicySpec)
		if !ok {
			panic(wrongArgument(a[0] + " names no callers"))
		}
		c := callerList{view: s.view, own: o.Namespace}
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
	view  *policies.View
	own   string
	terms []*ast.Term
}

func (c *callerList) add(kind, at string, values []string) {
	for i, value := range values {
		var trustDomain, ns, account string
		switch kind {
		case "principals":
			trustDomain, ns, account = splitPrincipal(value)
		case "serviceAccounts":
			trustDomain, ns, account = c.view.Settings().TrustDomain, c.own, value
			if before, after, qualified := strings.Cut(value, "/"); qualified {
				ns, account = before, after
			}
		default:
			ns = value
		}
		fields := []field{{"path", text(fmt.Sprintf("%s[%d]", at, i))}, {"field", text(kind)}, {"value", text(value)},
			{"trustDomain", exact(trustDomain)}, {"namespace", exact(ns)}, {"account", exact(account)}}
		if principal := trustDomain + "/ns/" + ns + "/sa/" + account; trustDomain != "" && account != "" {
			fields = append(fields, field{"principal", exact(principal)}, field{"exists", c.exists(trustDomain, ns, account)})
		}
		c.terms = append(c.terms, object(fields...))
	}
}

// exists is whether there is a service account; nil where that is not known: in another trust domain, and where the input
// shows no service account of the namespace. Kubernetes makes "default", and istiod those of its Gateways.
func (c *callerList) exists(trustDomain, ns, account string) *ast.Term {
	all := c.view.List(mesh.ServiceAccount, ns)
	if trustDomain != c.view.Settings().TrustDomain || !c.view.Known(ns) || len(all) == 0 || strings.Contains(account, "*") {
		return nil
	}
	return truth(account == "default" || c.view.Get(mesh.ServiceAccount, ns, account) != nil ||
		slices.ContainsFunc(c.view.Workloads(ns), func(w *mesh.Workload) bool { return w.ServiceAccount == account }) ||
		slices.ContainsFunc(c.view.List(mesh.Gateway, ns), func(gw *mesh.Object) bool { return runsAs(gw, account) }))
}

// runsAs is whether istiod gives a Gateway's pods a service account: that of the annotation, else its name, to which a gateway
// that is no waypoint adds its class.
func runsAs(gw *mesh.Object, account string) bool {
	if own := gw.Annotations[annotation.GatewayServiceAccount.Name]; own != "" {
		return own == account
	}
	return gw.Name == account || gw.Name+"-"+gw.Spec.(*mesh.GatewayBody).Spec.GatewayClassName == account
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
