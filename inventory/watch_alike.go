package inventory

import (
	"hash/maphash"
	"maps"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Alike makes objects small that are kept for long, and lets them share what they have in common: the pods of a ReplicaSet have
// the same labels, containers and owner, and a cluster has more pods than anything else; a Service selects by the labels by which
// a policy does. It remembers what was met last, which is enough because lists come sorted and rollouts come at once; what
// it forgets costs memory and nothing else. It is safe for concurrent use.
type Alike struct {
	siblings *lru.Cache[family, *mesh.Object]
	maps     *lru.Cache[uint64, map[string]string] // by hash
	seed     maphash.Seed
}

// family is what siblings have in common: the first owner or, where there is none, the labels.
type family struct {
	kind      mesh.Kind
	namespace string
	owner     string
	labels    uint64
}

const (
	familiesRemembered = 2048
	mapsRemembered     = 4096
)

// NewAlike has met nothing.
func NewAlike() *Alike {
	return &Alike{siblings: remember[family, *mesh.Object](familiesRemembered), maps: remember[uint64, map[string]string](mapsRemembered), seed: maphash.MakeSeed()}
}

func remember[K comparable, V any](n int) *lru.Cache[K, V] {
	last, err := lru.New[K, V](n)
	if err != nil {
		panic("inventory: " + err.Error()) // only for a size that is not positive
	}
	return last
}

// Packed is o as it is kept.
func (a *Alike) Packed(o *mesh.Object) *mesh.Object {
	if !o.Kind.MadeByControllers() {
		return o.Packed(o.Content(), nil, a.same)
	}
	family := a.family(o)
	sibling, ok := a.siblings.Get(family)
	o = o.Packed(mesh.Lean(o.Kind, o.Content()), sibling, a.same)
	if !ok {
		a.siblings.Add(family, o)
	}
	return o
}

func (a *Alike) family(o *mesh.Object) family {
	f := family{kind: o.Kind, namespace: o.Namespace}
	if len(o.Owners) > 0 {
		f.owner = o.Owners[0]
	} else {
		f.labels = a.hash(o.Labels)
	}
	return f
}

// same is an equal map that was met before, else a copy of m.
func (a *Alike) same(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	key := a.hash(m)
	if known, ok := a.maps.Get(key); ok && maps.Equal(known, m) {
		return known
	}
	c := make(map[string]string, len(m))
	for k, v := range m {
		c[strings.Clone(k)] = strings.Clone(v)
	}
	a.maps.Add(key, c)
	return c
}

// hash does not depend on the order, in which a map is gone through by chance.
func (a *Alike) hash(m map[string]string) uint64 {
	var sum uint64
	for k, v := range m {
		sum += maphash.Comparable(a.seed, [2]string{k, v})
	}
	return sum
}
