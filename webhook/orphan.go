package webhook

import (
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// owner is one of an object's ownerReferences.
type owner struct {
	kind      mesh.Kind
	namespace string
	name, uid string
}

func (o owner) String() string {
	return mesh.Ref{Kind: o.kind.String(), Namespace: o.namespace, Name: o.name}.String()
}

// ownersOf are the owners of an object that are of kinds of the mesh. Of others nobody here knows whether they exist, and
// of ConfigMaps few are kept.
func ownersOf(o *mesh.Object) []owner {
	metadata, _ := o.Content()["metadata"].(map[string]any)
	references, _ := metadata["ownerReferences"].([]any)
	var out []owner
	for _, r := range references {
		reference, _ := r.(map[string]any)
		text := func(field string) string { s, _ := reference[field].(string); return s }
		kind, ok := mesh.KindOf(text("apiVersion"), text("kind"))
		if !ok || kind == mesh.ConfigMap || kind.Namespaced() && o.Namespace == "" {
			continue // the garbage collector takes no owner in a namespace for what is in none
		}
		x := owner{kind: kind, name: text("name"), uid: text("uid")}
		if kind.Namespaced() {
			x.namespace = o.Namespace
		}
		out = append(out, x)
	}
	return out
}

// gains are the owners that an update adds to an object. The garbage collector deletes what has owners of which none
// exists, and nobody is asked then.
func gains(c *change) []owner {
	if c.old == nil || c.new == nil {
		return nil
	}
	had := map[owner]bool{}
	for _, o := range ownersOf(c.old) {
		had[o] = true
	}
	var out []owner
	for _, o := range ownersOf(c.new) {
		if !had[o] {
			out = append(out, o)
		}
	}
	return out
}

// missing is whether an owner does not exist, or is another object of its name by now.
func missing(s *mesh.Snapshot, o owner) bool {
	found := s.Get(o.kind, o.namespace, o.name)
	switch {
	case found != nil:
		return o.uid != "" && found.UID != "" && o.uid != found.UID
	case o.namespace != "":
		return s.Known(o.namespace)
	}
	return s.Whole()
}

// orphaned is what goes wrong when the garbage collector deletes the object, because an update gave it an owner that is not
// there. It stays as long as one of its owners is.
func orphaned(c *change, is *policies.View) []policies.Finding {
	added := gains(c)
	if len(added) == 0 {
		return nil
	}
	checks := c.book.Catalog().OfChanges(c.new.Kind)
	if len(checks) == 0 {
		return nil
	}
	metadata, _ := c.new.Content()["metadata"].(map[string]any)
	if references, _ := metadata["ownerReferences"].([]any); len(references) > len(ownersOf(c.new)) {
		return nil // an owner of another kind, which may well exist
	}
	for _, o := range ownersOf(c.new) {
		if !missing(is.Snapshot, o) {
			return nil
		}
	}
	occasion := is.Occasion // who names the owner is who deletes it
	occasion.Operation, occasion.Old = string(admissionv1.Delete), c.new
	gone := on(occasion, without(is.Snapshot, c.new))
	found := withFailures(policies.EvaluateChange(checks, &policies.Change{Old: c.new, Before: is, After: gone}), gone)
	for i := range found {
		f := &found[i]
		f.Field = "metadata.ownerReferences"
		f.Message = fmt.Sprintf("the garbage collector would delete this, because its owner %s is not there, and then: %s", added[0], f.Message)
		f.Remedy = "Name an owner that exists, by its uid, or none."
	}
	return found
}
