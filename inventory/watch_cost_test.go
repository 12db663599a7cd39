package inventory

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/policies/mesh"
)

// pod is a Pod as an API server sends it, less what a kubelet and a CNI add most of.
func pod(ns, app string, n int, ip string) fields {
	return fields{"apiVersion": "v1", "kind": "Pod",
		"metadata": fields{"name": fmt.Sprintf("%s-7d9c8b6f5-%05d", app, n), "generateName": app + "-7d9c8b6f5-", "namespace": ns,
			"uid": fmt.Sprintf("0b1d8a1e-5d3c-4a53-9a1e-%s-%05d", ns, n), "resourceVersion": "123456", "creationTimestamp": "2026-01-01T00:00:00Z",
			"labels":      fields{"app": app, "version": "v1", "pod-template-hash": "7d9c8b6f5"},
			"annotations": fields{"ambient.istio.io/redirection": "enabled"},
			"ownerReferences": []any{fields{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": app + "-7d9c8b6f5",
				"uid": "5b5f2a3e-6c1d-4f77-8a33-" + app, "controller": true, "blockOwnerDeletion": true}},
			"managedFields": []any{fields{"manager": "kubelet", "fieldsV1": fields{"f:status": fields{"f:phase": fields{}}}}}},
		"spec": fields{"serviceAccountName": app, "nodeName": "node-1", "restartPolicy": "Always",
			"containers": []any{fields{"name": app, "image": "registry.example.com/" + app + ":1.2.3",
				"env":            []any{fields{"name": "LOG_LEVEL", "value": "info"}, fields{"name": "PORT", "value": "8080"}},
				"ports":          []any{fields{"name": "http", "containerPort": int64(8080), "protocol": "TCP"}},
				"resources":      fields{"requests": fields{"cpu": "100m", "memory": "64Mi"}},
				"readinessProbe": fields{"httpGet": fields{"path": "/ready", "port": int64(8080)}, "periodSeconds": int64(10)},
				"volumeMounts":   []any{fields{"name": "token", "mountPath": "/var/run/secrets"}}}},
			"volumes": []any{fields{"name": "token", "projected": fields{"sources": []any{}}}}},
		"status": fields{"phase": "Running", "podIP": ip, "podIPs": []any{fields{"ip": ip}}, "hostIP": "10.1.0.1", "qosClass": "Burstable",
			"conditions": []any{fields{"type": "Ready", "status": "True", "lastProbeTime": nil, "lastTransitionTime": "2026-01-01T00:00:00Z"}}}}
}

func service(ns, app string) fields {
	return fields{"apiVersion": "v1", "kind": "Service",
		"metadata": fields{"name": app, "namespace": ns, "uid": "7b1d8a1e-5d3c-4a53-9a1e-" + ns + app, "creationTimestamp": "2026-01-01T00:00:00Z",
			"labels": fields{"app": app, "team": ns}, "annotations": fields{"example.com/owner": ns}},
		"spec": fields{"type": "ClusterIP", "clusterIP": "10.96.0.1", "clusterIPs": []any{"10.96.0.1"}, "selector": fields{"app": app},
			"ipFamilies": []any{"IPv4"}, "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
			"ports": []any{fields{"name": "http", "port": int64(80), "protocol": "TCP", "targetPort": "http"}}},
		"status": fields{"loadBalancer": fields{}}}
}

func authorization(ns, app string, n int) fields {
	return fields{"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
		"metadata": fields{"name": fmt.Sprintf("%s-%d", app, n), "namespace": ns, "uid": fmt.Sprintf("9b1d8a1e-5d3c-4a53-9a1e-%s%s%d", ns, app, n),
			"creationTimestamp": "2026-01-01T00:00:00Z", "generation": int64(1), "labels": fields{"app.kubernetes.io/managed-by": "gitops"}},
		"spec": fields{"action": "ALLOW", "targetRefs": []any{fields{"kind": "Service", "group": "", "name": app}},
			"rules": []any{fields{"from": []any{fields{"source": fields{"principals": []any{"cluster.local/ns/" + ns + "/sa/web"}}}},
				"to": []any{fields{"operation": fields{"methods": []any{"GET"}, "paths": []any{"/api/*"}}}}}}},
		"status": fields{"conditions": []any{fields{"type": "WaypointAccepted", "status": "True", "reason": "Accepted", "message": "bound to " + ns + "/waypoint",
			"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": "1"}}}}
}

// size is how large a mesh is: namespaces, each with so many apps, pods and policies of each app.
type size struct{ namespaces, apps, pods, policies int }

func (s size) objects() int { return s.namespaces * (1 + s.apps*(1+s.pods+s.policies)) }

func namespaceName(n int) string { return fmt.Sprintf("ns-%04d", n) }

// each makes the objects of a kind, one after the other.
func (s size) each(kind mesh.Kind, take func(fields)) {
	for n := range s.namespaces {
		ns := namespaceName(n)
		if kind == mesh.Namespace {
			take(fields{"apiVersion": "v1", "kind": "Namespace", "metadata": fields{"name": ns,
				"labels": fields{"istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "waypoint"}}})
			continue
		}
		for a := range s.apps {
			app := fmt.Sprintf("app-%d", a)
			switch kind {
			case mesh.Service:
				take(service(ns, app))
			case mesh.Pod:
				for i := range s.pods {
					take(pod(ns, app, i, fmt.Sprintf("10.%d.%d.%d", n%250, a, i)))
				}
			case mesh.AuthorizationPolicy:
				for i := range s.policies {
					take(authorization(ns, app, i))
				}
			}
		}
	}
}

func groupResource(kind mesh.Kind) schema.GroupResource {
	return schema.GroupResource{Group: kind.Group(), Resource: kind.Resource()}
}

// listedKinds are those of such a mesh.
var listedKinds = []mesh.Kind{mesh.Namespace, mesh.Pod, mesh.Service, mesh.AuthorizationPolicy}

// items are the objects of each kind as a feed decodes them from a list.
func (s size) items(w *world) map[mesh.Kind][]any {
	out := map[mesh.Kind][]any{}
	for _, kind := range listedKinds {
		f := w.feed(w.served[groupResource(kind)])
		s.each(kind, func(content fields) { out[kind] = append(out[kind], f.item(raw(content))) })
	}
	return out
}

// copies are such items, decoded for one namespace and copied for the others, which is a hundred times as fast.
func (s size) copies(w *world) map[mesh.Kind][]any {
	out := map[mesh.Kind][]any{}
	one := s
	one.namespaces = 1
	for kind, items := range one.items(w) {
		for n := range s.namespaces {
			for _, i := range items {
				o := *i.(*item).object
				if kind == mesh.Namespace {
					o.Name = namespaceName(n)
				} else {
					o.Namespace = namespaceName(n)
				}
				out[kind] = append(out[kind], &item{name: name{o.Namespace, o.Name}, reading: reading{object: &o}})
			}
		}
	}
	return out
}

// watched is a mirror that was told of such a mesh.
func (s size) watched(t testing.TB) *world {
	w := newWorld(t, 1)
	w.mirror.serve(w.discovered())
	s.sync(w, s.copies(w))
	return w
}

// sync tells the mirror of everything, as Reflectors do when their lists are complete.
func (s size) sync(w *world, items map[mesh.Kind][]any) {
	for _, r := range resources {
		w.must(w.feed(w.served[r.GroupResource()]).Replace(items[r.kind], ""))
	}
}

// Two meshes of namespaces of the same size, 200 objects, and a third of crowded ones.
var (
	small   = size{namespaces: 50, apps: 20, pods: 7, policies: 2}
	large   = size{namespaces: 500, apps: 20, pods: 7, policies: 2}
	crowded = size{namespaces: 10, apps: 100, pods: 95, policies: 4}

	smallMesh   = sync.OnceValue(func() *world { return small.watched(nil) })
	largeMesh   = sync.OnceValue(func() *world { return large.watched(nil) })
	crowdedMesh = sync.OnceValue(func() *world { return crowded.watched(nil) })
)

var meshes = []struct {
	name string
	size size
	mesh func() *world
}{
	{"objects=10000", small, smallMesh},
	{"objects=100000", large, largeMesh},
	{"objects=100000,namespace=10000", crowded, crowdedMesh},
}

// arrivals are what the API server sends of one pod whose address changes each time.
func arrivals(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = raw(pod(namespaceName(5), "app-7", 3, fmt.Sprintf("10.0.%d.%d", i/250%250, i%250)))
	}
	return out
}

// TestPodEventStaysCheap bounds what one pod event allocates, in a mesh of 100,000 objects, and that it is no more than in
// one of 10,000.
func TestPodEventStaysCheap(t *testing.T) {
	const runs = 200
	allocations := func(w *world) float64 {
		f := w.feed(w.served[groupResource(mesh.Pod)])
		events := arrivals(runs + 1)
		before, i := w.mirror.snapshot.Load(), 0
		n := testing.AllocsPerRun(runs, func() {
			w.must(f.Update(events[i]))
			i++
		})
		if w.mirror.snapshot.Load() == before {
			t.Fatal("nothing came of the events")
		}
		return n
	}
	if n := largeMesh().mirror.snapshot.Load().Len(); n < 99_000 {
		t.Fatalf("the mesh has %d objects", n)
	}
	few, many := allocations(smallMesh()), allocations(largeMesh())
	if many > 200 || many > few*1.1 {
		t.Errorf("a pod event allocates %v times in a mesh of 100,000 objects and %v in one of 10,000", many, few)
	}
}

// BenchmarkPodEvent is one event of one pod, from what the dynamic client hands over to the next Snapshot; the bar for
// applying it is 50 µs. The mesh of 10,000 objects is the control: its namespaces are as large.
func BenchmarkPodEvent(b *testing.B) {
	for _, m := range meshes {
		w := m.mesh()
		f := w.feed(w.served[groupResource(mesh.Pod)])
		b.Run("arrives/"+m.name, func(b *testing.B) {
			b.ReportAllocs()
			const batch = 500
			for done := 0; done < b.N; done += batch {
				b.StopTimer()
				events := arrivals(min(batch, b.N-done))
				b.StartTimer()
				for _, e := range events {
					_ = f.Update(e)
				}
			}
		})
		b.Run("applied/"+m.name, func(b *testing.B) {
			b.ReportAllocs()
			two := [2]*item{f.item(arrivals(2)[0]), f.item(arrivals(2)[1])}
			for i := 0; b.Loop(); i++ {
				w.mirror.put(f.source, two[i%2].id(), two[i%2].reading)
			}
		})
		b.Run("says-nothing/"+m.name, func(b *testing.B) {
			b.ReportAllocs()
			same := f.item(arrivals(1)[0])
			w.mirror.put(f.source, same.id(), same.reading)
			again := f.item(arrivals(1)[0])
			for b.Loop() {
				w.mirror.put(f.source, again.id(), again.reading)
			}
		})
	}
}

// BenchmarkSync is from complete lists to the first Snapshot. The bar is five seconds.
func BenchmarkSync(b *testing.B) {
	for _, m := range meshes {
		b.Run(m.name, func(b *testing.B) {
			b.ReportAllocs()
			w := newWorld(b, 1)
			w.mirror.serve(w.discovered())
			items := m.size.copies(w)
			for b.Loop() {
				w := newWorld(b, 1)
				w.mirror.serve(w.discovered())
				m.size.sync(w, items)
				if w.mirror.snapshot.Load().Len() != m.size.objects() {
					b.Fatal("not synced")
				}
			}
		})
	}
}

// held is what a mesh holds in memory after a collection, in bytes: once it is listed, and once it was asked about every workload.
func (s size) held(t testing.TB) (listed, asked int64) {
	before := heap()
	w := newWorld(t, 1)
	w.mirror.serve(w.discovered())
	s.sync(w, s.items(w))
	listed = heap() - before
	for ns := range w.mirror.snapshot.Load().Namespaces() {
		w.mirror.snapshot.Load().Workloads(ns)
	}
	asked = heap() - before
	runtime.KeepAlive(w)
	return listed, asked
}

// TestMeshStaysSmall bounds what is held for an object, of a mesh of ten pods, two policies and a Service for each app: about a
// fifth more than it was when this was written.
func TestMeshStaysSmall(t *testing.T) {
	s := size{namespaces: 50, apps: 10, pods: 10, policies: 2}
	listed, asked := s.held(t)
	n := int64(s.objects())
	t.Logf("%d bytes for an object, %d once it was asked about", listed/n, asked/n)
	if listed > 1150*n || asked > 1400*n {
		t.Errorf("%d objects take %d bytes each, and %d once they were asked about", n, listed/n, asked/n)
	}
}

// BenchmarkMemory is what the mesh of the bar holds in memory.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		listed, asked := size{namespaces: 500, apps: 10, pods: 10, policies: 2}.held(b)
		b.ReportMetric(float64(listed)/(1<<20), "MiB-listed")
		b.ReportMetric(float64(asked)/(1<<20), "MiB-asked")
	}
	b.ReportMetric(0, "ns/op") // is that of the generator
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSubscriptionDoesNotHoldUpTheWriter: nobody reads, and the events are applied all the same.
func TestSubscriptionDoesNotHoldUpTheWriter(t *testing.T) {
	w := small.watched(t)
	s := w.mirror.Subscribe()
	defer s.Close()
	f := w.feed(w.served[groupResource(mesh.Pod)])
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, e := range arrivals(1000) {
			_ = f.Update(e)
		}
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the writer waits for a subscriber")
	}
	first, err := s.Next(t.Context())
	if err != nil || first.Before != nil || first.After != w.mirror.snapshot.Load() {
		t.Errorf("the first change: %v, %v", first, err)
	}
}
