package webhook

import (
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// change is a request about an object of the mesh. old is nil for one that is created, new for one that is deleted.
type change struct {
	*admission.Request
	old, new *mesh.Object
	book     *decide.Rulebook // by which it is judged, from the beginning to the end
}

// object is the object in the form that there is.
func (c *change) object() *mesh.Object {
	if c.new != nil {
		return c.new
	}
	return c.old
}

// dryRun is whether nothing is stored, so that nothing else may be left behind either.
func dryRun(r *admission.Request) bool { return r.DryRun != nil && *r.DryRun }

// malformed is an error about a request that no API server makes: it is denied, because nobody can say what it asks.
type malformed string

func (m malformed) Error() string { return string(m) + ". Ask as an API server does." }

// readChange decodes the objects of a request, once. The error is mesh.ErrIgnored for a kind that decides nothing, a
// *mesh.DecodeError for an object of the wrong shape, and malformed for a request that does not hold what its operation
// is about.
func readChange(r *admission.Request) (*change, error) {
	c := &change{Request: r}
	var wantOld, wantNew bool
	switch r.Operation {
	case admissionv1.Create:
		wantNew = true
	case admissionv1.Update:
		wantOld, wantNew = true, true
	case admissionv1.Delete:
		wantOld = true
	default:
		return nil, malformed(fmt.Sprintf("waywarden judges CREATE, UPDATE and DELETE, and not %.40q", r.Operation))
	}
	var err error
	if wantNew {
		if c.new, err = decode("object", r.Object.Raw, r); err != nil {
			return nil, err
		}
	}
	if wantOld {
		var unread *mesh.DecodeError
		switch c.old, err = decode("oldObject", r.OldObject.Raw, r); {
		case wantNew && errors.As(err, &unread):
			c.old = nil // what replaces it is judged as if it were new, and does not get by
		case err != nil:
			return nil, err
		}
	}
	return c, nil
}

// decode reads one of the objects of a request.
func decode(field string, raw []byte, r *admission.Request) (*mesh.Object, error) {
	if len(raw) == 0 {
		return nil, malformed(fmt.Sprintf("%s has to have request.%s, and has none", r.Operation, field))
	}
	content, err := contentOf(raw)
	if err != nil {
		return nil, malformed(fmt.Sprintf("request.%s cannot be read: %v", field, err))
	}
	o, err := mesh.Decode(content)
	if err != nil {
		return nil, err
	}
	if kind, ok := mesh.KindOf(apiVersion(r), r.Kind.Kind); !ok || kind != o.Kind {
		return nil, malformed(fmt.Sprintf("request.%s is of another kind than request.kind, which is %.100q", field, r.Kind.Kind))
	}
	// Nobody else has seen o yet.
	o.Live = true
	if o.Kind.Namespaced() && o.Namespace == "" {
		o.Namespace = r.Namespace
	}
	if o.Name == "" {
		// The mutating phase comes before the API server has made a name of generateName.
		o.Name = r.Name
	}
	if o.Name == "" {
		o.Name = generatedName(content)
	}
	return o, nil
}

// apiVersion is that of the object of a request, as in "security.istio.io/v1".
func apiVersion(r *admission.Request) string {
	return schema.GroupVersion{Group: r.Kind.Group, Version: r.Kind.Version}.String()
}

// generated ends what stands in for a name that the API server will make. It cannot be in one.
const generated = "*"

// generatedName stands in for a name that the API server will make.
func generatedName(content map[string]any) string {
	metadata, _ := content["metadata"].(map[string]any)
	prefix, _ := metadata["generateName"].(string)
	return prefix + generated
}

// deletes is whether the request deletes its object.
func deletes(r *admission.Request) bool { return r.Operation == admissionv1.Delete }

// fieldManager is under which name the requester writes; "" where the request does not say.
func (c *change) fieldManager() string {
	var options struct {
		FieldManager string `json:"fieldManager"`
	}
	if err := json.Unmarshal(c.Options.Raw, &options); err != nil {
		return "" // then every manager is another one, and less is repaired
	}
	return options.FieldManager
}
