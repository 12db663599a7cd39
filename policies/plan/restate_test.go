package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// The proof of twins: for random policies without targetRefs, every caller and every port gets the same answer before the Service
// is bound, from ztunnel, and after it, from the waypoint and from ztunnel that sees the waypoint. Answers come from an evaluator
// of policies as they are written, which knows nothing of how twins are made.

// hop is a call as one enforcement point sees it: a waypoint, or ztunnel.
type hop struct {
	principal string
	ip        string
	port      string
	envoy     bool
}

// called are principals as the enforcement point reads them. ztunnel strips spiffe:// (rbac.rs); Envoy is sent each pattern with
// it in front, and compares with the whole URI (authz/matcher/string.go StringMatcherWithPrefix).
func (h hop) called(patterns []string) []string {
	var out []string
	for _, p := range patterns {
		if rest, ok := strings.CutPrefix(p, "spiffe://"); ok && !h.envoy {
			p = rest
		}
		out = append(out, p)
	}
	return out
}

// holds is whether a rule of people's writing holds of a call.
func holds(r *mesh.Rule, h hop, ns string) bool {
	to := len(r.To) == 0 || slices.ContainsFunc(r.To, func(t struct {
		Operation mesh.Operation `json:"operation"`
		Unknown   []string       `json:",unknown"`
	}) bool {
		return is(t.Operation.Ports, h.port) && not(t.Operation.NotPorts, h.port)
	})
	from := len(r.From) == 0
	for i := range r.From {
		s := &r.From[i].Source
		id := identity{h.principal}
		from = from || is(h.called(s.Principals), h.principal) && not(h.called(s.NotPrincipals), h.principal) && is(s.Namespaces, id.namespace()) && not(s.NotNamespaces, id.namespace()) &&
			isAccount(s.ServiceAccounts, id.account(), ns) && !(len(s.NotServiceAccounts) > 0 && isAccount(s.NotServiceAccounts, id.account(), ns)) &&
			isPrefix(s.IPBlocks, h.ip) && !(len(s.NotIPBlocks) > 0 && isPrefix(s.NotIPBlocks, h.ip))
	}
	when := !slices.ContainsFunc(r.When, func(w mesh.Condition) bool {
		subject := map[string]string{"source.principal": h.principal, "source.namespace": identity{h.principal}.namespace(), "destination.port": h.port}[w.Key]
		values, notValues := w.Values, w.NotValues
		if w.Key == "source.principal" {
			values, notValues = h.called(values), h.called(notValues)
		}
		return !is(values, subject) || !not(notValues, subject)
	})
	return to && from && when
}

func is(values []string, subject string) bool {
	return len(values) == 0 || slices.ContainsFunc(values, func(v string) bool { return glob(v, subject) })
}

func not(values []string, subject string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return glob(v, subject) })
}

func glob(pattern, s string) bool {
	if rest, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, rest)
	}
	if rest, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(s, rest)
	}
	return pattern == s
}

func isAccount(values []string, account, ns string) bool {
	return len(values) == 0 || slices.ContainsFunc(values, func(v string) bool {
		if !strings.Contains(v, "/") {
			v = ns + "/" + v
		}
		return v == account
	})
}

func isPrefix(values []string, ip string) bool {
	return len(values) == 0 || slices.ContainsFunc(values, func(v string) bool {
		return strings.HasPrefix(ip, strings.TrimSuffix(v, "0/24"))
	})
}

// judge is the answer of one enforcement point to a call.
func judge(own []*mesh.Object, h hop) bool {
	var allows, allowed bool
	for _, o := range own {
		spec := o.Spec.(*mesh.AuthorizationPolicySpec)
		hit := slices.ContainsFunc(spec.Rules, func(r mesh.Rule) bool { return holds(&r, h, o.Namespace) })
		switch {
		case policies.Action(spec) == policies.Deny && hit:
			return false
		case policies.Action(spec) == policies.Allow:
			allows, allowed = true, allowed || hit
		}
	}
	return !allows || allowed
}

// randomRules are rules on clients and ports as YAML.
func randomRules(r *rand.Rand) string {
	var rules []string
	for len(rules) == 0 || r.IntN(2) == 0 { // an ALLOW of nobody is another matter: it leaves it to others who gets in
		var parts []string
		if r.IntN(5) > 0 {
			var sources []string
			for range 1 + r.IntN(2) {
				sources = append(sources, "{source: {"+strings.Join(randomFields(r), ", ")+"}}")
			}
			parts = append(parts, "from: ["+strings.Join(sources, ", ")+"]")
		}
		if r.IntN(3) == 0 {
			parts = append(parts, fmt.Sprintf(`to: [{operation: {%s: ["%s"]}}]`, pick(r, "ports", "notPorts"), pick(r, "8080", "9090", "7070")))
		}
		switch r.IntN(8) {
		case 0:
			parts = append(parts, fmt.Sprintf(`when: [{key: source.principal, %s: [%s]}]`, pick(r, "values", "notValues"), pick(r, `"spiffe://cluster.local/ns/a/sa/x"`, "cluster.local/ns/b/*")))
		case 1:
			parts = append(parts, fmt.Sprintf(`when: [{key: source.namespace, %s: [%s]}]`, pick(r, "values", "notValues"), pick(r, "a", "b")))
		}
		if len(parts) > 0 {
			rules = append(rules, "{"+strings.Join(parts, ", ")+"}")
		}
	}
	return "[" + strings.Join(rules, ", ") + "]"
}

func randomFields(r *rand.Rand) []string {
	all := []string{
		"principals: [" + pick(r, "cluster.local/ns/a/sa/x", "cluster.local/ns/shop/sa/waypoint, cluster.local/ns/b/sa/x", "cluster.local/ns/b/sa/x, cluster.local/ns/a/sa/y", "cluster.local/ns/a/*", `"*/sa/x"`, `"spiffe://cluster.local/ns/a/sa/x"`, `"spiffe://cluster.local/ns/b/*"`) + "]",
		"notPrincipals: [" + pick(r, "cluster.local/ns/a/sa/x", "cluster.local/ns/shop/sa/waypoint", "cluster.local/ns/shop/sa/waypoint, cluster.local/ns/a/sa/y", `"spiffe://cluster.local/ns/b/sa/x"`) + "]",
		"namespaces: [" + pick(r, "a", "b", "a, b") + "]",
		"notNamespaces: [" + pick(r, "b", "shop, b") + "]",
		"notServiceAccounts: [" + pick(r, "a/x", "b/x, a/y") + "]",
		"serviceAccounts: [" + pick(r, "a/x", "a/y, shop/waypoint", "b/x, a/y") + "]",
		`ipBlocks: ["203.0.113.0/24"]`,
		`notIpBlocks: ["203.0.113.0/24"]`,
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	seen, out := map[string]bool{}, []string{}
	for _, f := range all[:1+r.IntN(2)] {
		key := strings.TrimPrefix(strings.ToLower(strings.SplitN(f, ":", 2)[0]), "not")
		if key == "serviceaccounts" && len(seen) > 0 && !seen["ipblocks"] || seen["serviceaccounts"] && key != "ipblocks" {
			continue // the API server takes those alone
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, f)
		}
	}
	return out
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

var twinMesh = []string{
	`{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}`,
	`{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}, {name: http-b, port: 81, targetPort: 9090}]}}`,
	`{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`,
	`{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: shop}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}}`,
}

// TestTwins: see above.
func TestTwins(t *testing.T) {
	exact, stopped, compared := 0, 0, 0
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 2))
		var own, objects, atWaypoint []*mesh.Object
		for i := range 1 + r.IntN(3) {
			own = append(own, parse(fmt.Sprintf(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p%d, namespace: shop}, spec: {action: %s, selector: {matchLabels: {app: cart}}, rules: %s}}`,
				i, pick(r, "ALLOW", "DENY"), randomRules(r))))
		}
		told := false
		if r.IntN(3) == 0 { // an ALLOW at the waypoint, so that only a complement can say who is let in
			told = r.IntN(2) == 0
			rules := "[{}]"
			if told {
				rules = "[{from: [{source: {namespaces: [a, b]}}]}]"
			}
			atWaypoint = append(atWaypoint, parse(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: others, namespace: shop}, spec: {action: ALLOW, targetRefs: [{group: "", kind: Service, name: cart}], rules: `+rules+`}}`))
		}
		for _, text := range twinMesh {
			objects = append(objects, parse(text))
		}
		s := mesh.New(mesh.Options{}, slices.Concat(objects, own, atWaypoint)...)
		got := restate(s, s, s.Get(mesh.Service, "shop", "cart"), func(map[string]any, map[string]string) {})
		if got.why != "" {
			stopped++
			continue
		}
		exact++
		if leftAlone(own, told) {
			continue // whoever names the waypoint answers for it
		}
		atPods, people := slices.Clone(own), slices.Clone(atWaypoint)
		for _, p := range got.policies {
			o := decode(p.Manifest)
			if why := unwritable(o); why != "" {
				t.Fatalf("seed %d: the API server would refuse %v: %s", seed, p.Manifest["spec"], why)
			}
			if p.Role == Twin {
				atWaypoint = append(atWaypoint, o)
			} else {
				atPods = append(atPods, o)
			}
		}
		for _, principal := range []string{"cluster.local/ns/a/sa/x", "cluster.local/ns/a/sa/y", "cluster.local/ns/b/sa/x", "cluster.local/ns/c/sa/z"} {
			for _, ip := range []string{"203.0.113.7", "198.51.100.7"} {
				for port, target := range map[string]string{"80": "8080", "81": "9090"} {
					was := judge(own, hop{principal, ip, target, false}) && judge(people, hop{principal, ip, port, true})
					is := judge(atWaypoint, hop{principal, ip, port, true}) && judge(atPods, hop{"cluster.local/ns/shop/sa/waypoint", "198.51.100.99", target, false})
					compared++
					if was != is {
						t.Fatalf("seed %d: %s from %s to port %s: %v before, %v after\n%s", seed, principal, ip, port, was, is, specsOf(own, atWaypoint, atPods))
					}
				}
			}
		}
	}
	if exact < 500 || stopped < 100 || compared < 5000 {
		t.Errorf("%d exact, %d stopped, %d calls compared: too few to tell anything", exact, stopped, compared)
	}
	t.Logf("%d exact, %d stopped, %d calls compared", exact, stopped, compared)
}

// leftAlone is whether a rule names the waypoint and nobody else, or is one of several who names it where policies there say who gets
// in.
func leftAlone(own []*mesh.Object, told bool) bool {
	waypoint := identity{"cluster.local/ns/shop/sa/waypoint"}
	return slices.ContainsFunc(own, func(o *mesh.Object) bool {
		return slices.ContainsFunc(rulesOf(o), func(r rule) bool { return r.onlyTells(waypoint) || told && r.names(waypoint) })
	})
}

// unwritable is why the API server would refuse an AuthorizationPolicy by what the CRD's schema says of sources, "" where it would not.
// That it is all that the schema says of what is written here is shown on an API server, in test/waypoints.
func unwritable(o *mesh.Object) string {
	for _, r := range o.Spec.(*mesh.AuthorizationPolicySpec).Rules {
		for i := range r.From {
			s := &r.From[i].Source
			switch {
			case len(s.ServiceAccounts) > 16 || len(s.NotServiceAccounts) > 16:
				return "too many service accounts"
			case len(s.ServiceAccounts)+len(s.NotServiceAccounts) > 0 && len(s.Principals)+len(s.NotPrincipals)+len(s.Namespaces)+len(s.NotNamespaces) > 0:
				return "cannot set serviceAccounts with namespaces or principals"
			}
		}
	}
	return ""
}

func specsOf(lists ...[]*mesh.Object) string {
	var out []string
	for _, l := range lists {
		for _, o := range l {
			out = append(out, fmt.Sprint(o.Name, " ", o.Content()["spec"]))
		}
		out = append(out, "--")
	}
	return strings.Join(out, "\n")
}
