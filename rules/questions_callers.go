package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/sieve"
)

// callers are whom an AuthorizationPolicy names: many rules ask, and each would have to walk through all sources.
var callers = answered("mesh.callers", "the principals, serviceAccounts and namespaces that a stored AuthorizationPolicy names, each with its path and, where it is no wildcard, with namespace, account and principal; exists is whether the service account is there, where the input shows that",
	ofObject, objects, func(s *session, a arguments) sieve.Value {
		o := s.view.Get(s.kind(a[0]), a[1], a[2])
		if o == nil {
			return sieve.Value{}
		}
		spec, ok := o.Spec.(*mesh.AuthorizationPolicySpec)
		if !ok {
			panic(wrongArgument(a[0] + " names no callers"))
		}
		c := callerList{session: s, own: o.Namespace}
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
		return sieve.Of(&c)
	})

// conditionOn are the fields of a source that mean the same as the key of a condition.
var conditionOn = map[string]string{"source.principal": "principals", "source.serviceAccount": "serviceAccounts", "source.namespace": "namespaces"}

// callerList is whom a policy names. What is known of each is found out when somebody looks.
type callerList struct {
	session *session
	own     string
	all     []caller
}

// caller is one value of a policy. Its parts are empty where it does not say them exactly.
type caller struct {
	field, value                    string
	at                              string // the list that it is in
	index                           int    // there
	trustDomain, namespace, account string
}

// Len is how many there are.
func (c *callerList) Len() int { return len(c.all) }

// At is one of them.
func (c *callerList) At(i int) sieve.Value { return sieve.Of(&callerSeen{c, &c.all[i]}) }

// Term is the list.
func (c *callerList) Term() *ast.Term {
	out := make([]*ast.Term, len(c.all))
	for i := range c.all {
		out[i] = callerFields.term(&callerSeen{c, &c.all[i]})
	}
	return ast.NewTerm(ast.NewArray(out...))
}

func (c *callerList) add(kind, at string, values []string) {
	for i, value := range values {
		var trustDomain, ns, account string
		switch kind {
		case "principals":
			trustDomain, ns, account = splitPrincipal(value)
		case "serviceAccounts":
			trustDomain, ns, account = c.session.view.Settings().TrustDomain, c.own, value
			if before, after, qualified := strings.Cut(value, "/"); qualified {
				ns, account = before, after
			}
		default:
			ns = value
		}
		c.all = append(c.all, caller{kind, value, at, i, trustDomain, ns, account})
	}
}

// callerSeen is a caller in the mesh that is asked.
type callerSeen struct {
	list *callerList
	*caller
}

// Get is a field of a caller.
func (c *callerSeen) Get(field string) sieve.Value { return callerFields.get(c, field) }

// named is whether it is one service account, as a principal.
func (c *caller) named() bool { return c.trustDomain != "" && c.account != "" }

var callerFields = fields[*callerSeen]{
	{"path", func(c *callerSeen) sieve.Value { return sieve.Text(fmt.Sprintf("%s[%d]", c.at, c.index)) }},
	{"field", func(c *callerSeen) sieve.Value { return sieve.Text(c.field) }},
	{"value", func(c *callerSeen) sieve.Value { return sieve.Text(c.value) }},
	{"trustDomain", func(c *callerSeen) sieve.Value { return exact(c.trustDomain) }},
	{"namespace", func(c *callerSeen) sieve.Value { return exact(c.namespace) }},
	{"account", func(c *callerSeen) sieve.Value { return exact(c.account) }},
	{"principal", func(c *callerSeen) sieve.Value {
		if !c.named() {
			return sieve.Value{}
		}
		return exact(c.trustDomain + "/ns/" + c.namespace + "/sa/" + c.account)
	}},
	{"exists", func(c *callerSeen) sieve.Value {
		if !c.named() {
			return sieve.Value{}
		}
		return c.list.exists(c.trustDomain, c.namespace, c.account)
	}},
}

// exists is whether there is a service account; undefined where that is not known: in another trust domain, and where the input
// shows no service account of the namespace. Kubernetes makes "default", and istiod those of its Gateways.
func (c *callerList) exists(trustDomain, ns, account string) sieve.Value {
	view := c.session.view
	all := view.List(mesh.ServiceAccount, ns)
	if trustDomain != view.Settings().TrustDomain || !view.Known(ns) || len(all) == 0 || strings.Contains(account, "*") {
		return sieve.Value{}
	}
	return sieve.Truth(account == "default" || view.Get(mesh.ServiceAccount, ns, account) != nil ||
		slices.ContainsFunc(view.Workloads(ns), func(w *mesh.Workload) bool { return w.ServiceAccount == account }) ||
		slices.ContainsFunc(view.List(mesh.Gateway, ns), func(gw *mesh.Object) bool { return runsAs(gw, account) }))
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
func exact(s string) sieve.Value {
	if strings.Contains(s, "*") {
		return sieve.Value{}
	}
	return sieve.Optional(s)
}

// splitPrincipal takes cluster.local/ns/shop/sa/web apart.
func splitPrincipal(p string) (trustDomain, ns, account string) {
	parts := strings.Split(p, "/")
	if len(parts) != 5 || parts[1] != "ns" || parts[3] != "sa" {
		return "", "", ""
	}
	return parts[0], parts[2], parts[4]
}
