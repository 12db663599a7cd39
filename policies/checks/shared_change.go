package checks

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// standsFor is the object by which a message names a workload: what it was read from, else the Namespace
// in which it is imagined.
func standsFor(v *policies.View, w *mesh.Workload) *mesh.Object {
	if w.Source != nil {
		return w.Source
	}
	if ns := v.Get(mesh.Namespace, "", w.Namespace); ns != nil {
		return ns
	}
	return &mesh.Object{Kind: mesh.Namespace, Name: w.Namespace}
}

// reached are the namespaces in which a policy without targetRefs can select something: all for one of
// the root namespace.
func reached(v *policies.View, ns string) []string {
	if ns != v.RootNamespace() {
		return []string{ns}
	}
	var out []string
	for name := range v.Namespaces() {
		out = append(out, name)
	}
	return out
}

// homes are the namespaces in which objects stand, each once: where a change takes something away from them.
func homes(objects []*mesh.Object) []string {
	var out []string
	for _, o := range objects {
		out = append(out, o.Home())
	}
	slices.Sort(out)
	return slices.Compact(out)
}
