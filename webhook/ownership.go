package webhook

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// FixAnnotation, with the value Admission, lets an object be repaired although a GitOps tool keeps it.
const FixAnnotation = "waywarden.dev/fix"

// trackers are what GitOps tools mark the objects with that they keep as they are in Git. A repair of one would be undone,
// or reported as drift for ever.
var trackers = []struct{ tool, label, annotation string }{
	{tool: "Argo CD", annotation: "argocd.argoproj.io/tracking-id"},
	{tool: "Argo CD", label: "argocd.argoproj.io/instance"},
	{tool: "Flux", label: "kustomize.toolkit.fluxcd.io/name"},
	{tool: "Flux", label: "helm.toolkit.fluxcd.io/name"},
}

// Before 3.0 Argo CD tracks by a label that others set too, unless it is told otherwise, and charts set it to the name of their
// release. Helm itself notes the release on what it installs, and Argo CD, which only renders charts, does not: that tells the
// two apart, where app.kubernetes.io/managed-by says Helm of both.
const (
	instanceLabel     = "app.kubernetes.io/instance"
	releaseAnnotation = "meta.helm.sh/release-name"
)

// keptInGit says who keeps an object as it is in Git, as a clause; "" where nothing tells of anybody.
func keptInGit(o *mesh.Object) string {
	for _, t := range trackers {
		if _, ok := o.Labels[t.label]; ok && t.label != "" {
			return t.tool + " keeps it as it is in Git"
		}
		if _, ok := o.Annotations[t.annotation]; ok && t.annotation != "" {
			return t.tool + " keeps it as it is in Git"
		}
	}
	if o.Labels[instanceLabel] != o.Annotations[releaseAnnotation] && o.Labels[instanceLabel] != "" {
		return "label " + instanceLabel + " says that Argo CD may keep it as it is in Git"
	}
	return ""
}

// keptFrom is why a patch is not applied, as a clause; "" where it may be.
func (m *repairer) keptFrom(ops []policies.Op) string {
	o := m.new
	if o.Annotations[FixAnnotation] != "Admission" {
		if why := keptInGit(o); why != "" {
			return why
		}
	}
	for _, op := range ops {
		if replacesArray(o.Content(), op) {
			return "the patch replaces a list as a whole"
		}
		if owner, owned := ownedByAnother(o.Content(), op.Path, m.fieldManager()); owned {
			return owner + " applies " + fieldOf(op.Path) + " and would undo it"
		}
	}
	return ""
}

// replacesArray is whether an operation puts something in the place of a list: what another writer has added to it by
// then would be lost.
func replacesArray(content map[string]any, op policies.Op) bool {
	if op.Op != "replace" && op.Op != "add" {
		return false
	}
	_, is := at(content, op.Path).([]any)
	return is
}

// at is the value that a JSON pointer names; nil where there is none.
func at(content map[string]any, pointer string) any {
	var value any = content
	for _, e := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		e = strings.NewReplacer("~1", "/", "~0", "~").Replace(e)
		switch x := value.(type) {
		case map[string]any:
			value = x[e]
		case []any:
			i, err := strconv.Atoi(e)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			value = x[i]
		default:
			return nil
		}
	}
	return value
}

// ownedByAnother is the manager that applies the field which a pointer names, other than the one that writes now: it
// will write its own again. Lists are owned as a whole or by item, and either counts.
func ownedByAnother(content map[string]any, pointer, writer string) (manager string, owned bool) {
	metadata, _ := content["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		manager, _ := entry["manager"].(string)
		if entry["operation"] != "Apply" || manager == writer && writer != "" {
			continue
		}
		fields, _ := entry["fieldsV1"].(map[string]any)
		if owns(fields, strings.Split(strings.TrimPrefix(pointer, "/"), "/")) {
			return cmp.Or(manager, "another manager"), true
		}
	}
	return "", false
}

// owns is whether fieldsV1 covers a path, up to the first list in it.
func owns(fields map[string]any, path []string) bool {
	for _, e := range path {
		if _, err := strconv.Atoi(e); err == nil || e == "-" {
			return true // an item of a list that it owns, or of which it owns items
		}
		next, ok := fields["f:"+strings.NewReplacer("~1", "/", "~0", "~").Replace(e)].(map[string]any)
		if !ok {
			return false
		}
		fields = next
	}
	return true
}

// fieldOf is a pointer as messages name fields.
func fieldOf(pointer string) string {
	return strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
}
