package inventory

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/waywarden/waywarden/policies/mesh"
)

// alike lets objects of one owner share what they have in common: the pods of a ReplicaSet have the same labels,
// containers and owner, and a cluster has more pods than anything else. It remembers one object of each owner, of the
// owners that were met last, which is enough because lists come sorted and rollouts come at once; what it forgets costs
// memory and nothing else.
type alike struct {
	last *lru.Cache[name, *mesh.Object] // by namespace and first owner
}

const ownersRemembered = 512

func newAlike() *alike {
	last, err := lru.New[name, *mesh.Object](ownersRemembered)
	if err != nil {
		panic("inventory: " + err.Error()) // only for a size that is not positive
	}
	return &alike{last}
}

// share gives o, which nobody else has seen, the memory of its sibling where they are equal.
func (a *alike) share(o *mesh.Object) {
	lean(o)
	if len(o.Owners) == 0 {
		return
	}
	key := name{o.Namespace, o.Owners[0]}
	if sibling, ok := a.last.Get(key); ok {
		become(o, sibling)
	} else {
		a.last.Add(key, o)
	}
}

func become(o, sibling *mesh.Object) {
	o.APIVersion, o.Namespace = sibling.APIVersion, sibling.Namespace
	if maps.Equal(o.Labels, sibling.Labels) {
		o.Labels = sibling.Labels
	}
	if maps.Equal(o.Annotations, sibling.Annotations) {
		o.Annotations = sibling.Annotations
	}
	if slices.Equal(o.Owners, sibling.Owners) {
		o.Owners = sibling.Owners
	}
	if reflect.DeepEqual(o.Content, sibling.Content) {
		o.Content = sibling.Content
	}
	pod, ok := o.Spec.(*mesh.PodBody)
	if !ok {
		return
	}
	other := sibling.Spec.(*mesh.PodBody)
	if reflect.DeepEqual(pod.Spec, other.Spec) {
		pod.Spec = other.Spec
	}
	if pod.Status.Phase == other.Status.Phase {
		pod.Status.Phase = other.Status.Phase
	}
}

// madeByControllers are the kinds that nobody writes, and of which there are many.
var madeByControllers = []mesh.Kind{mesh.Pod, mesh.ReplicaSet, mesh.Job, mesh.EndpointSlice}

// lean leaves of the Content of what controllers make the namespace, labels, annotations and owners, which objects of one
// owner have in common, and of those that have no owner what their containers may do. All that decides is decoded, and a patch of
// anything else of them would not last.
func lean(o *mesh.Object) {
	if !slices.Contains(madeByControllers, o.Kind) {
		return
	}
	metadata, _ := o.Content["metadata"].(map[string]any)
	kept := make(map[string]any, 4)
	for _, field := range []string{"namespace", "labels", "annotations", "ownerReferences"} {
		if v, ok := metadata[field]; ok {
			kept[field] = v
		}
	}
	content := map[string]any{"apiVersion": o.Content["apiVersion"], "kind": o.Content["kind"], "metadata": kept}
	if spec := standsForItself(o); spec != nil {
		content["spec"] = spec
	}
	o.Content = content
}

// owning are the kinds of owners that are read themselves: what rules ask of a pod they are asked of its owner.
var owning = []string{"Deployment/", "ReplicaSet/", "StatefulSet/", "DaemonSet/", "Job/", "CronJob/"}

// standsForItself is the spec of an object that no owner stands for, as far as rules ask what its pods may do; nil for any other object.
func standsForItself(o *mesh.Object) map[string]any {
	for _, owner := range o.Owners {
		if slices.ContainsFunc(owning, func(kind string) bool { return strings.HasPrefix(owner, kind) }) {
			return nil
		}
	}
	spec, _ := o.Content["spec"].(map[string]any)
	if o.Kind == mesh.Pod {
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
