package mesh

import (
	"iter"
	"maps"
	"reflect"
	"slices"
)

// Read is one thing that was asked of a Snapshot, as a value that can be a key. What an answer was found by is what it has
// to be found anew for, and nothing else: Differences says which Reads are answered otherwise by a later Snapshot.
type Read struct {
	what readOf
	kind Kind
	ns   string
	name string // of an object, or what is referred to, or a host
}

type readOf uint8

const (
	readObject    readOf = iota // one object: kind, ns, name
	readList                    // all of a kind in a namespace
	readAll                     // all of a kind
	readObjects                 // everything
	readNames                   // which namespaces there are
	readWorkloads               // the workloads of a namespace
	readReferrers               // who refers to name
	readClients                 // who calls in the mesh
	readSpans                   // whether it spans networks
	readHosts                   // what a wildcard host covers
	readWhole                   // whether all is known
)

// Anything is the Read that every change answers otherwise.
var Anything = Read{what: readObjects}

// Recorder takes down what is asked of a Snapshot. It is for one goroutine. What is read off the Settings is not taken
// down: everything is, while they are the same.
type Recorder struct{ reads map[Read]struct{} }

// NewRecorder has taken down nothing.
func NewRecorder() *Recorder { return &Recorder{reads: map[Read]struct{}{}} }

// Recorded is the Snapshot, with everything that is asked of it, and of Snapshots made from it, taken down.
func (s *Snapshot) Recorded(r *Recorder) *Snapshot {
	c := *s
	c.recorder = r
	return &c
}

// Take is what was taken down since the last Take, in no order.
func (r *Recorder) Take() []Read {
	out := slices.Collect(maps.Keys(r.reads))
	clear(r.reads)
	return out
}

func (s *Snapshot) note(what readOf, kind Kind, ns, name string) {
	if s.recorder != nil {
		s.recorder.reads[Read{what, kind, ns, name}] = struct{}{}
	}
}

// Begin takes down apart, until End, what is asked to find an answer that others will be given without asking. outer is for
// End.
func (s *Snapshot) Begin() (outer map[Read]struct{}) {
	if s.recorder == nil {
		return nil
	}
	outer = s.recorder.reads
	s.recorder.reads = map[Read]struct{}{}
	return outer
}

// End is what was asked since Begin; it counts for what goes on around it too. Nil where nothing is taken down.
func (s *Snapshot) End(outer map[Read]struct{}) []Read {
	if s.recorder == nil {
		return nil
	}
	found := s.recorder.Take()
	s.recorder.reads = outer
	s.Again(found)
	return found
}

// Again takes down what was asked to find an answer that is given once more.
func (s *Snapshot) Again(reads []Read) {
	if s.recorder == nil {
		return
	}
	for _, r := range reads {
		s.recorder.reads[r] = struct{}{}
	}
}

// unrecorded is the Snapshot for finding what it remembers: by whom that is found first is a matter of chance, so that what
// is asked for it counts for nobody, and the answer as a whole is a Read of its own.
func (s *Snapshot) unrecorded() *Snapshot {
	if s.recorder == nil {
		return s
	}
	c := *s
	c.recorder = nil
	return &c
}

// OfMesh is whether it is about the mesh as a whole, and the answer something that a Snapshot finds out once. Most changes leave such
// an answer as it is, so that it is worth comparing.
func (r Read) OfMesh() bool {
	return r.what == readClients || r.what == readSpans || r.what == readHosts
}

// Differences are the Reads that two Snapshots may answer otherwise; all is whether that is any Read at all. ofMesh are those Reads
// OfMesh that anybody has asked: of the others it is not said. It costs what changed, a glance at each namespace, and what
// it takes to answer ofMesh.
func Differences(before, after *Snapshot, ofMesh iter.Seq[Read]) (reads map[Read]struct{}, all bool) {
	if before.settings != after.settings && !reflect.DeepEqual(before.settings, after.settings) || !reflect.DeepEqual(before.options, after.options) {
		return nil, true
	}
	d := differences{before: before, after: after, reads: map[Read]struct{}{}}
	d.objects()
	d.namespaces()
	if len(d.reads) > 0 {
		for r := range ofMesh {
			if d.differs(r) {
				d.reads[r] = struct{}{}
			}
		}
	}
	return d.reads, false
}

type differences struct {
	before, after *Snapshot
	reads         map[Read]struct{}
}

func (d *differences) add(what readOf, kind Kind, ns, name string) {
	d.reads[Read{what, kind, ns, name}] = struct{}{}
}

// objects are those Reads that are about the changed objects themselves, and what these refer to.
func (d *differences) objects() {
	for was, is := range Changes(d.before, d.after) {
		o := is
		if o == nil {
			o = was
		}
		d.add(readObject, o.Kind, o.Home(), o.Name)
		d.add(readList, o.Kind, o.Home(), "")
		d.add(readAll, o.Kind, "", "")
		d.add(readObjects, 0, "", "")
		for _, one := range []*Object{was, is} {
			if one == nil {
				continue
			}
			for _, key := range referencesOf(one) {
				d.add(readReferrers, 0, "", key.String())
			}
		}
	}
}

// namespaces are those about which namespaces there are, and about their workloads.
func (d *differences) namespaces() {
	was, next := walk(d.before)
	is, nextIs := walk(d.after)
	for was != nil || is != nil {
		switch {
		case is == nil || was != nil && was.name < is.name:
			d.add(readNames, 0, "", "")
			d.add(readWhole, 0, "", "")
			d.add(readWorkloads, 0, was.name, "")
			was = next()
		case was == nil || is.name < was.name:
			d.add(readNames, 0, "", "")
			d.add(readWhole, 0, "", "")
			d.add(readWorkloads, 0, is.name, "")
			is = nextIs()
		default:
			if was.namespace.workloads != is.namespace.workloads {
				d.add(readWorkloads, 0, is.name, "")
			}
			if (was.namespace.object == nil) != (is.namespace.object == nil) {
				d.add(readWhole, 0, "", "")
			}
			was, is = next(), nextIs()
		}
	}
}

// differs is whether an answer about the mesh as a whole is another one.
func (d *differences) differs(r Read) bool {
	switch r.what {
	case readClients:
		return !sameClients(d.before.Clients(), d.after.Clients())
	case readSpans:
		return d.before.Spans() != d.after.Spans()
	case readHosts:
		return !slices.Equal(d.before.servicesMatching(r.name), d.after.servicesMatching(r.name))
	}
	return false
}

func sameClients(a, b *Clients) bool {
	return maps.Equal(a.Ambient, b.Ambient) && maps.Equal(a.Sidecar, b.Sidecar) && maps.Equal(a.Unknown, b.Unknown) &&
		slices.EqualFunc(a.Gateways, b.Gateways, func(v, w *Workload) bool { return v == w || v.Source == w.Source && v.Mode == w.Mode && v.Why == w.Why })
}
