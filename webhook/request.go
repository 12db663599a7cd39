package webhook

import (
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/waywarden/waywarden/policies/mesh"
)

// change is a request about an object of the mesh. old is nil for one that is created, new for one that is deleted.
type change struct {
	*admission.Request
	old, new *mesh.Object
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

// readChange decodes the objects of a request, once. The error is mesh.ErrIgnored for a kind that decides nothing, and a
// *mesh.DecodeError for an object of the wrong shape.
func readChange(r *admission.Request) (*change, error) {
	c := &change{Request: r}
	var err error
	if len(r.OldObject.Raw) > 0 {
		if c.old, err = decode(r.OldObject.Raw, r); err != nil {
			return nil, err
		}
	}
	if len(r.Object.Raw) > 0 {
		if c.new, err = decode(r.Object.Raw, r); err != nil {
			return nil, err
		}
	}
	if c.old == nil && c.new == nil {
		return nil, errors.New("the request holds no object")
	}
	return c, nil
}

func decode(raw []byte, r *admission.Request) (*mesh.Object, error) {
	var content map[string]any
	if err := json.Unmarshal(raw, &content); err != nil {
		return nil, fmt.Errorf("read the object: %w", err)
	}
	o, err := mesh.Decode(content)
	if err != nil {
		return nil, err
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

// generatedName stands in for a name that the API server will make. The asterisk cannot be in one.
func generatedName(content map[string]any) string {
	metadata, _ := content["metadata"].(map[string]any)
	prefix, _ := metadata["generateName"].(string)
	return prefix + "*"
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
