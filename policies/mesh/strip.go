package mesh

import "istio.io/api/label"

// LastApplied is the annotation where `kubectl apply` keeps what it applied, which can double an object's size.
const LastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Strip removes from an object of a cluster what nothing here reads, and no rule may ask for. It writes to content. A mesh has more pods than anything else, and most of
// a pod is volumes and conditions.
func Strip(kind Kind, content map[string]any) {
	if metadata, ok := content["metadata"].(map[string]any); ok {
		delete(metadata, "managedFields")
		delete(metadata, "resourceVersion") // changes with every heartbeat
		if annotations, ok := metadata["annotations"].(map[string]any); ok {
			delete(annotations, LastApplied)
		}
	}
	if kind.Evidence() != "" {
		if metadata, ok := content["metadata"].(map[string]any); ok {
			keepKeys(metadata, evidenceMetadata...)
		}
		return
	}
	switch kind {
	case Pod:
		node := nodeOfZtunnel(content)
		keepOnly(content, "spec", podFields...)
		if spec, ok := content["spec"].(map[string]any); ok && node != nil {
			spec["nodeName"] = node
		}
		stripContainers(content)
		keepOnly(content, "status", "phase", "podIP", "podIPs")
	case Deployment, StatefulSet, DaemonSet, ReplicaSet, Job:
		stripOwner(content)
	case CronJob:
		if spec, ok := content["spec"].(map[string]any); ok {
			keepOnly(content, "spec", "jobTemplate")
			if template, ok := spec["jobTemplate"].(map[string]any); ok {
				stripOwner(template)
			}
		}
		delete(content, "status")
	}
}

// evidenceMetadata is what is kept of the metadata of what gives evidence.
var evidenceMetadata = []string{"name", "namespace", "labels", "uid", "creationTimestamp", "deletionTimestamp"}

// containerLists are where a pod's spec has containers.
var containerLists = []string{"containers", "initContainers"}

// podFields are what is kept of a pod's spec.
var podFields = []string{"serviceAccountName", "automountServiceAccountToken", "hostNetwork", "hostPID", "hostIPC", "priorityClassName", "securityContext", "containers", "initContainers"}

// nodeOfZtunnel is the node of a ztunnel, which people ask for when it is not there; nil for other pods, who share what they have in common.
func nodeOfZtunnel(pod map[string]any) any {
	metadata, _ := pod["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	spec, _ := pod["spec"].(map[string]any)
	if labels["app"] != "ztunnel" {
		return nil
	}
	return spec["nodeName"]
}

// stripOwner strips an object whose spec has a pod template.
func stripOwner(content map[string]any) {
	if inForce(content) {
		keepOnly(content, "spec", "selector", "template", "replicas")
	} else {
		keepOnly(content, "spec", "selector", "template")
	}
	delete(content, "status")
	spec, _ := content["spec"].(map[string]any)
	template, ok := spec["template"].(map[string]any)
	if !ok {
		return
	}
	keepOnly(template, "spec", podFields...)
	stripContainers(template)
}

// inForce is whether pods of the object keep the mesh: then it matters how many there are. Of all others that changes with
// their load, and decides nothing.
func inForce(content map[string]any) bool {
	metadata, _ := content["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	return labels[label.IoK8sNetworkingGatewayGatewayName.Name] != nil || labels["app"] == "istiod" || labels["app.kubernetes.io/name"] == "waywarden"
}

func stripContainers(pod map[string]any) {
	spec, _ := pod["spec"].(map[string]any)
	for _, list := range containerLists {
		items, _ := spec[list].([]any)
		for _, item := range items {
			if c, ok := item.(map[string]any); ok {
				keepKeys(c, "name", "image", "args", "env", "ports", "readinessProbe", "livenessProbe", "startupProbe", "securityContext")
			}
		}
	}
}

func keepOnly(in map[string]any, field string, keys ...string) {
	if m, ok := in[field].(map[string]any); ok {
		keepKeys(m, keys...)
	}
}

func keepKeys(m map[string]any, keys ...string) {
	kept := make(map[string]any, len(keys))
	for _, k := range keys {
		if v, ok := m[k]; ok {
			kept[k] = v
		}
	}
	clear(m)
	for k, v := range kept {
		m[k] = v
	}
}
