package policies

import (
	"iter"
	"maps"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Which AuthorizationPolicies without targetRefs ztunnel applies to a workload.

// AllowsAt are the ALLOW policies that ztunnel applies to a workload.
func AllowsAt(s *mesh.Snapshot, w *mesh.Workload) []*mesh.Object { return attachedAt(s, w, Allow) }

// DeniesAt are the DENY policies that ztunnel applies to a workload.
func DeniesAt(s *mesh.Snapshot, w *mesh.Workload) []*mesh.Object { return attachedAt(s, w, Deny) }

func attachedAt(s *mesh.Snapshot, w *mesh.Workload, action string) []*mesh.Object {
	var out []*mesh.Object
	for _, o := range s.PoliciesOver(w) {
		if p := o.Spec.(*mesh.AuthorizationPolicySpec); Action(p) == action && !Tries(o) && !s.OtherRevision(o) && Selects(p.Selector, w) {
			out = append(out, o)
		}
	}
	return out
}

// apart are the workloads but for those that follow one of the same namespace and labels, as the pods of one owner do: no selector tells them apart.
func apart(workloads []*mesh.Workload) iter.Seq[*mesh.Workload] {
	return func(yield func(*mesh.Workload) bool) {
		var last *mesh.Workload
		for _, w := range workloads {
			if last != nil && w.Namespace == last.Namespace && maps.Equal(w.Labels, last.Labels) {
				continue
			}
			if last = w; !yield(w) {
				return
			}
		}
	}
}

// Selects is whether a policy's selector attaches it to a workload at ztunnel. `selector: {}`
// attaches it to nothing; `selector: {matchLabels: {}}` to everything (docs/semantics.md).
func Selects(sel *mesh.WorkloadSelector, w *mesh.Workload) bool {
	return sel == nil || sel.MatchLabels != nil && w.Carries(sel.MatchLabels)
}
