package parameters

import (
	_ "embed" // base.yaml
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

//go:embed base.yaml
var base string

// kinds are the objects that istiod renders, by the key of their overlay.
var kinds = map[string]struct {
	kind string
	new  func() any
}{
	Deployment:              {"Deployment", func() any { return &appsv1.Deployment{} }},
	Service:                 {"Service", func() any { return &corev1.Service{} }},
	ServiceAccount:          {"ServiceAccount", func() any { return &corev1.ServiceAccount{} }},
	HorizontalPodAutoscaler: {"HorizontalPodAutoscaler", func() any { return &autoscalingv2.HorizontalPodAutoscaler{} }},
	PodDisruptionBudget:     {"PodDisruptionBudget", func() any { return &policyv1.PodDisruptionBudget{} }},
}

// Check says what of a profile istiod would refuse, or the API server of what istiod makes of it. It is to be asked of
// what Validate finds nothing wrong with. It judges by the resources that a default installation of Istio gives a
// waypoint: where another one gives others, requests and limits can still contradict one another.
func Check(p *v1alpha1.WaypointProfile) []v1alpha1.FieldError {
	var c checker
	c.patchOfOthers(&p.Spec)
	c.reserved("spec.labels", nil, p.Spec.Labels)
	c.reserved("spec.annotations", nil, p.Spec.Annotations)
	data, err := Render(&p.Spec)
	if err != nil {
		c.fail("spec.patch", "a strategic merge patch of a Deployment", err.Error())
	}
	if len(c.errs) > 0 {
		return c.errs
	}
	was, objects := rendered(), rendered() // merging changes what is merged into
	for _, key := range slices.Sorted(maps.Keys(data)) {
		merged, err := merge(objects[key], data[key], key)
		if err != nil {
			c.fail(fieldOf(key, &p.Spec), "what istiod can merge over a "+kinds[key].kind, err.Error())
			continue
		}
		if slices.Contains(Stamped, key) {
			within(within(was[key], "metadata"), "annotations")[StampAnnotation] = StampOf(data)
		}
		c.object(key, was[key], merged, &p.Spec)
	}
	return c.errs
}

// baseName is what the waypoint of base.yaml is called.
const baseName = "waypoint"

// rendered are the objects of base.yaml by key, to be changed at will.
func rendered() map[string]object {
	out := map[string]object{}
	for key, o := range parsed() {
		out[key] = runtime.DeepCopyJSON(o)
	}
	return out
}

// parsed is base.yaml, read once: profiles are checked whenever they are looked at.
var parsed = sync.OnceValue(func() map[string]object {
	out := map[string]object{}
	for _, doc := range strings.Split(base, "\n---\n") {
		o := object{}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			panic("parameters: base.yaml: " + err.Error())
		}
		for key, k := range kinds {
			if k.kind == o["kind"] {
				out[key] = o
			}
		}
	}
	return out
})

// merge does what istiod does (deploymentcontroller.go strategicMergePatchYAML). Where items of a list are told apart by a field, and that is a
// list or a mapping in one of them, strategicpatch panics, and would in istiod.
func merge(o object, overlay, key string) (merged object, err error) {
	schema, err := strategicpatch.NewPatchMetaFromStruct(kinds[key].new())
	if err != nil {
		return nil, err
	}
	over := object{}
	if err := yaml.Unmarshal([]byte(overlay), &over); err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			merged, err = nil, fmt.Errorf("istiod would panic over it: %v", r)
		}
	}()
	return strategicpatch.StrategicMergeMapPatchUsingLookupPatchMeta(o, over, schema)
}

type checker struct{ errs []v1alpha1.FieldError }

func (c *checker) fail(at, want, got string) {
	c.errs = append(c.errs, v1alpha1.FieldError{Field: at, Want: want, Got: got})
}

// reservedPrefixes begin labels and annotations that say whose a thing is and what captures it; istiod, ztunnel and we go by them.
var reservedPrefixes = []string{"gateway.networking.k8s.io/", "gateway.istio.io/", "istio.io/", "sidecar.istio.io/", "ambient.istio.io/", "waywarden.dev/"}

// reserved finds those that a profile sets, or changes of what istiod renders.
func (c *checker) reserved(at string, was, is map[string]string) {
	keys := maps.Clone(is)
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, was)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		before, had := was[key]
		after, has := is[key]
		if had == has && before == after {
			continue
		}
		if i := slices.IndexFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(key, p) }); i >= 0 {
			c.fail(at, "without "+reservedPrefixes[i]+"…, by which a waypoint is found and captured,", fmt.Sprintf("%q", key))
		}
	}
}

// patchOfOthers finds fields of the patch that other fields of the profile are for, or that nobody may change.
func (c *checker) patchOfOthers(s *v1alpha1.WaypointProfileSpec) {
	if s.Patch == nil || len(s.Patch.Raw) == 0 {
		return
	}
	patch := object{}
	if err := json.Unmarshal(s.Patch.Raw, &patch); err != nil {
		c.fail("spec.patch", "a mapping", "something else")
		return
	}
	metadata, _ := patch["metadata"].(object)
	annotations, _ := metadata["annotations"].(object)
	if value, ok := annotations[StampAnnotation]; ok {
		c.fail("spec.patch.metadata.annotations", "without "+StampAnnotation+", which is waywarden's,", written(value))
	}
	spec, _ := patch["spec"].(object)
	if n, ok := spec["replicas"]; ok {
		c.fail("spec.patch.spec.replicas", "left out, as spec.replicas and spec.autoscaling say how many there are,", written(n))
	}
}

// object judges one merged object: as istiod does (applyOverlay: metadata that must stay), and then as the API server
// does when istiod applies it.
func (c *checker) object(key string, was, is object, s *v1alpha1.WaypointProfileSpec) {
	at := fieldOf(key, s)
	if !c.identity(was, is) {
		return
	}
	if was["kind"] != is["kind"] || was["apiVersion"] != is["apiVersion"] {
		c.fail("spec.patch", "a patch of an apps/v1 Deployment", fmt.Sprintf("one of %v %v", is["apiVersion"], is["kind"]))
		return
	}
	raw, err := json.Marshal(is)
	if err != nil {
		c.fail(at, "what can be written as JSON", err.Error())
		return
	}
	typed := kinds[key].new()
	for _, wrong := range decode(raw, typed) {
		c.fail(at, "made of fields that a "+kinds[key].kind+" has", wrong)
	}
	if d, ok := typed.(*appsv1.Deployment); ok && len(c.errs) == 0 {
		rendered := &appsv1.Deployment{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(was, rendered); err != nil {
			panic("parameters: base.yaml: " + err.Error())
		}
		c.deployment(rendered, d)
	}
}

// identity finds what of the metadata is changed that has to stay as istiod renders it, all but labels and annotations, and is whether
// that is nothing.
func (c *checker) identity(was, is object) bool {
	before, _ := was["metadata"].(object)
	after, ok := is["metadata"].(object)
	if !ok {
		c.fail("spec.patch.metadata", "a mapping of labels and annotations", "something else")
		return false
	}
	same, fields := true, maps.Clone(before)
	maps.Copy(fields, after)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "labels" && name != "annotations" && !reflect.DeepEqual(before[name], after[name]) {
			c.fail("spec.patch.metadata."+name, "left out, as of the metadata of a Deployment only labels and annotations are not istiod's,", written(after[name]))
			same = false
		}
	}
	return same
}

// written is a value as it stands in a manifest.
func written(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// fieldOf is where in a profile an overlay comes from.
func fieldOf(key string, s *v1alpha1.WaypointProfileSpec) string {
	switch key {
	case HorizontalPodAutoscaler:
		return "spec.autoscaling"
	case PodDisruptionBudget:
		return "spec.disruptionBudget"
	case Deployment:
		if s.Patch != nil {
			return "spec.patch"
		}
		return "spec"
	}
	return "spec.labels"
}
