package inventory

import (
	"hash/maphash"
	"maps"
	"slices"
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
	if !slices.Contains(madeByControllers, o.Kind) {
		return o.Packed(o.Content(), nil, a.same)
	}
	family := a.family(o)
	sibling, ok := a.siblings.Get(family)
	o = o.Packed(lean(o.Kind, o.Content()), sibling, a.same)
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

// madeByControllers are the kinds that nobody writes, and of which there are many.
var madeByControllers = []mesh.Kind{mesh.Pod, mesh.ReplicaSet, mesh.Job, mesh.EndpointSlice}

// lean is of the content of what controllers make the namespace, labels, annotations and owners, which objects of one
// owner have in common, and of what has no owner its name and what its containers may do: rules are asked of it. All that
// decides is decoded, and a patch of anything else of them would not last.
func lean(kind mesh.Kind, content map[string]any) map[string]any {
	metadata, _ := content["metadata"].(map[string]any)
	kept := make(map[string]any, 4)
	for _, field := range []string{"namespace", "labels", "annotations", "ownerReferences"} {
		if v, ok := metadata[field]; ok {
			kept[field] = v
		}
	}
	out := map[string]any{"apiVersion": content["apiVersion"], "kind": content["kind"], "metadata": kept}
	if spec := standsForItself(kind, content); spec != nil {
		out["spec"] = spec
		if name, ok := metadata["name"]; ok {
			kept["name"] = name
		}
	}
	return out
}

// owning are the kinds of owners that are read themselves: what rules ask of a pod they are asked of its owner.
var owning = []string{"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"}

// standsForItself is the spec of an object that no owner stands for, as far as rules ask what its pods may do; nil for any other object.
func standsForItself(kind mesh.Kind, content map[string]any) map[string]any {
	metadata, _ := content["metadata"].(map[string]any)
	owners, _ := metadata["ownerReferences"].([]any)
	for _, one := range owners {
		owner, _ := one.(map[string]any)
		if kind, _ := owner["kind"].(string); slices.Contains(owning, kind) {
			return nil
		}
	}
	spec, _ := content["spec"].(map[string]any)
	if kind == mesh.Pod {
		return mayDo(spec)
	}
	template, _ := spec["template"].(map[string]any)
	pod, ok := template["spec"].(map[string]any)
	if !ok {
		return nil
	}
	return map[string]any{"template": map[string]any{"spec": mayDo(pod)}}
}

// mayDo is what of a pod's spec says what its containers may do.
func mayDo(spec map[string]any) map[string]any {
	out := map[string]any{}
	for _, field := range []string{"serviceAccountName", "automountServiceAccountToken", "hostNetwork", "hostPID", "hostIPC", "securityContext"} {
		if v, ok := spec[field]; ok {
			out[field] = v
		}
	}
	for _, list := range []string{"containers", "initContainers"} {
		items, _ := spec[list].([]any)
		var kept []any
		for _, item := range items {
			c, _ := item.(map[string]any)
			one := map[string]any{"name": c["name"]}
			if v, ok := c["securityContext"]; ok {
				one["securityContext"] = v
			}
			kept = append(kept, one)
		}
		if kept != nil {
			out[list] = kept
		}
	}
	return out
}
