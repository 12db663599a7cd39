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

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies/mesh"
)

// authoredResources are what users write for Waywarden itself, and no part of a mesh.
var authoredResources = []string{v1alpha1.GuardrailResource, v1alpha1.ExemptionResource}

func authoredResource(name string) string { return name + "." + v1alpha1.GroupVersion.Group }

func isAuthoredResource(resource string) bool {
	return slices.ContainsFunc(authoredResources, func(name string) bool { return authoredResource(name) == resource })
}

// isAuthored is whether content is a Guardrail or an Exemption, of whatever version.
func isAuthored(content map[string]any) bool {
	apiVersion, _ := content["apiVersion"].(string)
	group, _, _ := strings.Cut(apiVersion, "/")
	kind, _ := content["kind"].(string)
	return group == v1alpha1.GroupVersion.Group && (kind == v1alpha1.GuardrailKind || kind == v1alpha1.ExemptionKind)
}

func unversioned(ref mesh.Ref) mesh.Ref {
	ref.APIVersion = ""
	return ref
}

// authored is what Guardrail and Exemption have in common.
type authored interface {
	metav1.Object
	Validate() []v1alpha1.FieldError
}

// fault is what keeps a Guardrail or an Exemption from being applied: cause. remedy.
type fault struct{ field, message string }

// decodeAuthored reads content as strictly as an API server does, and more strictly than it stores: a field that nobody
// knows is a mistake in whatever was meant by it.
func decodeAuthored(content map[string]any) (authored, []fault) {
	if version := content["apiVersion"]; version != v1alpha1.GroupVersion.String() {
		return nil, []fault{{"apiVersion", fmt.Sprintf("apiVersion must be %s and is %v. Correct it.", v1alpha1.GroupVersion, version)}}
	}
	var o authored = &v1alpha1.Guardrail{}
	if content["kind"] == v1alpha1.ExemptionKind {
		o = &v1alpha1.Exemption{}
		if bad := badTime(content); bad != nil {
			return nil, []fault{*bad}
		}
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
	for _, f := range o.Validate() {
		faults = append(faults, fault{f.Field, f.Error() + ". Correct it."})
	}
	return o, faults
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

// author takes a Guardrail or an Exemption of a file.
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
	}
}

func (i *Inventory) without(ref mesh.Ref) {
	if ref.Kind == v1alpha1.GuardrailKind {
		i.Guardrails = slices.DeleteFunc(i.Guardrails, func(g *v1alpha1.Guardrail) bool { return g.Name == ref.Name })
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
