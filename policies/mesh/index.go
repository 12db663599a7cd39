package mesh

import (
	"hash/maphash"
	"slices"
)

// index is the reverse index: what is referred to → who refers to it, sorted. It is immutable, and
// an update copies three small arrays: a radix tree would copy a node for each step of the key, and
// updates are what the admission webhook makes for each request. It cannot be iterated over in
// order, and nothing needs to.
type index struct {
	root *[fanOut]*branch
}

const fanOut = 16

type (
	branch [fanOut]*bucket
	bucket [fanOut][]reference
)

type reference struct {
	key  refersTo
	from []*Object
}

// newIndex takes ownership of refs.
func newIndex(refs map[refersTo][]*Object) index {
	x := index{new([fanOut]*branch)}
	for key, from := range refs {
		i, j, k := place(key)
		if x.root[i] == nil {
			x.root[i] = new(branch)
		}
		if x.root[i][j] == nil {
			x.root[i][j] = new(bucket)
		}
		x.root[i][j][k] = append(x.root[i][j][k], reference{key, from})
	}
	return x
}

// seed makes no difference that can be seen: an index has no order.
var seed = maphash.MakeSeed()

// place is where a key is kept, level by level.
func place(key refersTo) (i, j, k uint64) {
	h := maphash.Comparable(seed, key)
	return h % fanOut, h / fanOut % fanOut, h / fanOut / fanOut % fanOut
}

func (x index) get(key refersTo) []*Object {
	i, j, k := place(key)
	if x.root[i] == nil || x.root[i][j] == nil {
		return nil
	}
	for _, r := range x.root[i][j][k] {
		if r.key == key {
			return r.from
		}
	}
	return nil
}

// edit begins a change of the index, which stays as it is.
func (x index) edit() *indexEdit {
	root := *x.root
	return &indexEdit{index: index{&root}}
}

// indexEdit is an index that is being made of another. What it has copied already it writes to.
type indexEdit struct {
	index
	branches [fanOut]bool
	buckets  [fanOut][fanOut]bool
	lists    map[refersTo]bool
}

// set puts from under key; nothing where from is empty.
func (e *indexEdit) set(key refersTo, from []*Object) {
	i, j, k := place(key)
	if !e.branches[i] {
		b := new(branch)
		if e.root[i] != nil {
			*b = *e.root[i]
		}
		e.root[i], e.branches[i] = b, true
	}
	b := e.root[i]
	if !e.buckets[i][j] {
		last := new(bucket)
		if b[j] != nil {
			*last = *b[j]
		}
		b[j], e.buckets[i][j] = last, true
	}
	kept := slices.DeleteFunc(slices.Clone(b[j][k]), func(r reference) bool { return r.key == key })
	if len(from) > 0 {
		kept = append(kept, reference{key, from})
	}
	b[j][k] = kept
}

// own is what is under a key, to be written to and set. It is copied once: what all Gateways of a mesh refer to would be copied for
// each of them.
func (e *indexEdit) own(key refersTo) []*Object {
	if e.lists == nil {
		e.lists = map[refersTo]bool{}
	}
	list := e.get(key)
	if !e.lists[key] {
		e.lists[key], list = true, slices.Clone(list)
	}
	return list
}

// update puts now in place of old; either may be nil. A key that both refer to is written once.
func (e *indexEdit) update(old, now *Object) {
	var drop, add []refersTo
	if old != nil {
		drop = referencesOf(old)
	}
	if now != nil {
		add = referencesOf(now)
	}
	for _, key := range drop {
		if !slices.Contains(add, key) {
			e.set(key, slices.DeleteFunc(e.own(key), func(o *Object) bool { return o == old }))
		}
	}
	for _, key := range add {
		list := e.own(key)
		if i, found := slices.BinarySearchFunc(list, now, compareObjects); found {
			list[i] = now
		} else {
			list = slices.Insert(list, i, now)
		}
		e.set(key, list)
	}
}
