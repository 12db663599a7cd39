package plan

import (
	"cmp"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// sources find the labels of a plan that a change comes from, by their places: looking through all of them for each change would take
// as long as there are of both.
type sources struct {
	binding map[mesh.Ref][]int // by what they bind, of whatever version
	in      map[string][]int   // by namespace
	all     []int
}

func sourcesOf(labels []Label) *sources {
	out := &sources{map[mesh.Ref][]int{}, map[string][]int{}, make([]int, len(labels))}
	for i, l := range labels {
		for _, r := range l.Binds {
			r.APIVersion = ""
			out.binding[r] = append(out.binding[r], i)
		}
		out.in[home(l.On)] = append(out.in[home(l.On)], i)
		out.all[i] = i
	}
	return out
}

// behind are the labels that a change comes from: those that bind what the policy is about, then those near it.
func (s *sources) behind(after *mesh.Snapshot, c Change) []int {
	exact := slices.Clone(s.binding[mesh.Ref{Kind: c.Target.Kind, Namespace: c.Target.Namespace, Name: c.Target.Name}])
	if o := find(after, c.Object); o != nil {
		for _, f := range policies.Fronts(after, o) {
			for _, svc := range f.Services {
				exact = append(exact, s.binding[mesh.Ref{Kind: svc.Kind.String(), Namespace: svc.Namespace, Name: svc.Name}]...)
			}
		}
	}
	slices.Sort(exact)
	exact = slices.Compact(exact)
	near := s.in[cmp.Or(c.Target.Namespace, c.Target.Name, c.Object.Namespace)]
	if c.Target.Kind == policies.ScopeMesh {
		near = s.all
	}
	out := slices.Clone(exact)
	for _, i := range near {
		if _, is := slices.BinarySearch(exact, i); !is {
			out = append(out, i)
		}
	}
	return out
}
