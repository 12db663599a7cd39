package webhook

import (
	"context"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// confirm asks the API server, before a denial, for what the Snapshot may not have seen yet: whether the namespace of
// what is deleted terminates, and whether what the object refers to and is missing is there by now. It returns the
// verdict on the mesh with what was found, nil where that is nothing. An API server that does not answer confirms
// nothing: then the Snapshot counts. A namespace that is known to terminate is asked about no more, because that is never
// taken back.
func (a *Admission) confirm(ctx context.Context, c *change, before *mesh.Snapshot, v *verdict) *verdict {
	if home := before.Get(mesh.Namespace, "", c.object().Home()); deletes(c.Request) && home != nil && home.Terminating {
		return &verdict{}
	}
	now := before
	for _, ref := range a.doubts(c, before, v) {
		found, err := a.Get(ctx, ref.kind, ref.namespace, ref.name)
		if err != nil {
			a.Log.Error(err, "a denial could not be confirmed", "kind", ref.kind.String(), "namespace", ref.namespace, "name", ref.name)
			continue
		}
		if found == nil {
			continue
		}
		if ref.kind == mesh.Namespace && found.Terminating && deletes(c.Request) {
			return &verdict{}
		}
		now = now.With(found)
	}
	if now == before {
		return nil
	}
	return a.evaluate(ctx, c, now)
}

type wanted struct {
	kind            mesh.Kind
	namespace, name string
}

// maxDoubts bounds the questions to the API server before one denial.
const maxDoubts = 4

// doubts are the objects that a denial rests on and that the Snapshot does not have.
func (a *Admission) doubts(c *change, s *mesh.Snapshot, v *verdict) []wanted {
	var out []wanted
	add := func(w wanted) {
		if w.name != "" && len(out) < maxDoubts && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	o := c.object()
	if deletes(c.Request) && o.Home() != "" || s.Get(mesh.Namespace, "", o.Home()) == nil {
		add(wanted{mesh.Namespace, "", o.Home()})
	}
	for _, x := range gains(c) {
		if missing(s, x) {
			add(wanted{x.kind, x.namespace, x.name})
		}
	}
	if p, ok := o.Spec.(interface{ Attachment() mesh.Attachment }); ok {
		for _, ref := range p.Attachment().Refs() {
			if kind, ok := kindOf(ref); ok && kind.Namespaced() && s.Get(kind, o.Namespace, ref.Name) == nil {
				add(wanted{kind, o.Namespace, ref.Name})
			}
		}
	}
	for i := range v.findings {
		if !v.decision.Rulings[i].Denies() {
			continue
		}
		for _, ref := range v.findings[i].Related {
			if kind, ok := mesh.KindOf(ref.APIVersion, ref.Kind); ok && s.Get(kind, ref.Namespace, ref.Name) == nil {
				add(wanted{kind, ref.Namespace, ref.Name})
			}
		}
	}
	return out
}

func kindOf(ref mesh.TargetRef) (mesh.Kind, bool) {
	if ref.Group == "" {
		return mesh.KindOf("v1", ref.Kind)
	}
	return mesh.KindOf(ref.Group+"/v1", ref.Kind)
}
