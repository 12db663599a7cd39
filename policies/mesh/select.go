package mesh

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"istio.io/api/label"
)

// Selection goes both ways: which workloads carry the labels of a selector, and which selectors labels
// satisfy. In a namespace of 2,000 pods and 500 policies either question, asked for each, is a million
// comparisons, so a crowded namespace remembers who carries and who asks for which label.

// crowded is how many objects make an index worth its memory; fewer are looked through.
const crowded = 32

type pair struct{ key, value string }

// workloadSet is the workloads of a namespace, as read once.
type workloadSet struct {
	all     []*Workload
	modes   map[Mode]bool
	index   sync.Once
	byLabel map[pair][]*Workload
	object  map[*Object][]*Workload // what was read from it
	owner   map[string][]*Workload  // its pods
}

func (w *workloadSet) indexed() *workloadSet {
	w.index.Do(func() {
		w.byLabel = map[pair][]*Workload{}
		w.object, w.owner = map[*Object][]*Workload{}, map[string][]*Workload{}
		for _, one := range w.all {
			for k, v := range one.Labels {
				w.byLabel[pair{k, v}] = append(w.byLabel[pair{k, v}], one)
			}
			w.object[one.Source] = append(w.object[one.Source], one)
			if one.Source.Kind == Pod && len(one.Source.Owners) > 0 {
				w.owner[one.Source.Owners[0]] = append(w.owner[one.Source.Owners[0]], one)
			}
		}
	})
	return w
}

// candidates are workloads among which are all that carry the labels: those with the rarest of them.
func (w *workloadSet) candidates(labels map[string]string) []*Workload {
	if len(w.all) < crowded {
		return w.all
	}
	out := w.all
	for k, v := range labels {
		if with := w.indexed().byLabel[pair{k, v}]; len(with) < len(out) {
			out = with
		}
	}
	return out
}

// Select are the workloads of a namespace that carry all of labels. Where the input shows no
// workload there at all, those that its Services ask for are imagined. Nil labels select every workload.
func (s *Snapshot) Select(ns string, labels map[string]string) []*Workload {
	var out []*Workload
	all := s.workloadsOf(ns)
	some := all.candidates(labels)
	if len(labels) == 0 || len(labels) == 1 && len(some) < len(all.all) { // there is nothing more to ask of them
		out = slices.Clone(some)
	} else {
		out = carrying(some, labels)
	}
	if len(out) == 0 && !s.HasWorkloads(ns) {
		return s.imagined(ns, labels)
	}
	return out
}

func carrying(workloads []*Workload, labels map[string]string) []*Workload {
	var out []*Workload
	for _, w := range workloads {
		if subset(labels, w.Labels) {
			out = append(out, w)
		}
	}
	return out
}

// imagined are the plain pods behind the Services whose selectors carry all of labels; one with
// nothing but labels where there is no such Service.
func (s *Snapshot) imagined(ns string, labels map[string]string) []*Workload {
	var out []*Workload
	for _, o := range s.List(Service, ns) {
		sel := o.Spec.(*ServiceSpec).Selector
		known := slices.ContainsFunc(out, func(w *Workload) bool { return maps.Equal(w.Labels, sel) })
		if len(sel) > 0 && subset(labels, sel) && !known {
			out = append(out, s.Imagine(ns, sel))
		}
	}
	if len(out) == 0 {
		return []*Workload{s.Imagine(ns, labels)}
	}
	return out
}

// Siblings are the workloads read from the object and, for a Pod, from the other Pods of what made
// it. The slice is shared.
func (s *Snapshot) Siblings(o *Object) []*Workload {
	w := s.workloadsOf(o.Namespace).indexed()
	if o.Kind == Pod && len(o.Owners) > 0 {
		return w.owner[o.Owners[0]]
	}
	return w.object[o]
}

// selectorKinds are the kinds whose selectors are asked for by workload.
var selectorKinds = [...]Kind{Service, ServiceEntry, AuthorizationPolicy}

// selectorIndex finds the objects of one kind in a namespace by a label that their selector asks
// for, as positions, so that they stay sorted.
type selectorIndex struct {
	byLabel map[pair][]int
	any     []int // without labels in the selector
}

// selectorOf is the labels by which an object of one of the selectorKinds selects workloads; ok is
// false for one that goes by no selector.
func selectorOf(o *Object) (labels map[string]string, ok bool) {
	switch b := o.Spec.(type) {
	case *ServiceSpec:
		return b.Selector, len(b.Selector) > 0 && b.Type != "ExternalName"
	case *ServiceEntrySpec:
		if b.WorkloadSelector != nil {
			return b.WorkloadSelector.Labels, len(b.WorkloadSelector.Labels) > 0
		}
	case *AuthorizationPolicySpec:
		if b.Selector != nil {
			labels = b.Selector.MatchLabels
		}
		return labels, len(b.Attachment().Refs()) == 0
	}
	return nil, false
}

func newSelectorIndex(objects []*Object) *selectorIndex {
	x := &selectorIndex{byLabel: map[pair][]int{}}
	for i, o := range objects {
		labels, ok := selectorOf(o)
		switch {
		case !ok:
		case len(labels) == 0:
			x.any = append(x.any, i)
		default:
			first := slices.Min(slices.Collect(maps.Keys(labels)))
			at := pair{first, labels[first]}
			x.byLabel[at] = append(x.byLabel[at], i)
		}
	}
	return x
}

// selecting appends the objects of one of the selectorKinds whose selectors labels satisfy, sorted.
// That a policy's selector has no labels counts as satisfied: what it means is not for here to say.
func (n *namespace) selecting(out []*Object, kind Kind, labels map[string]string) []*Object {
	objects := n.objects.of(kind)
	take := func(o *Object) {
		if want, ok := selectorOf(o); ok && subset(want, labels) {
			out = append(out, o)
		}
	}
	few := crowded
	if kind == Service {
		few = 4 // which Services a pod has is asked of every pod, for every policy over it, and they seldom change
	}
	if len(objects) < few {
		for _, o := range objects {
			take(o)
		}
		return out
	}
	remembered := n.selectors[slices.Index(selectorKinds[:], kind)]
	x := remembered.Load()
	if x == nil {
		x = newSelectorIndex(objects)
		remembered.Store(x)
	}
	var room [8]int
	found := append(room[:0], x.any...)
	for k, v := range labels {
		found = append(found, x.byLabel[pair{k, v}]...)
	}
	slices.Sort(found)
	for _, i := range found {
		take(objects[i])
	}
	return out
}

// ServicesOf are the Services and ServiceEntries of w's namespace that select it.
func (s *Snapshot) ServicesOf(w *Workload) []*Object {
	s.note(readList, Service, w.Namespace, "")
	s.note(readList, ServiceEntry, w.Namespace, "")
	n := s.namespace(w.Namespace)
	return n.selecting(n.selecting(nil, Service, w.Labels), ServiceEntry, w.Labels)
}

// PoliciesOver are the AuthorizationPolicies without targetRefs of the root namespace and of w's own whose
// selector w satisfies. Whether an empty selector selects anything is for the caller to say.
func (s *Snapshot) PoliciesOver(w *Workload) []*Object {
	root := s.RootNamespace()
	s.note(readList, AuthorizationPolicy, root, "")
	s.note(readList, AuthorizationPolicy, w.Namespace, "")
	out := s.namespace(root).selecting(nil, AuthorizationPolicy, w.Labels)
	if w.Namespace == root {
		return out
	}
	return s.namespace(w.Namespace).selecting(out, AuthorizationPolicy, w.Labels)
}

// keep shares with an older state of the namespace what remembers the answers that now in the place of old does not
// change; one of the two may be nil.
func (n *namespace) keep(was *namespace, changed Kind, old, now *Object) {
	n.workloads, n.selectors = was.workloads, was.selectors
	if DecidesWorkloads(changed) && !(changed == Gateway && was.runsNone(old, now)) {
		n.workloads = &atomic.Pointer[workloadSet]{}
	}
	if i := slices.Index(selectorKinds[:], changed); i >= 0 && !selectAlike(old, now) {
		n.selectors[i] = &atomic.Pointer[selectorIndex]{}
	}
}

// runsNone is whether no workload says that it is an instance of Gateways, of which any may be nil: to the others it is all one whether
// there are such. It is false where that is not known yet.
func (n *namespace) runsNone(gateways ...*Object) bool {
	set := n.workloads.Load()
	return set != nil && !slices.ContainsFunc(set.all, func(w *Workload) bool {
		name := w.Labels[label.IoK8sNetworkingGatewayGatewayName.Name]
		return name != "" && slices.ContainsFunc(gateways, func(gw *Object) bool { return gw != nil && gw.Name == name })
	})
}

// selectAlike is whether an object takes the place of one that selected the same workloads, so that an index of them
// still leads to it.
func selectAlike(old, now *Object) bool {
	if old == nil || now == nil {
		return false
	}
	a, okA := selectorOf(old)
	b, okB := selectorOf(now)
	return okA == okB && maps.Equal(a, b)
}
