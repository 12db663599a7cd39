package inventory

import (
	"hash/maphash"
	"maps"
	"reflect"
	"slices"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/waywarden/waywarden/policies/mesh"
)

// alike makes objects small that are kept for long, and lets them share what they have in common: the pods of a ReplicaSet have
// the same labels, containers and owner, and a cluster has more pods than anything else; a Service selects by the labels by which
// a policy does. It remembers what was met last, which is enough because lists come sorted and rollouts come at once; what
// it forgets costs memory and nothing else. It is safe for concurrent use.
type alike struct {
	siblings *lru.Cache[family, *mesh.Object]
	texts    *lru.Cache[string, string]
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
	textsRemembered    = 4096 // as are maps
)

func newAlike() *alike {
	return &alike{siblings: remember[family, *mesh.Object](familiesRemembered), texts: remember[string, string](textsRemembered),
		maps: remember[uint64, map[string]string](textsRemembered), seed: maphash.MakeSeed()}
}

func remember[K comparable, V any](n int) *lru.Cache[K, V] {
	last, err := lru.New[K, V](n)
	if err != nil {
		panic("inventory: " + err.Error()) // only for a size that is not positive
	}
	return last
}

// Compact makes objects as small as Watch keeps them, for those who hold a large mesh without watching. Nobody else may have seen
// them.
func Compact(objects []*mesh.Object) {
	a := newAlike()
	for _, o := range objects {
		a.share(o)
	}
}

// share gives o, which nobody else has seen, the memory of others where they are equal.
func (a *alike) share(o *mesh.Object) {
	o.APIVersion, o.Namespace = a.text(o.APIVersion), a.text(o.Namespace)
	o.Labels, o.Annotations = a.same(o.Labels), a.same(o.Annotations)
	switch spec := o.Spec.(type) {
	case *mesh.ServiceSpec:
		spec.Selector = a.same(spec.Selector)
	case *mesh.AuthorizationPolicySpec:
		if spec.Selector != nil {
			spec.Selector.MatchLabels = a.same(spec.Selector.MatchLabels)
		}
	case *mesh.PodOwner:
		made := &spec.Template.Metadata
		made.Labels, made.Annotations = a.same(made.Labels), a.same(made.Annotations)
	}
	if !slices.Contains(madeByControllers, o.Kind) {
		o.Pack(o.Content(), nil)
		return
	}
	family := a.family(o)
	sibling, ok := a.siblings.Get(family)
	o.Pack(lean(o.Content()), sibling)
	if !ok {
		a.siblings.Add(family, o)
		return
	}
	if slices.Equal(o.Owners, sibling.Owners) {
		o.Owners = sibling.Owners
	}
	if pod, ok := o.Spec.(*mesh.PodBody); ok {
		become(pod, sibling.Spec.(*mesh.PodBody))
	}
}

func become(pod, sibling *mesh.PodBody) {
	if reflect.DeepEqual(pod.Spec, sibling.Spec) {
		pod.Spec = sibling.Spec
	}
	status := &pod.Status
	if status.Phase == sibling.Status.Phase {
		status.Phase = sibling.Status.Phase
	}
	if len(status.PodIPs) > 0 && status.PodIPs[0].IP == status.PodIP {
		status.PodIPs[0].IP = status.PodIP
	}
}

func (a *alike) family(o *mesh.Object) family {
	f := family{kind: o.Kind, namespace: o.Namespace}
	if len(o.Owners) > 0 {
		f.owner = o.Owners[0]
	} else {
		f.labels = a.hash(o.Labels)
	}
	return f
}

// text is s in the memory in which it was met before.
func (a *alike) text(s string) string {
	if known, ok := a.texts.Get(s); ok {
		return known
	}
	a.texts.Add(s, s)
	return s
}

// same is m, or an equal map that was met before.
func (a *alike) same(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	key := a.hash(m)
	if known, ok := a.maps.Get(key); ok && maps.Equal(known, m) {
		return known
	}
	a.maps.Add(key, m)
	return m
}

// hash does not depend on the order, in which a map is gone through by chance.
func (a *alike) hash(m map[string]string) uint64 {
	var sum uint64
	for k, v := range m {
		sum += maphash.Comparable(a.seed, [2]string{k, v})
	}
	return sum
}

// madeByControllers are the kinds that nobody writes, and of which there are many.
var madeByControllers = []mesh.Kind{mesh.Pod, mesh.ReplicaSet, mesh.Job, mesh.EndpointSlice}

// lean is of the content of what controllers make the namespace, labels, annotations and owners, which objects of one
// owner have in common. All that decides is decoded, and a patch of anything else of them would not last.
func lean(content map[string]any) map[string]any {
	metadata, _ := content["metadata"].(map[string]any)
	kept := make(map[string]any, 4)
	for _, field := range []string{"namespace", "labels", "annotations", "ownerReferences"} {
		if v, ok := metadata[field]; ok {
			kept[field] = v
		}
	}
	return map[string]any{"apiVersion": content["apiVersion"], "kind": content["kind"], "metadata": kept}
}
