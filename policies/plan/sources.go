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

// exactly are the labels that bind what a change is about, of which a policy without targetRefs is over the pods.
func (s *sources) exactly(after *mesh.Snapshot, c Change) []int {
	out := slices.Clone(s.binding[mesh.Ref{Kind: c.Target.Kind, Namespace: c.Target.Namespace, Name: c.Target.Name}])
	if o := find(after, c.Object); o != nil {
		for _, f := range policies.Fronts(after, o) {
			for _, svc := range f.Services {
				out = append(out, s.binding[mesh.Ref{Kind: svc.Kind.String(), Namespace: svc.Namespace, Name: svc.Name}]...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// behind are the labels that a change comes from: those that bind what the policy is about, then those near it.
func (s *sources) behind(after *mesh.Snapshot, c Change) []int {
	exact := s.exactly(after, c)
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

// Origins say what each of the changes and of the notices of a plan for a mesh comes with: the object to label; or the waypoint, for what
// asks for it already. A zero Ref is for what comes with the plan as a whole.
func (p *Plan) Origins(s *mesh.Snapshot) (changes, notices []mesh.Ref) {
	after, by := p.Apply(s), sourcesOf(p.Labels)
	for _, c := range p.Changes {
		changes = append(changes, p.origin(after, by, c))
	}
	for _, n := range p.Notices {
		at := policies.Target{Kind: n.On.Kind, Namespace: n.On.Namespace, Name: n.On.Name}
		notices = append(notices, p.origin(after, by, Change{Target: at}))
	}
	return changes, notices
}

func (p *Plan) origin(after *mesh.Snapshot, by *sources, c Change) mesh.Ref {
	if exact := by.exactly(after, c); len(exact) > 0 {
		return p.Labels[exact[0]].On
	}
	at := RefOf(mesh.Gateway, c.Target.Namespace, c.Target.Name)
	if i := slices.IndexFunc(p.Labels, func(l Label) bool { return l.Waypoint() == at }); i >= 0 && c.Target.Kind == at.Kind {
		return p.Labels[i].On
	}
	if i := slices.IndexFunc(p.Waypoints, func(w Waypoint) bool { return w.Ref() == at }); i >= 0 && c.Target.Kind == at.Kind {
		return at
	}
	if binds := p.bindAt(after, c); len(binds) > 0 {
		return binds[0].Ref()
	}
	if near := by.behind(after, c); len(near) > 0 {
		return p.Labels[near[0]].On
	}
	return mesh.Ref{}
}
