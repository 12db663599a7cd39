package corpus

import (
	"slices"
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestWorkloadsCounted compares of how many workloads we say that their ztunnel enforces a policy with
// how many of those that istiod sent accept HBONE, which is what a ztunnel does for them, and carry it.
// istiod names on a workload only policies that select it; those of a namespace, or of the mesh, hold
// for all that live there.
func TestWorkloadsCounted(t *testing.T) {
	r := load(t, "testdata/mesh-a")
	compared := map[string]int{}
	for o := range r.snapshot.All(mesh.AuthorizationPolicy) {
		for _, e := range r.effects[name(o.Ref())] {
			if e.EnforcedBy != policies.Ztunnel {
				continue
			}
			compared[e.Target.Kind]++
			if theirs := r.carrying(e.Target, o.Key()); theirs != e.Workloads {
				t.Errorf("%s at %s: we say %d workloads, istiod %d", o, e.Target, e.Workloads, theirs)
			}
		}
	}
	for _, kind := range []string{policies.ScopeMesh, policies.ScopeNamespace, policies.ScopeSelector} {
		if compared[kind] == 0 {
			t.Errorf("no policy of scope %s is compared", kind)
		}
	}
}

func (r recording) carrying(target policies.Target, policy string) int {
	n := 0
	for _, w := range r.ambient.Workloads {
		if w.TunnelProtocol != "HBONE" {
			continue
		}
		switch target.Kind {
		case policies.ScopeSelector:
			if slices.Contains(w.AuthorizationPolicies, policy) {
				n++
			}
		case policies.ScopeNamespace:
			if w.Namespace == target.Name {
				n++
			}
		case policies.ScopeMesh:
			n++
		}
	}
	return n
}
