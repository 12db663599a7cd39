package mesh

import (
	"iter"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
)

// Snapshot is the mesh at one moment, or as it would be. It is immutable and safe for concurrent
// use. With and Without cost the touched namespace, not the mesh.
type Snapshot struct {
	options    Options
	settings   *Settings
	namespaces directory // "" holds what is cluster-scoped
	refs       index
	count      int
	remembered *remembered
	recorder   *Recorder // nil where nobody wants to know what is asked
}

// namespace holds the objects of one namespace. It is immutable but for
// the answers that it remembers. What remembers one is shared by all states of the namespace between which
// nothing changed that decides it: whoever asks first, be it of a mesh as it would be, has it found for all of
// them.
type namespace struct {
	object    *Object // the Namespace itself; nil where it is not in the input
	objects   lists
	workloads *atomic.Pointer[workloadSet]
	selectors [len(selectorKinds)]*atomic.Pointer[selectorIndex]
}

// newNamespace is one that remembers nothing.
func newNamespace() *namespace {
	n := &namespace{workloads: &atomic.Pointer[workloadSet]{}}
	for i := range n.selectors {
		n.selectors[i] = &atomic.Pointer[selectorIndex]{}
	}
	return n
}

// New makes a Snapshot of objects. Where two are the same object, the last one counts.
func New(options Options, objects ...*Object) *Snapshot {
	b := builder{namespaces: map[string]*namespace{}, refs: map[refersTo][]*Object{}}
	for _, o := range objects {
		b.add(o)
	}
	return b.snapshot(options)
}

// builder makes a Snapshot of many objects at once, without the cost of one persistent update each.
type builder struct {
	namespaces map[string]*namespace
	refs       map[refersTo][]*Object
}

func (b *builder) add(o *Object) {
	name := o.Home()
	ns := b.namespaces[name]
	if ns == nil {
		ns = newNamespace()
		b.namespaces[name] = ns
	}
	ns.objects.set(o.Kind, append(ns.objects.of(o.Kind), o))
}

func (b *builder) snapshot(options Options) *Snapshot {
	s := &Snapshot{options: options.withDefaults(), remembered: &remembered{}}
	for _, ns := range b.namespaces {
		for k := range kindCount {
			list := sortLast(ns.objects.of(k))
			if list == nil {
				continue
			}
			ns.objects.set(k, list)
			s.count += len(list)
			for _, o := range list {
				for _, key := range referencesOf(o) {
					b.refs[key] = append(b.refs[key], o)
				}
			}
		}
		if own := ns.objects.of(Namespace); len(own) > 0 {
			ns.object = own[0]
		}
	}
	for key, from := range b.refs {
		slices.SortFunc(from, compareObjects)
		b.refs[key] = slices.Compact(from)
	}
	s.namespaces, s.refs = newDirectory(b.namespaces), newIndex(b.refs)
	s.settings = s.readSettings()
	return s
}

// sortLast sorts objects of one kind by name and keeps the last given of each name.
func sortLast(objects []*Object) []*Object {
	sort.SliceStable(objects, func(i, j int) bool { return objects[i].Name < objects[j].Name })
	out := objects[:0]
	for i, o := range objects {
		if i+1 < len(objects) && objects[i+1].Name == o.Name {
			continue
		}
		out = append(out, o)
	}
	return slices.Clip(out)
}

// Home is the namespace under which the object is filed, "" for one that lies in none. A Namespace is filed
// under its own name.
func (o *Object) Home() string {
	if o.Kind == Namespace {
		return o.Name
	}
	return o.Namespace
}

func compareObjects(a, b *Object) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	if c := strings.Compare(a.Namespace, b.Namespace); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// With is the Snapshot with o in it, in place of the object of the same kind and name if there is one.
func (s *Snapshot) With(o *Object) *Snapshot { return s.update(o, o) }

// Without is the Snapshot without the object of o's kind, namespace and name.
func (s *Snapshot) Without(o *Object) *Snapshot { return s.update(o, nil) }

// Emptied is the Snapshot without what lies in a namespace, as it is once the Namespace was deleted. The Namespace
// itself stays, so that what was in it is known to be gone. It costs what the namespace holds.
func (s *Snapshot) Emptied(name string) *Snapshot {
	s.note(readObjects, 0, "", "")
	for k := range kindCount {
		if k == Namespace {
			continue
		}
		for _, o := range s.namespace(name).objects.of(k) {
			s = s.Without(o)
		}
	}
	return s
}

func (s *Snapshot) update(id, o *Object) *Snapshot {
	if s.Get(id.Kind, id.Namespace, id.Name) == nil && o == nil {
		return s
	}
	e := s.edit()
	e.put(id, o)
	return e.done()
}

// empty is whether nothing is left in the namespace, so that it is as if it had never been.
func (n *namespace) empty() bool {
	for k := range kindCount {
		if len(n.objects.of(k)) > 0 {
			return false
		}
	}
	return true
}

// readsWorkloadsLike is whether all that decides about the workloads of every namespace is as in t, but for the
// GatewayClasses: whom istio-cni captures, and whose entries an istiod sees, which is only known where the root namespace is.
func (s *Snapshot) readsWorkloadsLike(t *Snapshot) bool {
	a, b := s.settings, t.settings
	if s.Known(a.RootNamespace) != t.Known(b.RootNamespace) {
		return false
	}
	return a == b || slices.Equal(a.Revisions, b.Revisions) && a.EnrolmentFrom == b.EnrolmentFrom &&
		slices.Equal(a.ExcludedNamespaces, b.ExcludedNamespaces) && reflect.DeepEqual(a.Enrolment, b.Enrolment)
}

// forgetWorkloads drops what namespaces remember of their workloads: a GatewayClass, which lives in
// no namespace, decides which pods are waypoints in all of them, and so does how Istio is installed.
func forgetWorkloads(namespaces directory) directory {
	var out directory
	for _, p := range namespaces.pages {
		states := make([]*namespace, len(p.states))
		for i, ns := range p.states {
			states[i] = &namespace{object: ns.object, objects: ns.objects, workloads: &atomic.Pointer[workloadSet]{}, selectors: ns.selectors}
		}
		out.pages = append(out.pages, &page{p.names, states})
	}
	return out
}

func replaced(objects []*Object, name string, o *Object) []*Object {
	i, found := findName(objects, name)
	switch {
	case found && o != nil:
		out := slices.Clone(objects)
		out[i] = o
		return out
	case found:
		return slices.Concat(objects[:i], objects[i+1:])
	case o != nil:
		return slices.Concat(objects[:i], []*Object{o}, objects[i:])
	}
	return objects
}

func findName(objects []*Object, name string) (int, bool) {
	return slices.BinarySearchFunc(objects, name, func(o *Object, n string) int { return strings.Compare(o.Name, n) })
}

// Get is the object of that kind, namespace and name, or nil.
func (s *Snapshot) Get(kind Kind, ns, name string) *Object {
	if kind == Namespace {
		ns = name
	}
	s.note(readObject, kind, ns, name)
	objects := s.namespace(ns).objects.of(kind)
	if i, ok := findName(objects, name); ok {
		return objects[i]
	}
	return nil
}

var nowhere = newNamespace()

func (s *Snapshot) namespace(name string) *namespace {
	if n := s.namespaces.get(name); n != nil {
		return n
	}
	return nowhere
}

// List is the objects of that kind in a namespace ("" for cluster-scoped kinds), by name. The
// slice is shared: do not write to it.
func (s *Snapshot) List(kind Kind, ns string) []*Object {
	s.note(readList, kind, ns, "")
	return s.namespace(ns).objects.of(kind)
}

// All iterates over the objects of a kind, by namespace and name.
func (s *Snapshot) All(kind Kind) iter.Seq[*Object] {
	return func(yield func(*Object) bool) {
		s.note(readAll, kind, "", "")
		for _, ns := range s.namespaces.all() {
			for _, o := range ns.objects.of(kind) {
				if !yield(o) {
					return
				}
			}
		}
	}
}

// AllUnder iterates over the objects of a kind that are below something in a namespace: those of that
// namespace, or of the root namespace all.
func (s *Snapshot) AllUnder(kind Kind, ns string) iter.Seq[*Object] {
	if ns == s.RootNamespace() {
		return s.All(kind)
	}
	return slices.Values(s.List(kind, ns))
}

// Objects iterates over everything: by namespace, kind and name.
func (s *Snapshot) Objects() iter.Seq[*Object] {
	return func(yield func(*Object) bool) {
		s.note(readObjects, 0, "", "")
		for _, ns := range s.namespaces.all() {
			for k := range kindCount {
				for _, o := range ns.objects.of(k) {
					if !yield(o) {
						return
					}
				}
			}
		}
	}
}

// Namespaces iterates over the names of all namespaces that hold something or whose object is in
// the input, sorted.
func (s *Snapshot) Namespaces() iter.Seq[string] {
	return func(yield func(string) bool) {
		s.note(readNames, 0, "", "")
		for name := range s.namespaces.all() {
			if name != "" && !yield(name) {
				return
			}
		}
	}
}

// Len is the number of objects.
func (s *Snapshot) Len() int { return s.count }

// Known is whether the namespace is whole: its Namespace object is in the input, or the caller
// asked to assume every namespace enrolled, and so what is not in it does not exist.
func (s *Snapshot) Known(ns string) bool {
	s.note(readObject, Namespace, ns, ns)
	return s.options.AssumeAmbient || s.namespace(ns).object != nil
}

// Whole is whether every namespace of which the input shows anything is known.
func (s *Snapshot) Whole() bool {
	s.note(readWhole, 0, "", "")
	s = s.unrecorded()
	for ns := range s.Namespaces() {
		if !s.Known(ns) {
			return false
		}
	}
	return true
}

// NamespaceLabels are the labels of a namespace; nil where its object is not in the input.
func (s *Snapshot) NamespaceLabels(ns string) map[string]string {
	s.note(readObject, Namespace, ns, ns)
	if o := s.namespace(ns).object; o != nil {
		return o.Labels
	}
	if s.options.AssumeAmbient {
		return assumedLabels
	}
	return nil
}
