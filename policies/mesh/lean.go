package mesh

import "slices"

// MadeByControllers is whether nobody writes objects of the kind, and there are many of them.
func (k Kind) MadeByControllers() bool {
	return k == Pod || k == ReplicaSet || k == Job || k == EndpointSlice
}

// Lean is of the content of what controllers make the namespace, labels, annotations and owners, which objects of one
// owner have in common, and of what has no owner its name and what its containers may do. It is all that rules see of it, wherever it
// comes from, and all that a watch keeps: what decides is decoded, and a patch of anything else of them would not last. It does not write
// to content.
func Lean(kind Kind, content map[string]any) map[string]any {
	metadata, _ := content["metadata"].(map[string]any)
	kept := make(map[string]any, 4)
	for _, field := range []string{"namespace", "labels", "annotations", "ownerReferences"} {
		if v, ok := metadata[field]; ok {
			kept[field] = v
		}
	}
	if annotations, ok := kept["annotations"].(map[string]any); ok && annotations[LastApplied] != nil {
		delete(own(kept, "annotations"), LastApplied)
	}
	out := map[string]any{"apiVersion": content["apiVersion"], "kind": content["kind"], "metadata": kept}
	if owned(metadata) {
		return out
	}
	if name, ok := metadata["name"]; ok {
		kept["name"] = name
	}
	if spec := podsMayDo(kind, content); spec != nil {
		out["spec"] = spec
	}
	return out
}

// owning are the kinds of owners that are read themselves: what rules ask of a pod they are asked of its owner.
var owning = []string{"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"}

// owned is whether an owner stands for an object.
func owned(metadata map[string]any) bool {
	owners, _ := metadata["ownerReferences"].([]any)
	for _, one := range owners {
		owner, _ := one.(map[string]any)
		if kind, _ := owner["kind"].(string); slices.Contains(owning, kind) {
			return true
		}
	}
	return false
}

// podsMayDo is the spec of an object as far as rules ask what its pods may do; nil where it makes none.
func podsMayDo(kind Kind, content map[string]any) map[string]any {
	spec, _ := content["spec"].(map[string]any)
	if kind == Pod {
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
	for _, list := range containerLists {
		items, _ := spec[list].([]any)
		var kept []any
		for _, item := range items {
			c, _ := item.(map[string]any)
			one := map[string]any{"name": c["name"]}
			for _, field := range []string{"image", "securityContext"} {
				if v, ok := c[field]; ok {
					one[field] = v
				}
			}
			kept = append(kept, one)
		}
		if kept != nil {
			out[list] = kept
		}
	}
	return out
}
