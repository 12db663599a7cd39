package audit

import (
	"iter"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Incremental keeps what there is to say of everything that is stored, and finds anew only what a change can have changed.
// What each answer was found by is taken down (mesh.Recorder), so that nothing has to say what depends on what: an answer
// is found anew when something was read for it that is answered otherwise now. It is for one goroutine.
//
//	Step(next) ─► mesh.Differences(before, next) ─► who has read any of these ─► found anew, in next
type Incremental struct {
	byKind   map[mesh.Kind][]*policies.Check
	occasion policies.Occasion

	snapshot *mesh.Snapshot
	kept     map[identity]*kept
	// readers are who has read what; those that were replaced since are still in it until there are too many of them.
	readers  map[mesh.Read][]*kept
	enlisted int // in readers
	alive    int // of these, those that count
	ofMesh   map[mesh.Read]struct{}
}

// identity is an object's among all that are stored.
type identity struct {
	kind            mesh.Kind
	namespace, name string
}

func identityOf(o *mesh.Object) identity { return identity{o.Kind, o.Namespace, o.Name} }

// kept is what was found of one object.
type kept struct {
	answer Answer
	asked  int // how many checks
	reads  int
	stale  bool // another one has taken its place
}

// NewIncremental asks these checks, on this occasion. Nothing is known before the first Step.
func NewIncremental(checks []*policies.Check, occasion policies.Occasion) *Incremental {
	i := &Incremental{byKind: map[mesh.Kind][]*policies.Check{}, occasion: occasion}
	for _, c := range checks {
		for _, k := range c.Kinds {
			i.byKind[k] = append(i.byKind[k], c)
		}
	}
	i.forget()
	return i
}

func (i *Incremental) forget() {
	i.kept, i.readers, i.ofMesh, i.enlisted, i.alive = map[identity]*kept{}, map[mesh.Read][]*kept{}, map[mesh.Read]struct{}{}, 0, 0
}

// Replaced is an object of which something else may be said now. Was is nil for one that was not there, Is for one that
// is not there any more.
type Replaced struct{ Was, Is *Answer }

// Step takes in a later Snapshot and returns the objects that were judged anew, or are gone, in no order. The first one judges
// everything.
func (i *Incremental) Step(next *mesh.Snapshot) []Replaced {
	before := i.snapshot
	i.snapshot = next
	if before == nil {
		return i.everything()
	}
	reads, all := mesh.Differences(before, next, maps.Keys(i.ofMesh))
	if all {
		return i.everything()
	}
	var out []Replaced
	todo := map[identity]*mesh.Object{}
	for was, is := range mesh.Changes(before, next) {
		if is != nil {
			todo[identityOf(is)] = is
		} else if k := i.kept[identityOf(was)]; k != nil {
			out = append(out, Replaced{Was: i.drop(identityOf(was), k)})
		}
	}
	for r := range reads {
		for _, k := range i.readers[r] {
			if o := k.answer.Object; !k.stale {
				if _, already := todo[identityOf(o)]; !already {
					todo[identityOf(o)] = o
				}
			}
		}
	}
	out = append(out, i.judge(slices.Collect(maps.Values(todo)))...)
	if i.enlisted > 2*i.alive+1000 {
		i.sweep()
	}
	return out
}

// everything judges all that is stored.
func (i *Incremental) everything() []Replaced {
	old := i.kept
	i.forget()
	var out []Replaced
	for _, r := range i.judge(slices.Collect(i.snapshot.Objects())) {
		id := identityOf(r.Is.Object)
		if k := old[id]; k != nil {
			r.Was = &k.answer
			delete(old, id)
		}
		out = append(out, r)
	}
	for _, k := range old {
		out = append(out, Replaced{Was: &k.answer})
	}
	return out
}

// judge finds anew what there is to say of objects.
func (i *Incremental) judge(objects []*mesh.Object) []Replaced {
	var out []Replaced
	for n, found := range i.find(objects) {
		id := identityOf(objects[n])
		r := Replaced{Is: &found.answer}
		if k := i.kept[id]; k != nil {
			r.Was = i.drop(id, k)
		}
		found.reads = len(found.read)
		for _, read := range found.read {
			i.readers[read] = append(i.readers[read], &found.kept)
			if read.OfMesh() {
				i.ofMesh[read] = struct{}{}
			}
		}
		i.enlisted, i.alive = i.enlisted+found.reads, i.alive+found.reads
		found.read = nil
		i.kept[id] = &found.kept
		out = append(out, r)
	}
	return out
}

func (i *Incremental) drop(id identity, k *kept) *Answer {
	k.stale = true
	i.alive -= k.reads
	delete(i.kept, id)
	return &k.answer
}

// sweep takes those out of readers that were replaced.
func (i *Incremental) sweep() {
	i.enlisted = 0
	for read, list := range i.readers {
		list = slices.Clip(slices.DeleteFunc(list, func(k *kept) bool { return k.stale }))
		if len(list) == 0 {
			delete(i.readers, read)
			delete(i.ofMesh, read)
			continue
		}
		i.readers[read] = list
		i.enlisted += len(list)
	}
}

// recorded is what was found, and what was read for it.
type recorded struct {
	kept
	read []mesh.Read
}

// find judges objects on all processors, in their order.
func (i *Incremental) find(objects []*mesh.Object) []*recorded {
	out := make([]*recorded, len(objects))
	var (
		next  atomic.Int64
		group sync.WaitGroup
	)
	for range min(runtime.GOMAXPROCS(0), len(objects)/batch+1) {
		group.Go(func() {
			recorder := mesh.NewRecorder()
			view := i.view(recorder)
			said := texts{}
			for {
				from := int(next.Add(batch)) - batch
				if from >= len(objects) {
					return
				}
				for n := from; n < min(from+batch, len(objects)); n++ {
					checks := i.byKind[objects[n].Kind]
					a := answer(view, objects[n], checks)
					a.Effects = nil // they are large, and nobody asks for them
					said.share(a.Findings)
					read := recorder.Take()
					if len(a.Panics) > 0 {
						// What was read before is not known: whatever changes, it is asked again.
						read = append(read, mesh.Anything)
					}
					out[n] = &recorded{kept: kept{answer: a, asked: len(checks)}, read: read}
				}
			}
		})
	}
	group.Wait()
	return out
}

// texts are messages that were met lately. What is found in a pod is mostly found in the next one in the same words, and is kept for as long
// as it is there.
type texts map[string]string

func (t texts) share(findings []policies.Finding) {
	const most = 4096
	for n := range findings {
		f := &findings[n]
		if same, ok := t[f.Message]; ok {
			f.Message = same
			continue
		}
		if len(t) >= most {
			clear(t)
		}
		t[f.Message] = f.Message
	}
}

func (i *Incremental) view(recorder *mesh.Recorder) *policies.View {
	view := policies.NewView(i.snapshot.Recorded(recorder))
	view.Occasion = i.occasion
	return view
}

// Snapshot is the last one that was taken in; nil before the first.
func (i *Incremental) Snapshot() *mesh.Snapshot { return i.snapshot }

// Verify judges everything anew, with nothing remembered, and returns the objects of which something else is said than is
// kept: none, unless something is read that is not taken down. What is found counts from then on.
func (i *Incremental) Verify() []Replaced {
	if i.snapshot == nil {
		return nil
	}
	var out []Replaced
	for _, r := range i.everything() {
		if r.Was == nil || r.Is == nil || !sameAnswer(r.Was, r.Is) {
			out = append(out, r)
		}
	}
	return out
}

// At asks everything anew at another time, and returns the objects of which something else is said then.
func (i *Incremental) At(now time.Time) []Replaced {
	i.occasion.Now = now
	return i.Verify()
}

// in is what is kept of the objects that lie in a namespace, or in none for "", by kind and name.
func (i *Incremental) in(ns string) iter.Seq[*kept] {
	return func(yield func(*kept) bool) {
		for _, kind := range mesh.Kinds() {
			for _, o := range i.snapshot.List(kind, ns) {
				if k := i.kept[identityOf(o)]; k != nil && !yield(k) {
					return
				}
			}
		}
	}
}

func sameAnswer(a, b *Answer) bool {
	return reflect.DeepEqual(a.Findings, b.Findings) && reflect.DeepEqual(a.Panics, b.Panics) &&
		reflect.DeepEqual(a.Failures, b.Failures) && reflect.DeepEqual(a.Skips, b.Skips)
}
