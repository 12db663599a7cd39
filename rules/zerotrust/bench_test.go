package zerotrust

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/bench/filemesh"
)

// busy is a mesh of so many Services, and some of its objects of a kind.
func busy(t testing.TB, services int, kind mesh.Kind) (*mesh.Snapshot, []*mesh.Object) {
	t.Helper()
	var manifests bytes.Buffer
	if err := filemesh.Write(&manifests, filemesh.Options{Policies: 2 * services, PerNamespace: 20, Pods: 2, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.Files(inventory.FileOptions{Stdin: &manifests, MaxBytes: 1 << 30}, "-")
	if err != nil {
		t.Fatal(err)
	}
	s := mesh.New(mesh.Options{}, inv.Objects...)
	var some []*mesh.Object
	for o := range s.All(kind) {
		if len(some) < 200 {
			some = append(some, o)
		}
	}
	return s, some
}

func answer(t testing.TB, checks []*policies.Check, s *mesh.Snapshot, o *mesh.Object) {
	view := policies.NewView(s)
	view.Occasion = policies.Occasion{Phase: policies.AtAdmission, Operation: "CREATE"}
	policies.Evaluate(checks, view, o)
	if f := view.TakeFailures(); len(f) > 0 {
		t.Fatal(f)
	}
}

// BenchmarkLibrary is what it takes to ask the whole library about one object at admission, in a mesh of 5,000 Services; and,
// as the control, for the effects that Go works out for the same object.
func BenchmarkLibrary(b *testing.B) {
	checks := Pack().Checks()
	for _, kind := range []mesh.Kind{mesh.AuthorizationPolicy, mesh.Service, mesh.Namespace} {
		s, some := busy(b, 5000, kind)
		b.Run(fmt.Sprintf("effects/%s", kind), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				policies.NewView(s).Effects(some[i%len(some)])
			}
		})
		b.Run(fmt.Sprintf("rules/%s", kind), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				answer(b, checks, s, some[i%len(some)])
			}
		})
	}
}

// most is how many allocations it may take to ask the whole library about one object, by kind. A time means nothing on a machine
// that others use; these do not depend on it.
var most = map[mesh.Kind]float64{mesh.AuthorizationPolicy: 80, mesh.Service: 30, mesh.Namespace: 150}

// TestAllocations holds what the library costs, and that it does not grow with the mesh.
func TestAllocations(t *testing.T) {
	checks := Pack().Checks()
	for kind, limit := range most {
		var of [2]float64
		for i, services := range []int{50, 500} {
			s, some := busy(t, services, kind)
			n := 0
			of[i] = testing.AllocsPerRun(len(some), func() {
				answer(t, checks, s, some[n%len(some)])
				n++
			})
		}
		t.Logf("%s: %.0f allocations with 50 Services, %.0f with 500", kind, of[0], of[1])
		if of[1] > limit {
			t.Errorf("%s: %.0f allocations, at most %.0f", kind, of[1], limit)
		}
		if of[1] > of[0]*1.1 {
			t.Errorf("%s: %.0f allocations with 50 Services and %.0f with 500: it grows with the mesh", kind, of[0], of[1])
		}
	}
}
