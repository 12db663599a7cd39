package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies/mesh"
)

// authoredResources are what users write for Waywarden itself, and no part of a mesh.
var authoredResources = []string{v1alpha1.GuardrailResource, v1alpha1.ExemptionResource, v1alpha1.WaypointProfileResource, v1alpha1.RulePackResource}

func authoredResource(name string) string { return name + "." + v1alpha1.GroupVersion.Group }

func isAuthoredResource(resource string) bool {
	return slices.ContainsFunc(authoredResources, func(name string) bool { return authoredResource(name) == resource })
}

// authoredKinds are their kinds.
var authoredKinds = []string{v1alpha1.GuardrailKind, v1alpha1.ExemptionKind, v1alpha1.WaypointProfileKind, v1alpha1.RulePackKind}

// isAuthored is whether content is of one of the kinds, of whatever version.
func isAuthored(content map[string]any) bool {
	apiVersion, _ := content["apiVersion"].(string)
	group, _, _ := strings.Cut(apiVersion, "/")
	kind, _ := content["kind"].(string)
	return group == v1alpha1.GroupVersion.Group && slices.Contains(authoredKinds, kind)
}

func unversioned(ref mesh.Ref) mesh.Ref {
	ref.APIVersion = ""
	return ref
}

// authored is what the kinds have in common.
type authored interface {
	metav1.Object
	Validate() []v1alpha1.FieldError
}

// fault is what keeps one of them from being applied: cause. remedy.
type fault struct{ field, message string }

// decodeAuthored reads content as strictly as an API server does, and more strictly than it stores: a field that nobody
// knows is a mistake in whatever was meant by it.
func decodeAuthored(content map[string]any) (authored, []fault) {
	if version := content["apiVersion"]; version != v1alpha1.GroupVersion.String() {
		return nil, []fault{{"apiVersion", fmt.Sprintf("apiVersion must be %s and is %v. Correct it.", v1alpha1.GroupVersion, version)}}
	}
	var o authored
	var bad *fault
	switch content["kind"] {
	case v1alpha1.ExemptionKind:
		o, bad = &v1alpha1.Exemption{}, badTime(content)
	case v1alpha1.WaypointProfileKind:
		o, bad = &v1alpha1.WaypointProfile{}, badDuration(content)
	case v1alpha1.RulePackKind:
		o = &v1alpha1.RulePack{}
	default:
		o = &v1alpha1.Guardrail{}
	}
	if bad != nil {
		return nil, []fault{*bad}
	}
	data, err := json.Marshal(content)
	if err != nil {
		return nil, []fault{{"", fmt.Sprintf("it cannot be written as JSON (%v). Correct it.", err)}}
	}
	strict, err := kjson.UnmarshalStrict(data, o)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return nil, []fault{{wrong.Field, fmt.Sprintf("%s must be %s and is %s. %s", wrong.Field, typeName(wrong.Type), jsonName(wrong.Value), remedyFor(wrong))}}
	case err != nil:
		return nil, []fault{{"", fmt.Sprintf("it cannot be read (%v). Correct it.", err)}}
	}
	var faults []fault
	for _, s := range strict {
		if at, ok := s.(interface{ FieldPath() string }); ok {
			faults = append(faults, fault{at.FieldPath(), fmt.Sprintf("there is no field %s in it. Correct its name, or remove it.", at.FieldPath())})
		}
	}
	for _, f := range validate(o) {
		faults = append(faults, fault{f.Field, f.Error() + ". Correct it."})
	}
	return o, faults
}

// validate says what is wrong with the fields; of a profile that is well formed, what istiod would make of it.
func validate(o authored) []v1alpha1.FieldError {
	wrong := o.Validate()
	if p, ok := o.(*v1alpha1.WaypointProfile); ok && len(wrong) == 0 {
		return parameters.Check(p)
	}
	return wrong
}

// badDuration finds a length of time that is none, which the decoder would report without saying where.
func badDuration(content map[string]any) *fault {
	spec, _ := content["spec"].(map[string]any)
	value := spec["retainFor"]
	if value == nil {
		return nil
	}
	if s, ok := value.(string); ok {
		if _, err := time.ParseDuration(s); err == nil {
			return nil
		}
		value = fmt.Sprintf("%q", s)
	}
	return &fault{"spec.retainFor", fmt.Sprintf("spec.retainFor must be a length of time, as in 1h, and is %v. Correct it.", value)}
}

// badTime finds a time that is none, which the decoder would report without saying where.
func badTime(content map[string]any) *fault {
	spec, _ := content["spec"].(map[string]any)
	value := spec["expiresAt"]
	if value == nil {
		return nil
	}
	if s, ok := value.(string); ok {
		if _, err := time.Parse(time.RFC3339, s); err == nil {
			return nil
		}
		value = fmt.Sprintf("%q", s)
	}
	return &fault{"spec.expiresAt", fmt.Sprintf("spec.expiresAt must be a time, as in 2027-01-31T00:00:00Z, and is %v. Correct it.", value)}
}

// remedyFor knows the trap that one of the actions is: off is a word for false in YAML.
func remedyFor(wrong *json.UnmarshalTypeError) string {
	if wrong.Type.Kind() == reflect.String && wrong.Value == "bool" {
		return "Quote it: YAML reads words such as Off as false."
	}
	return "Correct it."
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	}
	return "a number"
}

// jsonName is what encoding/json calls a value, in the words of people who write YAML.
func jsonName(value string) string {
	switch value, _, _ := strings.Cut(value, " "); value {
	case "array":
		return "a list"
	case "object":
		return "a mapping"
	case "bool":
		return "true or false"
	}
	return "a " + value
}

// author takes one of the kinds of a file.
func (r *fileReader) author(d *manifest.Document) {
	o, faults := decodeAuthored(d.Content)
	ref := authoredRef(d.Content, r.namespace)
	if len(faults) == 0 && ref.Name == "" {
		faults = []fault{{"metadata", "it has no name. Give it metadata.name."}}
	}
	for _, f := range faults {
		r.report(d, f.field, fmt.Sprintf("%s is not applied: %s", objectName(ref), f.message))
	}
	if len(faults) > 0 {
		return
	}
	o.SetNamespace(ref.Namespace)
	if earlier := r.authored[ref]; earlier != nil {
		r.report(earlier, "metadata.name", fmt.Sprintf("%s is not applied as it stands here: it stands again at %s, and the last one counts. Remove one of the two.",
			objectName(ref), place(d, "metadata.name")))
		r.without(ref)
	}
	r.authored[ref] = d
	r.keepAuthored(o)
}

// authoredRef names what content is, with the namespace that it will have.
func authoredRef(content map[string]any, namespace string) mesh.Ref {
	metadata, _ := content["metadata"].(map[string]any)
	ref := mesh.Ref{}
	ref.Kind, _ = content["kind"].(string)
	ref.Name, _ = metadata["name"].(string)
	if ref.Kind == v1alpha1.ExemptionKind {
		if ref.Namespace, _ = metadata["namespace"].(string); ref.Namespace == "" {
			ref.Namespace = namespace
		}
	}
	return ref
}

func (i *Inventory) keepAuthored(o authored) {
	switch o := o.(type) {
	case *v1alpha1.Guardrail:
		i.Guardrails = append(i.Guardrails, o)
	case *v1alpha1.Exemption:
		i.Exemptions = append(i.Exemptions, o)
	case *v1alpha1.WaypointProfile:
		i.Profiles = append(i.Profiles, o)
	case *v1alpha1.RulePack:
		i.Packs = append(i.Packs, o)
	}
}

func (i *Inventory) without(ref mesh.Ref) {
	switch ref.Kind {
	case v1alpha1.GuardrailKind:
		i.Guardrails = slices.DeleteFunc(i.Guardrails, func(g *v1alpha1.Guardrail) bool { return g.Name == ref.Name })
		return
	case v1alpha1.WaypointProfileKind:
		i.Profiles = slices.DeleteFunc(i.Profiles, func(p *v1alpha1.WaypointProfile) bool { return p.Name == ref.Name })
		return
	case v1alpha1.RulePackKind:
		i.Packs = slices.DeleteFunc(i.Packs, func(p *v1alpha1.RulePack) bool { return p.Name == ref.Name })
		return
	}
	i.Exemptions = slices.DeleteFunc(i.Exemptions, func(e *v1alpha1.Exemption) bool { return e.Namespace == ref.Namespace && e.Name == ref.Name })
}

// completed is what files say, and what only the cluster has.
func completed[T metav1.Object](files, live []T) []T {
	out := slices.Clone(files)
	for _, o := range live {
		if !slices.ContainsFunc(files, func(f T) bool { return f.GetNamespace() == o.GetNamespace() && f.GetName() == o.GetName() }) {
			out = append(out, o)
		}
	}
	return out
}
