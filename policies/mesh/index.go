package mesh

import "slices"

// index is the reverse index: what is referred to → who refers to it, sorted. It is immutable, and
// an update copies three small arrays: a radix tree would copy a node for each step of the key, and
// updates are what the admission webhook makes for each request. It cannot be iterated over in
// order, and nothing needs to.
type index struct {
	shards *[fanOut]*shard
}

const fanOut = 64

type shard [fanOut][]reference

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
	x := index{new([fanOut]*shard)}
	for key, from := range refs {
		h := hash(key)
		s := &x.shards[h%fanOut]
		if *s == nil {
			*s = new(shard)
		}
		bucket := &(*s)[h/fanOut%fanOut]
		*bucket = append(*bucket, reference{key, from})
	}
	return x
}

func (x index) get(key string) []*Object {
	h := hash(key)
	s := x.shards[h%fanOut]
	if s == nil {
		return nil
	}
	for _, r := range s[h/fanOut%fanOut] {
		if r.key == key {
			return r.from
		}
	}
	return nil
}

// set is the index with from under key; nothing under it where from is empty.
func (x index) set(key string, from []*Object) index {
	h := hash(key)
	shards := *x.shards
	var s shard
	if old := shards[h%fanOut]; old != nil {
		s = *old
	}
	bucket := slices.DeleteFunc(slices.Clone(s[h/fanOut%fanOut]), func(r reference) bool { return r.key == key })
	if len(from) > 0 {
		bucket = append(bucket, reference{key, from})
	}
	s[h/fanOut%fanOut] = bucket
	shards[h%fanOut] = &s
	return index{&shards}
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
