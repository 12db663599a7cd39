package corpus

import (
	"testing"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestBindings compares whether every Service and ServiceEntry is bound to a waypoint, and why not,
// with what istiod wrote on it. There is no list of exceptions.
func TestBindings(t *testing.T) {
	r := load(t, "testdata/mesh-a")
	compared := 0
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry, mesh.WorkloadEntry} {
		for o := range r.snapshot.All(kind) {
			ours := condition{}
			if b := r.snapshot.Binding(o); b.Reason != "" {
				ours = condition{Status: "False", Reason: b.Reason}
				if b.Bound {
					ours.Status = "True"
				}
			}
			theirs := r.condition(o, "istio.io/WaypointBound")
			theirs.Type, theirs.Message = "", ""
			if ours != theirs {
				t.Errorf("%s: we say %v, istiod %v", o, ours, theirs)
			}
			compared++
		}
	}
	if compared < 100 {
		t.Errorf("compared only %d objects", compared)
	}
}

// condition is what istiod wrote on an object; zero where it wrote nothing of the type.
func (r recording) condition(o *mesh.Object, kind string) condition {
	for _, c := range r.conditions[o.Ref().Kind+" "+o.Key()] {
		if c.Type == kind {
			return c
		}
	}
	return condition{}
}
