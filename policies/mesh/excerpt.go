package mesh

import "slices"

// Excerpt is the mesh of no more than some namespaces, Istio's root namespace and what lies in none. Others are not known in
// it. It is for questions about one place that would be too slow to ask of a whole mesh, and costs the namespaces it has.
func (s *Snapshot) Excerpt(namespaces ...string) *Snapshot {
	wanted := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(namespaces), "", s.RootNamespace()))))
	var objects []*Object
	for _, ns := range wanted {
		n := s.namespace(ns)
		for k := range kindCount {
			objects = append(objects, n.objects.of(k)...)
		}
	}
	return New(s.options, objects...)
}
