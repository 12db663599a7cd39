package decide

import (
	"fmt"
	"testing"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// busy is a Rulebook of 20 Guardrails and 200 Exemptions, a mesh of 500 namespaces, and findings: of one namespace, and
// of a policy of the root namespace that reaches all of them.
func busy(t testing.TB) (*Rulebook, Request, map[string][]policies.Finding) {
	var rails []*v1alpha1.Guardrail
	for i := range 20 {
		rails = append(rails, rail(fmt.Sprintf("g%02d", i), []string{"prod", "dev", "test"}[i%3],
			rule(v1alpha1.Warn, "*"), rule(v1alpha1.Audit, "waypoint/*"), from(rule(v1alpha1.Warn, "effect/*"), "high")))
	}
	var passes []*v1alpha1.Exemption
	for i := range 200 {
		e := pass(fmt.Sprintf("e%03d", i), 30, "other-*", "effect/*")
		e.Namespace = fmt.Sprintf("ns-%03d", i%50)
		passes = append(passes, e)
	}
	var (
		objects []*mesh.Object
		names   []string
	)
	for i := range 500 {
		names = append(names, fmt.Sprintf("ns-%03d", i))
		objects = append(objects, namespace(t, names[i], map[string]any{"env": []any{"prod", "dev"}[i%2], "team": "a"}))
	}
	r, problems := New(Options{}, rails, passes)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s := mesh.New(mesh.Options{}, objects...)
	var one, root []policies.Finding
	for range 5 {
		one = append(one, found(noOp, policies.High, "ns-007"))
		root = append(root, found(noOp, policies.High, names...))
	}
	return r, Request{Mesh: s, Before: s}, map[string][]policies.Finding{"OneNamespace": one, "AllNamespaces": root}
}

// TestJudgeAllocatesLittle bounds what a Decision costs: the rulings, the votes, and a few more, however many findings,
// Guardrails and namespaces there are.
func TestJudgeAllocatesLittle(t *testing.T) {
	r, req, findings := busy(t)
	for name, f := range findings {
		if n := testing.AllocsPerRun(100, func() { r.Judge(req, f, now) }); n > 5 {
			t.Errorf("%s: %v allocations, more than 5", name, n)
		}
	}
}

// BenchmarkJudge is one Decision about five findings. It is on the way of every admission.
func BenchmarkJudge(b *testing.B) {
	r, req, findings := busy(b)
	for name, f := range findings {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Judge(req, f, now)
			}
		})
	}
}
