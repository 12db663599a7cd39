package inventory

import (
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/policies/mesh"
)

// mirror is what a watch knows of a cluster, and the Snapshot made of it. It has no client and starts nothing: it
// can be told any sequence of events. Whoever holds mu is the one writer; readers of the Snapshot never wait for it.
type mirror struct {
	options  mesh.Options
	now      func() time.Time
	snapshot atomic.Pointer[mesh.Snapshot]
	places   atomic.Pointer[mesh.Snapshot] // the Namespaces as last read, while snapshot holds none
	heard    atomic.Int64                  // when, in nanoseconds since 1970; 0: never
	synced   chan struct{}                 // closed with the first Snapshot of a whole list

	mu             sync.Mutex
	sources        map[sourceKey]*source
	passed         []mesh.Kind // kinds of evidence that are not read
	silent         []Unread    // kinds whose API group does not answer
	discovered     bool
	discoveryError string // why the cluster does not say what it serves; "" where it does
	built          bool   // whether the Snapshot is that of the sources
	whole          bool   // whether it has Namespaces
	subscriptions  map[*Subscription]struct{}
}

func newMirror(options mesh.Options, now func() time.Time) *mirror {
	m := &mirror{options: options, now: now, synced: make(chan struct{}), sources: map[sourceKey]*source{},
		subscriptions: map[*Subscription]struct{}{}}
	m.snapshot.Store(mesh.New(options))
	m.places.Store(m.snapshot.Load())
	return m
}

// name is a name in a namespace, "" for what is cluster-scoped.
type name struct{ namespace, name string }

// sourceKey tells the resources apart that are read: each is read as a whole, but for those of which single objects are.
type sourceKey struct {
	schema.GroupResource
	only name
}

// source is what is known of one resource. It is written to with the mirror's mu held.
type source struct {
	resource
	objects  map[name]*mesh.Object
	ignored  map[name]struct{}
	problems map[name]reading
	marks    map[name]*Mark

	settled  bool    // listed, or known to be unreadable
	failures int     // since it was last listed
	unread   *Unread // set where it could not be read
	trouble  string  // why no news comes at present, though it was read
	missing  bool    // the API server said that there is no such resource
	revived  bool    // follows one that was missing, and has not been listed yet
	again    bool    // follows one that followed one that was missing: discovery goes on naming what is not there
	stopped  bool    // what it is still told no longer counts
	stop     func()
}

func newSource(r resource) *source {
	return &source{resource: r, objects: map[name]*mesh.Object{}, ignored: map[name]struct{}{}, problems: map[name]reading{}, marks: map[name]*Mark{}, stop: func() {}}
}

// put is whether that makes a difference to the mesh: most of what a cluster says of its pods does not.
func (s *source) put(n name, r reading) bool {
	if r.mark != nil {
		s.marks[n] = r.mark
	}
	delete(s.ignored, n)
	delete(s.problems, n)
	switch {
	case r.ignored:
		s.ignored[n] = struct{}{}
	case r.object == nil:
		s.problems[n] = r
	}
	was := s.objects[n]
	if r.object == nil {
		delete(s.objects, n)
		return was != nil
	}
	if was != nil && reflect.DeepEqual(was, r.object) {
		return false
	}
	s.objects[n] = r.object
	return true
}

func (s *source) remove(n name) bool {
	_, was := s.objects[n]
	delete(s.objects, n)
	delete(s.ignored, n)
	delete(s.problems, n)
	delete(s.marks, n)
	return was
}

// replace takes a complete list. It returns where that makes a difference: what is no longer in a list was deleted while
// nobody looked, so there is no such thing as a deletion that was missed.
func (s *source) replace(list []*item) []name {
	var changed []name
	seen := make(map[name]struct{}, len(list))
	for _, i := range list {
		seen[i.id()] = struct{}{}
		if s.put(i.id(), i.reading) {
			changed = append(changed, i.id())
		}
	}
	for n := range s.objects {
		if _, ok := seen[n]; !ok {
			delete(s.objects, n)
			changed = append(changed, n)
		}
	}
	keep(s.ignored, seen)
	keep(s.problems, seen)
	keep(s.marks, seen)
	return changed
}

func keep[V any](m map[name]V, only map[name]struct{}) {
	for n := range m {
		if _, ok := only[n]; !ok {
			delete(m, n)
		}
	}
}

// put is told what an object has become.
func (m *mirror) put(s *source, n name, r reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.stopped && s.put(n, r) {
		m.advance(s.kind, n)
	}
}

// remove is told that an object is gone.
func (m *mirror) remove(s *source, n name) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.stopped && s.remove(n) {
		m.advance(s.kind, n)
	}
}

// replace is told of all objects of a resource.
func (m *mirror) replace(s *source, list []*item) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.stopped {
		return
	}
	s.settled, s.failures, s.unread, s.trouble, s.missing, s.revived, s.again = true, 0, nil, "", false, false, false
	m.settle(s.kind, s.replace(list)...)
}

// settle goes on from a change of what can be read.
func (m *mirror) settle(kind mesh.Kind, changed ...name) {
	if !m.built && !m.complete() {
		return
	}
	unread := m.unread()
	m.options.Unread = hidden(unread, m.unheard(), m.passed)
	if now := whole(unread); !m.built || now != m.whole {
		m.whole = now
		m.rebuild()
		return
	}
	m.advance(kind, changed...)
	if was := m.snapshot.Load(); was.WithUnread(m.options.Unread) != was {
		m.publish(was.WithUnread(m.options.Unread))
	}
	m.rouse() // also where that makes no other Snapshot: what could not be read may be readable now
}

func (m *mirror) complete() bool {
	for _, s := range m.sources {
		if !s.settled {
			return false
		}
	}
	return m.discovered
}

// advance makes the next Snapshot, with changed objects of a kind. Many at once are cheaper taken together.
func (m *mirror) advance(kind mesh.Kind, changed ...name) {
	if !m.built || len(changed) == 0 {
		return
	}
	if kind == mesh.Namespace && !m.whole {
		m.place()
	}
	was := m.snapshot.Load()
	if len(changed) > 64+was.Len()/32 {
		m.rebuild()
		return
	}
	next := was
	for _, n := range changed {
		if o := m.object(kind, n); o != nil {
			next = next.With(o)
		} else {
			next = next.Without(&mesh.Object{Kind: kind, Namespace: n.namespace, Name: n.name})
		}
	}
	if next != was {
		m.publish(next)
	}
}

// object is the one that counts, of those of its name that several API groups serve; nil where there is none, or
// where it may not be shown.
func (m *mirror) object(kind mesh.Kind, n name) *mesh.Object {
	if kind == mesh.Namespace && !m.whole {
		return nil
	}
	for _, group := range kind.Groups() {
		gr := schema.GroupResource{Group: group, Resource: kind.Resource()}
		for _, only := range []name{{}, n} {
			if s := m.sources[sourceKey{gr, only}]; s != nil && s.objects[n] != nil {
				return s.objects[n]
			}
		}
	}
	return nil
}

// rebuild makes the Snapshot anew, of everything.
func (m *mirror) rebuild() {
	var all []*mesh.Object
	for _, s := range m.sources {
		for n, o := range s.objects {
			if m.object(s.kind, n) == o {
				all = append(all, o)
			}
		}
	}
	if !m.whole {
		m.place()
	}
	first := !m.built
	m.built = true
	m.publish(mesh.New(m.options, all...))
	if m.whole {
		m.places.Store(mesh.New(m.options)) // the Snapshot itself says it
	}
	if first {
		close(m.synced)
	}
}

// place keeps which labels Namespaces have while the Snapshot holds none of them: Guardrails go on selecting by those.
// Where Namespaces may no longer be read, what was last read of them stands.
func (m *mirror) place() {
	var all []*mesh.Object
	for _, s := range m.of(mesh.Namespace) {
		if s.unread != nil {
			all = slices.Collect(m.snapshot.Load().All(mesh.Namespace))
			break
		}
		all = slices.AppendSeq(all, maps.Values(s.objects))
	}
	if len(all) > 0 {
		m.places.Store(mesh.New(m.options, all...))
	}
}

// NamespaceLabels are the labels of a namespace, also while Snapshot holds no Namespace; nil where they are not known. It
// waits for nobody.
func (m *mirror) NamespaceLabels(name string) map[string]string {
	for _, s := range []*mesh.Snapshot{m.snapshot.Load(), m.places.Load()} {
		if o := s.Get(mesh.Namespace, "", name); o != nil {
			return o.Labels
		}
	}
	return nil
}

func (m *mirror) publish(next *mesh.Snapshot) {
	m.snapshot.Store(next)
	m.rouse()
}

// rouse has every Subscription look.
func (m *mirror) rouse() {
	for s := range m.subscriptions {
		s.notify()
	}
}
