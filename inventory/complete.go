package inventory

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// CompletedBy is what the cluster would be with the files applied: files win for what people write, the cluster for what
// it answers (status, and of the metadata uid, creationTimestamp, deletionTimestamp, generation and ownerReferences).
// Labels and annotations are the file's, and those of the cluster that applying the file would leave. Objects that only
// the cluster has are added.
func (i *Inventory) CompletedBy(live *Inventory) *Inventory {
	out := &Inventory{
		Problems: slices.Concat(i.Problems, live.Problems), Ignored: mergeCounts(i.Ignored, live.Ignored),
		Skipped: i.Skipped, Unread: slices.Concat(i.Unread, live.Unread), documents: i.documents, authored: i.authored, managed: live.managed, passed: live.passed,
		Guardrails: completed(i.Guardrails, live.Guardrails), Exemptions: completed(i.Exemptions, live.Exemptions),
		Profiles: completed(i.Profiles, live.Profiles), Packs: completed(i.Packs, live.Packs),
	}
	stored := make(map[id]*mesh.Object, len(live.Objects))
	out.versions = map[id]string{}
	for _, o := range live.Objects {
		stored[idOf(o)] = o
	}
	for _, o := range i.Objects {
		was := stored[idOf(o)]
		if was == nil {
			out.Objects = append(out.Objects, o)
			continue
		}
		delete(stored, idOf(o))
		out.Objects = append(out.Objects, applied(o, was, live.managed[idOf(o)]))
	}
	for _, o := range live.Objects {
		if stored[idOf(o)] != nil {
			out.Objects = append(out.Objects, o)
			out.versions[idOf(o)] = live.versions[idOf(o)]
		}
	}
	return out
}

// applied is what the cluster would hold after a file's object is applied over the stored one.
func applied(file, stored *mesh.Object, m managed) *mesh.Object {
	content := maps.Clone(file.Content())
	if status, ok := stored.Content()["status"]; ok {
		content["status"] = status
	} else {
		delete(content, "status")
	}
	written, _ := file.Content()["metadata"].(map[string]any)
	kept, _ := stored.Content()["metadata"].(map[string]any)
	metadata := maps.Clone(written)
	for _, field := range []string{"uid", "creationTimestamp", "deletionTimestamp", "generation", "ownerReferences"} {
		if v, ok := kept[field]; ok {
			metadata[field] = v
		} else {
			delete(metadata, field)
		}
	}
	for _, field := range []string{"labels", "annotations"} {
		metadata[field] = m.leftOf(field, written[field], kept[field])
	}
	content["metadata"] = metadata
	o, err := mesh.Decode(content)
	if err != nil {
		// Both halves were decoded before. A mixed ConfigMap can still matter to nobody; then what the file says stands.
		if errors.Is(err, mesh.ErrIgnored) {
			return file
		}
		panic("inventory: " + err.Error())
	}
	o.Namespace, o.Live = file.Namespace, true
	return o
}

// managed are the labels and annotations, as in "labels/app", that the next apply removes when the file has them no more.
type managed map[string]bool

// leftOf is the labels, or annotations, after an apply.
func (m managed) leftOf(field string, written, stored any) map[string]any {
	out := map[string]any{}
	if s, ok := stored.(map[string]any); ok {
		for k, v := range s {
			if !m[field+"/"+k] {
				out[k] = v
			}
		}
	}
	if w, ok := written.(map[string]any); ok {
		maps.Copy(out, w)
	}
	return out
}

// managedBy finds out which labels and annotations of a stored object come from a file: those that `kubectl apply`
// remembers, and those that a server-side apply owns. All others were set by somebody else and stay.
func managedBy(content map[string]any) managed {
	metadata, _ := content["metadata"].(map[string]any)
	m := managed{}
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		if text, ok := annotations[mesh.LastApplied].(string); ok {
			m.remember(text)
		}
	}
	entries, _ := metadata["managedFields"].([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		if entry["operation"] != "Apply" {
			continue
		}
		fields, _ := entry["fieldsV1"].(map[string]any)
		of, _ := fields["f:metadata"].(map[string]any)
		for _, field := range []string{"labels", "annotations"} {
			owned, _ := of["f:"+field].(map[string]any)
			for k := range owned {
				if name, ok := strings.CutPrefix(k, "f:"); ok {
					m[field+"/"+name] = true
				}
			}
		}
	}
	return m
}

func (m managed) remember(text string) {
	var last struct {
		Metadata struct {
			Labels      map[string]any `json:"labels"`
			Annotations map[string]any `json:"annotations"`
		} `json:"metadata"`
	}
	// What is not JSON was written by hand, and nothing follows from it.
	if json.Unmarshal([]byte(text), &last) != nil {
		return
	}
	for k := range last.Metadata.Labels {
		m["labels/"+k] = true
	}
	for k := range last.Metadata.Annotations {
		m["annotations/"+k] = true
	}
}
