package oracle

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestReading evaluates rules, as Envoy has them, on an HTTP chain of port 80, a TCP chain of port 9000 and the
// chain for what is addressed to pods.
func TestReading(t *testing.T) {
	svc := &mesh.Object{Kind: mesh.Service, Name: "cart", Spec: &mesh.ServiceSpec{Ports: []mesh.ServicePortSpec{{Port: 80, TargetPort: mesh.IntOrString{Int: 8080}}}}}
	address := []netip.Prefix{netip.MustParsePrefix("10.96.0.1/32")}
	lines := []line{{service: svc, port: 80, http: true, addresses: address}, {service: svc, port: 9000, addresses: address}, {}}
	const anybody = `,"principals":[{"andIds":{"ids":[{"any":true}]}}]}`
	tests := []struct {
		name, rule string
		on         []bool
		deaf       bool
	}{
		{"anything", `{"permissions":[{"any":true}]` + anybody, []bool{true, true, true}, false},
		{"a port", `{"permissions":[{"destinationPort":80}]` + anybody, []bool{true, false, true}, false},
		{"a port beside one that nobody has", `{"permissions":[{"orRules":{"rules":[{"destinationPort":9000},{"destinationPort":1}]}}]` + anybody, []bool{false, true, true}, false},
		{"the pods' port beside the Service's", `{"permissions":[{"orRules":{"rules":[{"destinationPort":80},{"destinationPort":8080}]}}]` + anybody, []bool{true, false, true}, false},
		{"any but a port", `{"permissions":[{"notRule":{"orRules":{"rules":[{"destinationPort":80}]}}}]` + anybody, []bool{false, true, true}, false},
		{"two ports at once", `{"permissions":[{"andRules":{"rules":[{"destinationPort":80},{"destinationPort":9000}]}}]` + anybody, []bool{false, false, true}, false},
		{"not this header, which some call has and some has not", `{"permissions":[{"notRule":{"header":{"name":":method"}}}]` + anybody, []bool{true, true, true}, false},
		{"the address", `{"permissions":[{"destinationIp":{"addressPrefix":"10.96.0.0","prefixLen":16}}]` + anybody, []bool{true, true, true}, false},
		{"another address", `{"permissions":[{"destinationIp":{"addressPrefix":"10.1.0.0","prefixLen":16}}]` + anybody, []bool{false, false, true}, false},
		{"nobody", `{"permissions":[{"any":true}],"principals":[{"notId":{"any":true}}]}`, []bool{false, false, false}, false},
	}
	for _, tt := range tests {
		r := reading{lines: lines}
		on, _, err := r.rule([]byte(tt.rule))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.on, on); diff != "" || r.deaf != tt.deaf {
			t.Errorf("%s: deaf %v (-want +got):\n%s", tt.name, r.deaf, diff)
		}
	}
	services := reading{lines: lines[:2]}
	if _, _, err := services.rule([]byte(`{"permissions":[{"destinationPort":80},{"destinationPort":1}]` + anybody)); err != nil || !services.deaf {
		t.Errorf("an alternative for a port that no chain has was not noticed: %v", err)
	}
}

func TestParseRule(t *testing.T) {
	tests := map[string]ruleKey{
		"ns[shop]-policy[deny]-rule[2]":                                                      {"shop/deny", 2, false, false},
		"istio-ext-authz-opa-ns[shop]-policy[ask]-rule[0]":                                   {"shop/ask", 0, true, false},
		"istio-ext-authz-opa-ns[shop]-policy[ask]-rule[0]-deny-due-to-bad-CUSTOM-action":     {"shop/ask", 0, true, true},
		"istio-ext-authz-ns[istio-system]-policy[a.b]-rule[1]-deny-due-to-bad-CUSTOM-action": {"istio-system/a.b", 1, true, true},
	}
	for name, want := range tests {
		if got, ok := parseRule(name); !ok || got != want {
			t.Errorf("%s: %+v %v, want %+v", name, got, ok, want)
		}
	}
	if _, ok := parseRule("envoy.filters.http.rbac"); ok {
		t.Error("a name of another form was taken for a rule's")
	}
}
