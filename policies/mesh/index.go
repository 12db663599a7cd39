package mesh

import "slices"

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
	key  string
	from []*Object
}

// hash is 64-bit FNV-1a.
func hash(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return h
}

// newIndex takes ownership of refs.
func newIndex(refs map[string][]*Object) index {
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

// place is where a key is kept, level by level.
func place(key string) (i, j, k uint64) {
	h := hash(key)
	return h % fanOut, h / fanOut % fanOut, h / fanOut / fanOut % fanOut
}

func (x index) get(key string) []*Object {
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

// set is the index with from under key; nothing under it where from is empty.
func (x index) set(key string, from []*Object) index {
	i, j, k := place(key)
	var (
		root = *x.root
		b    branch
		last bucket
	)
	if root[i] != nil {
		b = *root[i]
	}
	if b[j] != nil {
		last = *b[j]
	}
	kept := slices.DeleteFunc(slices.Clone(last[k]), func(r reference) bool { return r.key == key })
	if len(from) > 0 {
		kept = append(kept, reference{key, from})
	}
	last[k], b[j], root[i] = kept, &last, &b
	return index{&root}
}

// updated is the index with now in place of old; either may be nil. A key that both refer to is
// written once.
func (x index) updated(old, now *Object) index {
	var drop, add []string
	if old != nil {
		drop = referencesOf(old)
	}
	if now != nil {
		add = referencesOf(now)
	}
	for _, key := range drop {
		if !slices.Contains(add, key) {
			x = x.set(key, slices.DeleteFunc(slices.Clone(x.get(key)), func(o *Object) bool { return o == old }))
		}
	}
	for _, key := range add {
		list := slices.Clone(x.get(key))
		if i, found := slices.BinarySearchFunc(list, now, compareObjects); found {
			list[i] = now
		} else {
			list = slices.Insert(list, i, now)
		}
		x = x.set(key, list)
	}
	return x
}
