package mesh

import (
	"maps"
	"slices"
)

// Kept is the content of an object as rules see it, which is the same whether it comes from a file, a list, a request or a watch: what Lean
// leaves of what controllers make, and what Strip leaves of all else. It does not write to content, and returns it where there is nothing to
// take out.
func Kept(kind Kind, content map[string]any) map[string]any {
	switch {
	case kind.MadeByControllers():
		return Lean(kind, content)
	case !strips(kind, content):
		return content
	}
	out := maps.Clone(content)
	own(own(out, "metadata"), "annotations")
	switch {
	case kind == CronJob:
		ownTemplate(own(own(out, "spec"), "jobTemplate"))
	case hasPods(kind):
		ownTemplate(out)
	}
	Strip(kind, out)
	return out
}

// strips is whether Strip may find something to take out.
func strips(kind Kind, content map[string]any) bool {
	if hasPods(kind) {
		return true
	}
	metadata, _ := content["metadata"].(map[string]any)
	if kind.Evidence() != "" {
		for field := range metadata {
			if !slices.Contains(evidenceMetadata, field) {
				return true
			}
		}
		return false
	}
	if metadata["managedFields"] != nil || metadata["resourceVersion"] != nil {
		return true
	}
	annotations, _ := metadata["annotations"].(map[string]any)
	return annotations[LastApplied] != nil
}

// hasPods is whether an object of the kind has a template of pods.
func hasPods(k Kind) bool {
	return k == Deployment || k == StatefulSet || k == DaemonSet || k == ReplicaSet || k == Job || k == CronJob
}

// own puts a copy of a map in the place of one that somebody else may have, and returns it; nil where there is none.
func own(in map[string]any, field string) map[string]any {
	m, ok := in[field].(map[string]any)
	if !ok {
		return nil
	}
	m = maps.Clone(m)
	in[field] = m
	return m
}

// ownTemplate makes what stripOwner writes to nobody else's.
func ownTemplate(in map[string]any) {
	pod := own(own(own(in, "spec"), "template"), "spec")
	for _, list := range containerLists {
		items, ok := pod[list].([]any)
		if !ok {
			continue
		}
		items = slices.Clone(items)
		for i, item := range items {
			if c, ok := item.(map[string]any); ok {
				items[i] = maps.Clone(c)
			}
		}
		pod[list] = items
	}
}
