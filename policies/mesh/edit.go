package mesh

import (
	"slices"

	"istio.io/api/label"
)

// edit is a Snapshot that is being made of another, which stays as it is. What it has copied already it writes to, so that
// many changes cost little more than the namespaces that they touch.
type edit struct {
	from     *Snapshot
	next     Snapshot
	fresh    map[string]*namespace // those that are copied
	refs     *indexEdit
	settings bool // whether one is among the changes on which the settings depend
	classes  bool // a GatewayClass
}

func (s *Snapshot) edit() *edit {
	return &edit{from: s, next: *s, fresh: map[string]*namespace{}, refs: s.refs.edit()}
}

// put makes o what is there by the kind, namespace and name of id; nil is nothing.
func (e *edit) put(id, o *Object) {
	// Whoever asks what would be asks about what is: the answers about the whole mesh are found anew, and by these.
	home := id.Home()
	e.from.note(readObject, id.Kind, home, id.Name)
	e.from.note(readWorkloads, 0, home, "")
	ns := e.namespace(home)
	list := ns.objects.of(id.Kind)
	var old *Object
	if i, found := findName(list, id.Name); found {
		old = list[i]
	}
	if old == nil && o == nil {
		return
	}
	e.refs.update(old, o)
	now := replaced(list, id.Name, o)
	ns.objects = ns.objects.with(id.Kind, now)
	e.next.count += len(now) - len(list)
	if id.Kind == Namespace {
		ns.object = o
	}
	workloads := ns.workloads
	ns.keep(ns, id.Kind, old, o)
	if id.Kind == Namespace && old != nil && o != nil && e.from.EnrolsAlike(old, o) || id.Kind == Gateway && noInstance(workloads.Load(), id.Name) {
		ns.workloads = workloads
	}
	e.settings = e.settings || settingsDependOn(old) || settingsDependOn(o)
	e.classes = e.classes || id.Kind == GatewayClass
}

// noInstance is whether none of the workloads, which are known, is an instance of a Gateway: then it decides nothing about them.
func noInstance(w *workloadSet, gateway string) bool {
	return w != nil && !slices.ContainsFunc(w.all, func(w *Workload) bool {
		return w.Labels[label.IoK8sNetworkingGatewayGatewayName.Name] == gateway
	})
}

// namespace is one to be written to.
func (e *edit) namespace(name string) *namespace {
	if ns := e.fresh[name]; ns != nil {
		return ns
	}
	var ns *namespace
	if was := e.from.namespaces.get(name); was != nil {
		c := *was
		ns = &c
	} else {
		ns = newNamespace()
	}
	e.fresh[name] = ns
	return ns
}

// done is the Snapshot that was made.
func (e *edit) done() *Snapshot {
	for name, ns := range e.fresh {
		if ns.empty() {
			e.fresh[name] = nil
		}
	}
	next := e.next
	next.remembered = &remembered{}
	next.refs = e.refs.index
	next.namespaces = e.from.namespaces.with(e.fresh)
	if e.settings {
		next.settings = next.readSettings()
	}
	if e.classes || !next.readsWorkloadsLike(e.from) {
		next.namespaces = forgetWorkloads(next.namespaces)
	}
	return &next
}

// Edited is the Snapshot with some objects in it, in place of those of the same kind and name, and without some others. It is
// With and Without of one after another, and costs less.
func (s *Snapshot) Edited(with, without []*Object) *Snapshot {
	if len(with)+len(without) == 0 {
		return s
	}
	e := s.edit()
	for _, o := range without {
		e.put(o, nil)
	}
	for _, o := range with {
		e.put(o, o)
	}
	return e.done()
}
