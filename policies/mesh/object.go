package mesh

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// Ref names an object. APIVersion is left empty where the kind alone is clear.
type Ref struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`
}

// String is how messages name objects: "Service shop/cart", "Namespace shop".
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// Compare orders by kind, namespace, name and version.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(strings.Compare(r.Kind, o.Kind), strings.Compare(r.Namespace, o.Namespace),
		strings.Compare(r.Name, o.Name), strings.Compare(r.APIVersion, o.APIVersion))
}

// Object is one Kubernetes object that matters to the mesh. It is immutable: nothing may write to
// it, or to what it points to, after Decode returned it.
type Object struct {
	Kind        Kind
	APIVersion  string
	Namespace   string
	Name        string
	UID         string
	Labels      map[string]string
	Annotations map[string]string
	Owners      []string // kinds and names of ownerReferences, as in "ReplicaSet/cart-5d8f"
	Created     time.Time
	Generation  int64
	Terminating bool // has a deletionTimestamp

	// Live is whether the object comes from a cluster, where an absent status means something.
	Live bool
	// Spec is the kind's own struct, as in *AuthorizationPolicy.
	Spec    any
	content map[string]any
	packed  string // content as JSON, in place of it
}

// Ref names the object, with its version.
func (o *Object) Ref() Ref {
	return Ref{APIVersion: o.APIVersion, Kind: o.Kind.String(), Namespace: o.Namespace, Name: o.Name}
}

func (o *Object) String() string { return o.Ref().String() }

// Key is the object's identity among objects of its kind, as in "shop/cart".
func (o *Object) Key() string { return o.Namespace + "/" + o.Name }

// Labelled is a copy of the object with other labels, to ask what would be. Its Content is still that
// of the original.
func (o *Object) Labelled(labels map[string]string) *Object {
	c := *o
	c.Labels = labels
	return &c
}

// older orders objects of one kind as Istio does where "the oldest wins": by creation time, then
// by name. An object without a time, as in a manifest, counts as newer than any with one.
func older(a, b *Object) int {
	if a.Created.IsZero() != b.Created.IsZero() {
		if a.Created.IsZero() {
			return 1
		}
		return -1
	}
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name), strings.Compare(a.Namespace, b.Namespace))
}

// ErrIgnored is returned for an object of a kind that decides nothing in a mesh.
var ErrIgnored = errors.New("not a kind that decides anything in the mesh")

// DecodeError lists all that is wrong with the types of one object.
type DecodeError struct {
	Ref    Ref
	Fields []FieldError
}

func (e *DecodeError) Error() string {
	msgs := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		msgs[i] = f.Error()
	}
	return e.Ref.String() + ": " + strings.Join(msgs, "; ")
}

type metadata struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	UID               string            `json:"uid"`
	Labels            map[string]string `json:"labels"`
	Annotations       map[string]string `json:"annotations"`
	CreationTimestamp string            `json:"creationTimestamp"`
	DeletionTimestamp string            `json:"deletionTimestamp"`
	Generation        int64             `json:"generation"`
	OwnerReferences   []struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"ownerReferences"`
}

// Decode turns content, decoded YAML or JSON, into an Object. It keeps content and never writes to
// it; of a Secret it keeps the certificates alone, and nothing of content. The error is [ErrIgnored] for kinds that do not matter here, and a [*DecodeError] where
// a known field has the wrong type.
func Decode(content map[string]any) (*Object, error) {
	apiVersion, _ := content["apiVersion"].(string)
	kindName, _ := content["kind"].(string)
	kind, ok := KindOf(apiVersion, kindName)
	if !ok {
		return nil, ErrIgnored
	}
	var (
		d    decoder
		meta metadata
	)
	spec := kind.new()
	if secret, ok := spec.(*SecretBody); ok { // before anything is looked at: errors quote what they find
		content, secret.Certificates = certified(content)
	}
	if content["metadata"] == nil {
		d.errs = []FieldError{{Field: "metadata", Want: "a mapping", Got: describe(nil)}}
	}
	d.object("metadata", content["metadata"], &meta)
	if root := kind.root(); root == "" {
		d.object("", content, spec)
	} else {
		d.object(root, content[root], spec)
	}
	delete(meta.Annotations, LastApplied) // says nothing that the object does not, and a watch does not keep it
	o := &Object{
		Kind: kind, APIVersion: apiVersion, Namespace: meta.Namespace, Name: meta.Name, UID: meta.UID,
		Labels: meta.Labels, Annotations: meta.Annotations, Generation: meta.Generation,
		Created: parseTime(meta.CreationTimestamp), Terminating: meta.DeletionTimestamp != "",
		Spec: spec, content: content,
	}
	for _, ref := range meta.OwnerReferences {
		o.Owners = append(o.Owners, ref.Kind+"/"+ref.Name)
	}
	if !kind.Namespaced() {
		o.Namespace = ""
	}
	if kind == Namespace && o.Name != "" {
		o.label(namespaceName, o.Name)
	}
	if c, ok := spec.(*ConfigMapBody); ok && holdsMeshConfig(o) {
		c.checkMesh(&d)
	}
	if len(d.errs) > 0 {
		slices.SortFunc(d.errs, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
		return nil, &DecodeError{Ref: o.Ref(), Fields: d.errs}
	}
	if f, ok := spec.(interface{ matters(*Object) bool }); ok && !f.matters(o) {
		return nil, ErrIgnored
	}
	return o, nil
}

// namespaceName is a label that the API server sets on every Namespace, and lets nobody change. Files leave it out, and
// allowedRoutes select by it.
const namespaceName = "kubernetes.io/metadata.name"

// label sets a label while the object is made.
func (o *Object) label(name, value string) {
	if o.Labels == nil {
		o.Labels = map[string]string{}
	}
	o.Labels[name] = value
}

// parseTime reads a timestamp of the API server; what is not one counts as absent, because only
// the API server sets it.
func parseTime(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

func sortStrings(s []string) { slices.Sort(s) }

func sorted(objects []*Object) []*Object {
	slices.SortFunc(objects, compareObjects)
	return slices.Compact(objects)
}
