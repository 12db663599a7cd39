//go:build cluster

package istiod

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/oracle"
)

// madeUp is a disagreement that is not there: about every Service with label app=cart, in a Namespace with label
// team=a, of which istiod says that it is bound. So it takes a waypoint that istiod finds.
func madeUp(r oracle.Recording) []oracle.Difference {
	var out []oracle.Difference
	for o := range r.Snapshot.All(mesh.Service) {
		c, _ := r.Condition(o, oracle.WaypointBound)
		if c.Status == "True" && o.Labels["app"] == "cart" && r.Snapshot.NamespaceLabels(o.Namespace)["team"] == "a" {
			out = append(out, oracle.Difference{About: "made up", Object: o, Ours: "no", Istiod: "yes"})
		}
	}
	return out
}

// TestMinimise finds in a generated mesh what a made-up disagreement is about, and nothing else.
func TestMinimise(t *testing.T) {
	w := start(t)
	m := Mesh{Objects: Generate(5, 20)}
	if err := w.applyInTurn(t.Context(), m.Objects); err != nil {
		t.Fatal(err)
	}
	if err := w.settle(t.Context(), 2*time.Second, time.Minute); err != nil {
		t.Fatal(err)
	}
	r, err := w.record(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := madeUp(r)
	if len(found) == 0 {
		t.Fatal("no Service of the mesh is as the disagreement wants it: choose another seed")
	}
	x := minimiser{world: w, disagree: madeUp, prefix: "s5-", about: found[0]}
	got, err := x.minimise(t.Context(), m, m, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d objects are left after %d attempts:\n%s", len(got.Parts), len(m.Objects), got.Attempts, got)
	kinds := map[string]int{}
	needed := []string{"app", "team", "istio.io/use-waypoint", "istio.io/use-waypoint-namespace", "istio.io/waypoint-for"}
	for _, p := range got.Parts {
		kinds[ofKind(p)]++
		for k := range p.After.GetLabels() {
			if !slices.Contains(needed, k) {
				t.Errorf("%s keeps label %s, which matters to nothing", itself(p), k)
			}
		}
		if a := p.After.GetAnnotations(); len(a) > 0 {
			t.Errorf("%s keeps annotations %v, which matter to nothing", itself(p), a)
		}
	}
	spaces := kinds["Namespace"]
	delete(kinds, "Namespace")
	if diff := cmp.Diff(map[string]int{"Service": 1, "Gateway": 1}, kinds); diff != "" || spaces > 2 || got.Note != "" {
		t.Errorf("note %q, %d Namespaces, and (-want +got):\n%s", got.Note, spaces, diff)
	}
	if got, err = x.minimise(t.Context(), m, m, time.Nanosecond); err != nil || got.Note == "" || len(got.Parts) < len(m.Objects)-1 {
		t.Errorf("without time: %d parts, note %q, error %v; want the whole mesh, and why", len(got.Parts), got.Note, err)
	}
}

const (
	twoEntries = `
apiVersion: v1
kind: Namespace
metadata: {name: h-shop}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: first, namespace: h-shop}
spec: {hosts: [first.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: second, namespace: h-shop, labels: {istio.io/use-waypoint: absent}}
spec: {hosts: [second.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: h-shop}
spec: {ports: [{port: 80}]}
`
	sameHost = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: second, namespace: h-shop, labels: {istio.io/use-waypoint: absent}}
spec: {hosts: [first.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
`
)

// TestMinimiseChanges finds a difference that only a change brings about: the condition of a ServiceEntry
// whose host another one has. The mesh made anew does not show it.
func TestMinimiseChanges(t *testing.T) {
	w := start(t)
	read := func(text string) []*unstructured.Unstructured {
		objects, err := cluster.Objects([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return objects
	}
	before := Mesh{Objects: read(twoEntries)}
	after := Mesh{Objects: slices.Clone(before.Objects)}
	after.Objects[2] = read(sameHost)[0]
	disagree := func(r oracle.Recording) []oracle.Difference { return r.Bindings().Differences }
	about := oracle.Difference{About: oracle.WaypointBound, Ours: oracle.Nothing, Istiod: "False " + mesh.WaypointIsNotReady,
		Object: &mesh.Object{Kind: mesh.ServiceEntry, Namespace: "h-shop", Name: "second"}}
	x := minimiser{world: w, disagree: disagree, prefix: "h-", about: about}
	got, err := x.minimise(t.Context(), before, after, 3*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("after %d attempts:\n%s", got.Attempts, got)
	var left []string
	for _, p := range got.Parts {
		left = append(left, itself(p))
	}
	slices.Sort(left)
	if diff := cmp.Diff([]string{"Namespace /h-shop", "ServiceEntry h-shop/first", "ServiceEntry h-shop/second"}, left); diff != "" || got.Note != "" {
		t.Errorf("note %q, and (-want +got):\n%s", got.Note, diff)
	}
	if text := got.String(); !strings.Contains(text, "# then:") {
		t.Errorf("the change is not told:\n%s", text)
	}
}

const ownAddress = `
apiVersion: v1
kind: Namespace
metadata: {name: i-shop}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: i-shop}
spec: {clusterIP: 10.96.0.77, ports: [{port: 80}]}
`

// TestMinimiseAddresses finds a difference about a Service that asks for an address, which only one may have at a time.
func TestMinimiseAddresses(t *testing.T) {
	w := start(t)
	objects, err := cluster.Objects([]byte(ownAddress))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.applyInTurn(t.Context(), objects); err != nil {
		t.Fatal(err)
	}
	there := func(r oracle.Recording) []oracle.Difference {
		var out []oracle.Difference
		for o := range r.Snapshot.All(mesh.Service) {
			if o.Spec.(*mesh.ServiceSpec).ClusterIP == "10.96.0.77" {
				out = append(out, oracle.Difference{About: "made up", Object: o})
			}
		}
		return out
	}
	about := oracle.Difference{About: "made up", Object: &mesh.Object{Kind: mesh.Service, Namespace: "i-shop", Name: "cart"}}
	x := minimiser{world: w, disagree: there, prefix: "i-", about: about}
	m := Mesh{Objects: objects}
	got, err := x.minimise(t.Context(), m, m, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Parts) != 2 || got.Note != "" {
		t.Errorf("note %q, and what is left after %d attempts:\n%s\nwant the Namespace and its Service", got.Note, got.Attempts, got)
	}
}
