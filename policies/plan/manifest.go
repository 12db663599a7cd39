package plan

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// appliedAnnotation, on what is ours, is a hash of the manifest that was applied. What a later manifest leaves out can only be
// told by it: a field that is not in the manifest may as well be the API server's.
const appliedAnnotation = "waywarden.dev/applied"

// sealed is the manifest with its hash. It is a copy.
func sealed(manifest map[string]any) map[string]any {
	metadata := maps.Clone(manifest["metadata"].(map[string]any))
	annotations, _ := metadata["annotations"].(map[string]any)
	annotations = maps.Clone(annotations)
	delete(annotations, appliedAnnotation)
	metadata["annotations"] = annotations
	out := maps.Clone(manifest)
	out["metadata"] = metadata
	h := fnv.New64a()
	h.Write(appendCanonical(nil, out))
	annotations[appliedAnnotation] = fmt.Sprintf("%016x", h.Sum64())
	return out
}

// noted is the manifest with one more annotation.
func noted(manifest map[string]any, key, value string) map[string]any {
	out := maps.Clone(manifest)
	metadata := maps.Clone(manifest["metadata"].(map[string]any))
	annotations, _ := metadata["annotations"].(map[string]any)
	annotations = maps.Clone(annotations)
	if annotations == nil {
		annotations = map[string]any{}
	}
	annotations[key] = value
	metadata["annotations"], out["metadata"] = annotations, metadata
	return out
}

// notOurs are annotations with our prefix that people write, or that are set when something is applied.
var notOurs = []string{KeepAnnotation, MigrateAnnotation, StepsAnnotation, GoAnnotation, appliedAnnotation}

// manifestOf is an object of ours as we apply it, from what is stored.
func manifestOf(o *mesh.Object) map[string]any {
	labels, annotations := map[string]any{}, map[string]any{}
	for k, v := range o.Labels {
		if k == ManagedByLabel || k == label.IoIstioWaypointFor.Name {
			labels[k] = v
		}
	}
	for k, v := range o.Annotations {
		if strings.HasPrefix(k, "waywarden.dev/") && !slices.Contains(notOurs, k) {
			annotations[k] = v
		}
	}
	return map[string]any{"apiVersion": o.Kind.APIVersion(), "kind": o.Kind.String(), "spec": o.Content()["spec"],
		"metadata": map[string]any{"name": o.Name, "namespace": o.Namespace, "labels": labels, "annotations": annotations}}
}

// applied is whether what is stored is what the manifest says: it has the manifest's hash, and nobody changed since what the
// manifest sets.
func applied(stored *mesh.Object, manifest map[string]any) bool {
	metadata := manifest["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	if stored.Annotations[appliedAnnotation] != annotations[appliedAnnotation] {
		return false
	}
	return within(manifest, stored.Content())
}

// within is whether all that is in want is in have: maps may hold more, lists may not.
func within(want, have any) bool {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return len(w) == 0 && have == nil
		}
		for k, v := range w {
			if !within(v, h[k]) {
				return false
			}
		}
		return true
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return len(w) == 0 && have == nil
		}
		for i := range w {
			if !within(w[i], h[i]) {
				return false
			}
		}
		return true
	case string:
		s, _ := have.(string)
		return s == w
	}
	return fmt.Sprint(want) == fmt.Sprint(have)
}

// labelsManifest is the labels of ours on an object of somebody else's, and all that we own of it. Without labels it lets
// the object go.
func labelsManifest(on mesh.Ref, profile string, labels map[string]string) map[string]any {
	metadata := map[string]any{"name": on.Name}
	if on.Namespace != "" {
		metadata["namespace"] = on.Namespace
	}
	if len(labels) > 0 {
		metadata["labels"] = anyMap(labels)
		metadata["annotations"] = map[string]any{ProfileAnnotation: profile}
	}
	return map[string]any{"apiVersion": on.APIVersion, "kind": on.Kind, "metadata": metadata}
}

// onlyLabels is labels on an object of somebody else's, for whoever owns it to commit.
func onlyLabels(o *mesh.Object, labels map[string]string) map[string]any {
	manifest := labelsManifest(refOf(o), "", labels)
	delete(manifest["metadata"].(map[string]any), "annotations")
	return manifest
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// since reads one of the times that are kept on what is ours.
func since(o *mesh.Object, key string) (time.Time, bool) {
	if o == nil {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, o.Annotations[key])
	return t, err == nil
}

// maxDiffers is how many bytes of a value are said.
const maxDiffers = 200

// differs is the first field, in order, of have that is not as want says, as in `spec.listeners[0].port is 80 and not 15008`; "" exactly
// where want is within have.
func differs(want, have any, path string) string {
	if within(want, have) {
		return ""
	}
	switch w := want.(type) {
	case map[string]any:
		if h, ok := have.(map[string]any); ok {
			for _, k := range slices.Sorted(maps.Keys(w)) {
				if out := differs(w[k], h[k], fieldIn(path, k)); out != "" {
					return out
				}
			}
		}
	case []any:
		if h, ok := have.([]any); ok && len(h) == len(w) {
			for i := range w {
				if out := differs(w[i], h[i], fmt.Sprintf("%s[%d]", path, i)); out != "" {
					return out
				}
			}
		}
	}
	if have == nil {
		return fmt.Sprintf("%s is not there, and is to be %s", path, spelled(want))
	}
	return fmt.Sprintf("%s is %s and not %s", path, spelled(have), spelled(want))
}

// fieldIn is the path of a field: one whose name has dots or slashes, as of a label, is in brackets.
func fieldIn(path, name string) string {
	switch {
	case strings.ContainsAny(name, "./"):
		return path + "[" + name + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

// spelled is a value for people.
func spelled(value any) string {
	out := string(appendCanonical(nil, value))
	if len(out) > maxDiffers {
		return strings.ToValidUTF8(out[:maxDiffers], "") + "…"
	}
	return out
}
