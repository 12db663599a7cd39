package checks

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

const propertyMesh = `
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "trustDomain: prod\ntrustDomainAliases: [old]"}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {clusterIP: 10.96.0.1, selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {serviceAccountName: cart, containers: [{name: cart, image: cart, ports: [{containerPort: 8080}, {containerPort: 9090}]}]}
`

// TestVerdictsAtZtunnel lays the verdicts on random policies beside the brute-force model: what the
// policy denies or admits as written, and what is left of that at ztunnel, over a grid of calls.
func TestVerdictsAtZtunnel(t *testing.T) {
	objects, err := scenario.Objects([]byte(propertyMesh))
	if err != nil {
		t.Fatal(err)
	}
	s := mesh.New(mesh.Options{}, objects...)
	calls := grid()
	seen := map[policies.Verdict]int{}
	for seed := range uint64(4000) {
		r := writer{rand.New(rand.NewPCG(seed, 1))}
		content := r.policy()
		o, err := mesh.Decode(content)
		if err != nil {
			t.Fatal(err)
		}
		effects := policies.Effects(s.With(o), o)
		if len(effects) != 1 {
			t.Fatalf("%d effects of %s", len(effects), show(content))
		}
		seen[effects[0].Verdict]++
		if found := policies.Evaluate(policies.Checks(), policies.NewView(s.With(o)), o); effects[0].Verdict != policies.Enforced && len(found) == 0 {
			t.Errorf("seed %d: %s is %s (%s), and no check says so", seed, show(content), effects[0].Verdict, effects[0].Reason)
		}
		if wrong := compare(s, o, effects[0].Verdict, calls); wrong != "" {
			t.Errorf("seed %d: %s is %s: %s", seed, show(content), effects[0].Verdict, wrong)
		}
	}
	for _, v := range []policies.Verdict{policies.Enforced, policies.PartiallyEnforced, policies.NotEnforced, policies.DeniesAll, policies.OverDenies} {
		if seen[v] < 50 {
			t.Errorf("only %d of the policies are %s; the test says little of it", seen[v], v)
		}
	}
}

// compare says what is wrong with a verdict; "" if nothing.
func compare(s *mesh.Snapshot, o *mesh.Object, v policies.Verdict, calls []call) string {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	var says, does, missing, extra int
	for _, c := range calls {
		w := model{c, written, trustOf(s), o.Namespace}.matches(p)
		z := model{c, atZtunnel, trustOf(s), o.Namespace}.matches(p)
		says, does = says+count(w), does+count(z)
		missing, extra = missing+count(w && !z), extra+count(z && !w)
	}
	deny := p.Action == "DENY"
	nothing := map[bool]policies.Verdict{true: policies.NotEnforced, false: policies.DeniesAll}[deny]
	open := map[bool]int{true: missing, false: extra}[deny]
	switch {
	case says == 0:
		return ""
	case (v == nothing) != (does == 0):
		return fmt.Sprintf("it matches %d calls as written, %d at ztunnel", says, does)
	case v == policies.Enforced && missing+extra > 0:
		return fmt.Sprintf("%d calls are missing at ztunnel, %d too many match", missing, extra)
	case does > 0 && open > 0 && v != policies.PartiallyEnforced:
		return fmt.Sprintf("it fails open for %d calls", open)
	case does > 0 && open == 0 && missing+extra > 0 && v != policies.OverDenies && v != policies.PartiallyEnforced:
		return fmt.Sprintf("%d calls are denied that it does not say", missing+extra)
	}
	return ""
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func grid() []call {
	var out []call
	principals := []string{""}
	for _, td := range []string{"prod", "other"} {
		for _, ns := range []string{"a", "b"} {
			for _, sa := range []string{"x", "y"} {
				principals = append(principals, td+"/ns/"+ns+"/sa/"+sa)
			}
		}
	}
	for _, p := range principals {
		for _, ip := range []string{"10.0.0.1", "10.0.9.9"} {
			for _, port := range []uint16{8080, 9090} {
				for _, method := range []string{"GET", "POST"} {
					for _, token := range []string{"", "iss/sub"} {
						c := call{principal: p, ip: netip.MustParseAddr(ip), port: port, method: method, path: "/" + strings.ToLower(method), host: "cart", token: token}
						if port == 8080 {
							c.servicePort = 80
						}
						out = append(out, c)
					}
				}
			}
		}
	}
	return out
}

// writer writes random policies. A rule never contradicts itself: each attribute stands in it once.
type writer struct{ *rand.Rand }

func (w writer) pick(values ...string) string { return values[w.IntN(len(values))] }

func (w writer) policy() map[string]any {
	var rules []any
	for range 1 + w.IntN(3) {
		rules = append(rules, w.rule())
	}
	return map[string]any{
		"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
		"metadata": map[string]any{"name": "p", "namespace": "shop"},
		"spec":     map[string]any{"action": w.pick("ALLOW", "DENY"), "rules": rules},
	}
}

func (w writer) rule() map[string]any {
	rule := map[string]any{}
	switch w.IntN(4) {
	case 0, 1:
		var from []any
		for range 1 + w.IntN(2) {
			from = append(from, map[string]any{"source": w.source()})
		}
		rule["from"] = from
	case 2:
		key, values := w.sourceCondition()
		rule["when"] = []any{map[string]any{"key": key, w.pick("values", "notValues"): values}}
	}
	switch {
	case w.IntN(2) == 0:
		var to []any
		for range 1 + w.IntN(2) {
			to = append(to, map[string]any{"operation": w.operation()})
		}
		rule["to"] = to
	case w.IntN(3) == 0 && rule["when"] == nil:
		rule["when"] = []any{map[string]any{"key": "destination.port", w.pick("values", "notValues"): []any{w.pick("80", "8080", "9090")}}}
	}
	return rule
}

func (w writer) source() map[string]any {
	src := map[string]any{}
	who := [][2]string{
		{"namespaces", w.pick("a", "b")}, {"serviceAccounts", w.pick("a/x", "b/y")}, {"ipBlocks", w.pick("10.0.0.1", "10.0.0.0/24")},
		{"principals", w.pick("prod/ns/a/sa/x", "cluster.local/ns/a/sa/x", "old/*", "*/sa/y", "*")},
	}[w.IntN(4)]
	if w.IntN(4) > 0 {
		src[w.not(who[0])] = []any{who[1]}
	}
	if w.IntN(4) == 0 || len(src) == 0 {
		extra := [][2]string{{"trustDomains", w.pick("prod", "other")}, {"requestPrincipals", "*"}, {"remoteIpBlocks", "10.0.0.1"}}[w.IntN(3)]
		src[w.not(extra[0])] = []any{extra[1]}
	}
	return src
}

func (w writer) not(field string) string {
	if w.IntN(4) == 0 {
		return "not" + strings.ToUpper(field[:1]) + field[1:]
	}
	return field
}

func (w writer) sourceCondition() (string, []any) {
	all := [][2]string{
		{"source.namespace", "a"}, {"source.principal", "old/ns/a/sa/x"}, {"source.principal", "prod/*"}, {"source.ip", "10.0.0.1"},
		{"source.serviceAccount", "a/x"}, {"source.trustDomain", "prod"}, {"request.auth.principal", "*"},
	}
	c := all[w.IntN(len(all))]
	return c[0], []any{c[1]}
}

func (w writer) operation() map[string]any {
	op := map[string]any{}
	if w.IntN(2) == 0 {
		op[w.not("ports")] = []any{w.pick("80", "8080", "9090")}
	}
	if w.IntN(3) == 0 || len(op) == 0 {
		op[w.not(w.pick("methods"))] = []any{w.pick("GET", "POST")}
	}
	return op
}

func show(content map[string]any) string { return fmt.Sprint(content["spec"]) }
