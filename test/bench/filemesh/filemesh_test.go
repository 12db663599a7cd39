package filemesh

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

func generate(t testing.TB, policies int) ([]byte, []*mesh.Object) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, Options{Policies: policies, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	objects, err := scenario.Objects(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), objects
}

func TestSizeAndSeed(t *testing.T) {
	one, objects := generate(t, 500)
	two, _ := generate(t, 500)
	if sha256.Sum256(one) != sha256.Sum256(two) {
		t.Error("the same seed gives different bytes")
	}
	// 10 namespaces of 1 + 3×10 objects, a waypoint in 4 of them, and the policies.
	if want := 10*31 + 4 + 500; len(objects) != want {
		t.Errorf("%d objects, want %d", len(objects), want)
	}
}

func BenchmarkNew(b *testing.B) {
	_, objects := generate(b, 5000)
	b.ReportAllocs()
	for b.Loop() {
		mesh.New(mesh.Options{}, objects...)
	}
}

func BenchmarkDecode(b *testing.B) {
	_, objects := generate(b, 500)
	b.ReportAllocs()
	for b.Loop() {
		for _, o := range objects {
			if _, err := mesh.Decode(o.Content()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkEvaluate asks every check of every object of the 8,134-object mesh.
func BenchmarkEvaluate(b *testing.B) {
	_, objects := generate(b, 5000)
	s := mesh.New(mesh.Options{}, objects...)
	checks := policies.Checks()
	b.ReportAllocs()
	for b.Loop() {
		view := policies.NewView(s)
		for o := range s.Objects() {
			policies.Evaluate(checks, view, o)
		}
	}
}

// BenchmarkShapes asks every check of every object of the hard meshes, at two sizes: the time for an
// object must not grow with the mesh. (In the root mesh it is the time for a pod and 200 policies.)
func BenchmarkShapes(b *testing.B) {
	for _, shape := range Shapes {
		for _, scale := range []float64{0.25, 1} {
			b.Run(fmt.Sprintf("%s/%v", shape.Name, scale), func(b *testing.B) {
				s := mesh.New(mesh.Options{}, shaped(b, shape, scale)...)
				checks := policies.Checks()
				b.ReportAllocs()
				for b.Loop() {
					view := policies.NewView(s)
					for o := range s.Objects() {
						policies.Evaluate(checks, view, o)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(s.Len()), "µs/object")
			})
		}
	}
}

func shaped(t testing.TB, shape Shape, scale float64) []*mesh.Object {
	t.Helper()
	var buf bytes.Buffer
	if err := shape.Write(&buf, scale); err != nil {
		t.Fatal(err)
	}
	objects, err := scenario.Objects(buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// TestShapes holds that the hard meshes are what they are called.
func TestShapes(t *testing.T) {
	for name, want := range map[string]map[mesh.Kind]int{
		"pods":     {mesh.Namespace: 1, mesh.Pod: 200, mesh.Service: 5, mesh.AuthorizationPolicy: 50},
		"services": {mesh.Namespace: 1, mesh.Pod: 100, mesh.Service: 100, mesh.AuthorizationPolicy: 100, mesh.HTTPRoute: 25, mesh.VirtualService: 25, mesh.DestinationRule: 50},
		"root":     {mesh.Namespace: 101, mesh.Pod: 5000, mesh.AuthorizationPolicy: 120, mesh.Telemetry: 40, mesh.RequestAuthentication: 40},
		"kinds":    {mesh.Namespace: 10, mesh.Pod: 100, mesh.AuthorizationPolicy: 60, mesh.Sidecar: 30, mesh.EnvoyFilter: 30},
	} {
		i := slices.IndexFunc(Shapes, func(s Shape) bool { return s.Name == name })
		got := map[mesh.Kind]int{}
		for _, o := range shaped(t, Shapes[i], 0.1) {
			got[o.Kind]++
		}
		for kind, n := range want {
			if got[kind] != n {
				t.Errorf("%s: %d of %s, want %d", name, got[kind], kind, n)
			}
		}
	}
}

func BenchmarkEffects(b *testing.B) {
	_, objects := generate(b, 5000)
	s := mesh.New(mesh.Options{}, objects...)
	var some []*mesh.Object
	for o := range s.All(mesh.AuthorizationPolicy) {
		some = append(some, o)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		policies.Effects(s, some[i%len(some)])
	}
}

func BenchmarkWith(b *testing.B) {
	_, objects := generate(b, 5000)
	s := mesh.New(mesh.Options{}, objects...)
	o := objects[len(objects)-1]
	b.ReportAllocs()
	for b.Loop() {
		s.With(o)
	}
}
