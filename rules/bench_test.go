package rules

import (
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// typical has a guard, three nested loops, a test of a text and a message.
const typical = `deny contains {"msg": msg, "path": sprintf("spec.rules[%d]", [i])} if {
	input.object.spec.action == "DENY"
	some i, rule in input.object.spec.rules
	some to in rule.to
	some method in to.operation.methods
	endswith(method, "T")
	msg := sprintf("method %s is denied to all", [method])
}`

// BenchmarkTypicalRule is one rule that finds something, the input included.
func BenchmarkTypicalRule(b *testing.B) {
	p := pack(b, map[string]string{"x": typical})
	all := objectsOf(b, denyPolicy)
	checks, s := p.Checks(), mesh.New(mesh.Options{}, all...)
	b.ReportAllocs()
	for b.Loop() {
		policies.Evaluate(checks, policies.NewView(s), all[0])
	}
}

// TestTypicalAllocations holds what a typical rule costs that finds something. A time means nothing on a machine that others use.
func TestTypicalAllocations(t *testing.T) {
	const most = 70
	p := pack(t, map[string]string{"x": typical})
	all := objectsOf(t, denyPolicy)
	checks, s := p.Checks(), mesh.New(mesh.Options{}, all...)
	found := 0
	n := testing.AllocsPerRun(100, func() { found = len(policies.Evaluate(checks, policies.NewView(s), all[0])) })
	t.Logf("%.0f allocations", n)
	if n > most || found != 1 {
		t.Errorf("%.0f allocations, at most %d; %d findings", n, most, found)
	}
}
