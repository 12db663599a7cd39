package gatekeeper

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules"
)

// A template that judges pods is asked of each when it is made. Waywarden is not asked about pods, and of those that something owns no
// spec is kept: what they are like is said by the template of their owner, and that is where the rule looks instead.

// makers are the kinds of which a rule about pods is asked.
func makers() (out []string) {
	for _, k := range []mesh.Kind{mesh.Deployment, mesh.StatefulSet, mesh.DaemonSet, mesh.ReplicaSet, mesh.Pod, mesh.Job, mesh.CronJob} {
		out = append(out, rules.KindName(k))
	}
	return out
}

// ofPods is the Rego by which a rule about pods is asked of what makes them.
const ofPods = `
deny contains v if {
	not owned
	some v in violation
}

# What something owns is asked of its owner.
owned if {
	some owner in input.object.metadata.ownerReferences
	owner.kind in {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"}
}

pod_spec := input.object.spec if input.object.kind == "Pod"

pod_spec := input.object.spec.template.spec if not input.object.kind in {"Pod", "CronJob"}

pod_spec := input.object.spec.jobTemplate.spec.template.spec if input.object.kind == "CronJob"

pod_metadata := input.object.metadata if input.object.kind == "Pod"

pod_metadata := object.get(input.object.spec.template, "metadata", {}) if not input.object.kind in {"Pod", "CronJob"}

pod_metadata := object.get(input.object.spec.jobTemplate.spec.template, "metadata", {}) if input.object.kind == "CronJob"
`

// ownNames refuses a module in which something is called as in ofPods.
func (t *translation) ownNames(m *ast.Module) {
	for _, r := range m.Rules {
		if name := string(r.Head.Name); slices.Contains([]string{"deny", "owned", "pod_spec", "pod_metadata"}, name) {
			t.refuse(r.Location.Row, "it has a rule called %s, as the rule does that becomes of it. Rename it.", name)
		}
	}
}

// looksAtOwners is whether a module asks for the owners of a pod, so that it is about the pod itself.
func looksAtOwners(m *ast.Module) (does bool) {
	ast.WalkRefs(m, func(ref ast.Ref) bool {
		does = does || begins(ref, "review", "object", "metadata", "ownerReferences")
		return false
	})
	return does
}

// begins is whether a reference is into the input, along some fields.
func begins(ref ast.Ref, fields ...string) bool {
	return ref[0].Equal(ast.InputRootDocument) && len(ref) > len(fields) &&
		slices.EqualFunc(fields, []*ast.Term(ref[1:len(fields)+1]), func(s string, term *ast.Term) bool { return term.Equal(ast.StringTerm(s)) })
}

// ofPod has what looks at a pod look where its owner says it, and returns false of what is the same for both.
func (t *translation) ofPod(ref ast.Ref, row int) bool {
	switch {
	case !begins(ref, "review") || begins(ref, "review", "name") || begins(ref, "review", "namespace"):
		return false
	case t.lib:
		t.refuse(row, "a lib looks at %s, and the rule about pods that becomes of it looks at the templates of their owners. Hand the value on from the template.", ref)
	case begins(ref, "review", "object", "spec"):
		t.replace(ref, 3, "pod_spec")
	case begins(ref, "review", "object", "metadata", "labels"), begins(ref, "review", "object", "metadata", "annotations"):
		t.replace(ref, 3, "pod_metadata")
	case begins(ref, "review", "object", "metadata", "name"), begins(ref, "review", "object", "metadata", "namespace"):
		return false
	case begins(ref, "review", "object", "kind") && len(ref) == 4, begins(ref, "review", "kind", "kind") && len(ref) == 4:
		t.replace(ref, 3, `"Pod"`)
	default:
		t.refuse(row, "it looks at %s of a pod, and a rule about pods is asked of what makes them, whose template says spec, metadata.labels and metadata.annotations, beside its own name and namespace. "+
			"Look at one of these, or ask of the owners in a Constraint of their own.", ref)
	}
	return true
}
