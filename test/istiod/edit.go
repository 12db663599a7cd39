package istiod

import (
	"math/rand/v2"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// edited are the kinds whose objects take over the labels, annotations and spec of another of the kind.
var edited = map[string]bool{
	"Namespace": true, "AuthorizationPolicy": true, "PeerAuthentication": true, "Service": true, "ServiceEntry": true,
	"WorkloadEntry": true, "Gateway": true, "HTTPRoute": true, "GRPCRoute": true, "TCPRoute": true, "TLSRoute": true, "ReferenceGrant": true,
}

// removed are the kinds whose objects are deleted now and then.
var removed = map[string]bool{"Pod": true, "ConfigMap": true}

// Mesh is what is in a cluster, and what has been.
type Mesh struct {
	Objects []*unstructured.Unstructured
	Gone    []*unstructured.Unstructured
}

// Round is what is done to a mesh at once.
type Round struct {
	Changes []Change // a few at a time, with nothing waited for between them
	// Reborn are Namespaces that are deleted while the changes are made, with all that is in them, and then made
	// again; Returning is what is put into them, and what had been deleted earlier and is made again.
	Reborn    []string
	Returning []*unstructured.Unstructured
}

// Change is an object that is written, or deleted.
type Change struct {
	Object *unstructured.Unstructured
	Remove bool
}

// Edit says what happens to a mesh in a round, and what the mesh is then. The same seed and round do the same.
func Edit(seed, round uint64, before Mesh) (Round, Mesh) {
	r := rand.New(rand.NewPCG(seed, round))
	byKind := map[string][]*unstructured.Unstructured{}
	var spaces []string
	for _, o := range before.Objects {
		byKind[o.GetKind()] = append(byKind[o.GetKind()], o)
		if o.GetKind() == "Namespace" {
			spaces = append(spaces, o.GetName())
		}
	}
	var out Round
	var after Mesh
	reborn := spaces[r.IntN(len(spaces))]
	out.Reborn = []string{reborn}
	for _, o := range before.Objects {
		kind := o.GetKind()
		n := r.IntN(10)
		same := byKind[kind]
		switch {
		case o.GetName() == reborn && kind == "Namespace", o.GetNamespace() == reborn && n < 6:
			out.Returning = append(out.Returning, o)
			after.Objects = append(after.Objects, o)
		case o.GetNamespace() == reborn:
			after.Gone = append(after.Gone, o)
		case n == 0 && (edited[kind] || removed[kind]) && kind != "Namespace":
			out.Changes = append(out.Changes, Change{o, true})
			after.Gone = append(after.Gone, o)
		case n < 4 && edited[kind]:
			o = like(o, same[r.IntN(len(same))])
			out.Changes = append(out.Changes, Change{o, false})
			after.Objects = append(after.Objects, o)
		default:
			after.Objects = append(after.Objects, o)
		}
	}
	for _, o := range before.Gone {
		if r.IntN(2) == 0 {
			after.Gone = append(after.Gone, o)
			continue
		}
		out.Returning = append(out.Returning, o)
		after.Objects = append(after.Objects, o)
	}
	r.Shuffle(len(out.Changes), func(i, j int) { out.Changes[i], out.Changes[j] = out.Changes[j], out.Changes[i] })
	return out, after
}

// like is o with the content of another; its status is its own.
func like(o, other *unstructured.Unstructured) *unstructured.Unstructured {
	out := other.DeepCopy()
	out.SetName(o.GetName())
	out.SetNamespace(o.GetNamespace())
	delete(out.Object, "status")
	if status, ok := o.Object["status"]; ok {
		out.Object["status"] = status
	}
	return out
}
