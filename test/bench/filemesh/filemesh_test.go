package filemesh

import (
	"bytes"
	"crypto/sha256"
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
			if _, err := mesh.Decode(o.Content); err != nil {
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
