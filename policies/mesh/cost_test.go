package mesh_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/waywarden/waywarden/policies/mesh"
)

// large is a mesh of 100,000 objects in 500 namespaces.
var large = sync.OnceValue(func() *mesh.Snapshot {
	var objects []*mesh.Object
	must := func(content map[string]any) {
		o, err := mesh.Decode(content)
		if err != nil {
			panic(err)
		}
		objects = append(objects, o)
	}
	for n := range 500 {
		ns := fmt.Sprintf("ns-%03d", n)
		must(fields{"apiVersion": "v1", "kind": "Namespace", "metadata": fields{"name": ns, "labels": fields{"istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "waypoint"}}})
		must(fields{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": fields{"name": "waypoint", "namespace": ns}, "spec": fields{"gatewayClassName": "istio-waypoint"}})
		for i := range 66 {
			app := fmt.Sprintf("app-%d", i)
			meta := fields{"name": app, "namespace": ns}
			must(fields{"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": fields{"selector": fields{"app": app}, "ports": []any{fields{"port": 80, "name": "http"}}}})
			must(fields{"apiVersion": "v1", "kind": "Pod", "metadata": fields{"name": app, "namespace": ns, "labels": fields{"app": app}}})
			must(policy(ns, app, app))
		}
	}
	return mesh.New(mesh.Options{}, objects...)
})

func policy(ns, name, service string) map[string]any {
	return fields{"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": fields{"name": name, "namespace": ns},
		"spec": fields{"targetRefs": []any{fields{"kind": "Service", "group": "", "name": service}}}}
}

// updates are objects that come and go in a large mesh, one of each sort that costs differently.
func updates(t testing.TB) map[string]*mesh.Object {
	return map[string]*mesh.Object{
		"AuthorizationPolicy": decode(t, `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: app-7, namespace: ns-250}, spec: {action: DENY, targetRefs: [{kind: Service, group: "", name: app-7}]}}`)[0],
		"NewPolicy":           decode(t, `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: new, namespace: ns-250}, spec: {targetRefs: [{kind: Service, group: "", name: app-7}]}}`)[0],
		"Service":             decode(t, `{apiVersion: v1, kind: Service, metadata: {name: app-7, namespace: ns-250, labels: {istio.io/use-waypoint: none}}}`)[0],
		"Namespace":           decode(t, `{apiVersion: v1, kind: Namespace, metadata: {name: ns-250}}`)[0],
		"Deployment":          decode(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: app-7, namespace: ns-250}, spec: {template: {metadata: {labels: {app: app-7}}}}}`)[0],
		"PeerAuthentication":  decode(t, `{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default, namespace: elsewhere}, spec: {mtls: {mode: STRICT}}}`)[0],
	}
}

// TestWithStaysCheap bounds what one update of a mesh of 100,000 objects allocates: the admission
// webhook makes one for each request.
func TestWithStaysCheap(t *testing.T) {
	s := large()
	if s.Len() != 100_000 {
		t.Fatalf("the mesh has %d objects", s.Len())
	}
	for name, o := range updates(t) {
		if n := testing.AllocsPerRun(100, func() { s.With(o) }); n > 50 {
			t.Errorf("With(%s) allocates %v times, more than 50", name, n)
		}
		if n := testing.AllocsPerRun(100, func() { s.Without(o) }); n > 50 {
			t.Errorf("Without(%s) allocates %v times, more than 50", name, n)
		}
	}
}

// BenchmarkWith is one update of a mesh of 100,000 objects. The bar is 20 µs.
func BenchmarkWith(b *testing.B) {
	s := large()
	for name, o := range updates(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.With(o)
			}
		})
	}
}
