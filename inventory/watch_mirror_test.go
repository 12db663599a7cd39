package inventory

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/policies/mesh"
)

type fields = map[string]any

// world is a cluster that a test makes up, and the mirror that is told of it as a Reflector would.
type world struct {
	*rand.Rand
	t      testing.TB
	mirror *mirror
	alike  *Alike
	served map[schema.GroupResource]*stored
}

// stored is what the world holds of one resource.
type stored struct {
	resource
	objects   map[name]fields
	forbidden bool
	installed bool
}

// resources are the kinds of the world; InferencePools are served by two groups.
var resources = func() []resource {
	var out []resource
	for _, kind := range []mesh.Kind{mesh.Namespace, mesh.ConfigMap, mesh.Pod, mesh.Deployment, mesh.Service, mesh.Gateway, mesh.InferencePool, mesh.AuthorizationPolicy} {
		for _, group := range kind.Groups() {
			out = append(out, resource{GroupVersionResource: schema.GroupVersionResource{Group: group, Version: kind.Versions()[0], Resource: kind.Resource()}, kind: kind})
		}
	}
	return out
}()

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 7)), t: t, alike: NewAlike(), served: map[schema.GroupResource]*stored{},
		mirror: newMirror(mesh.Options{}, func() time.Time { return time.Unix(1, 0) })}
	for _, r := range resources {
		w.served[r.GroupResource()] = &stored{resource: r, objects: map[name]fields{}, installed: true}
	}
	return w
}

func (w *world) pick(of ...string) string { return of[w.IntN(len(of))] }

// any is one of the resources.
func (w *world) any() *stored { return w.served[resources[w.IntN(len(resources))].GroupResource()] }

// object makes an object of a resource: now and then one that cannot be decoded, or decides nothing.
func (w *world) object(s *stored) (name, fields) {
	n := name{w.pick("shop", "bank"), w.pick("a", "b", "c")}
	metadata := fields{"labels": fields{"app": w.pick("a", "b"), "istio.io/use-waypoint": w.pick("a", "none")},
		"resourceVersion": fmt.Sprint(w.Uint32()), "managedFields": []any{fields{"manager": "somebody"}}}
	content := fields{"metadata": metadata}
	switch s.kind {
	case mesh.Namespace:
		n = name{"", w.pick("shop", "bank", "istio-system")}
		metadata["labels"].(fields)["istio.io/dataplane-mode"] = w.pick("ambient", "none")
	case mesh.ConfigMap:
		n = name{"istio-system", w.pick("istio", "other", "another")}
		content["data"] = fields{"mesh": w.pick("rootNamespace: istio-system", "rootNamespace: bank")}
	case mesh.Pod:
		metadata["ownerReferences"] = []any{fields{"kind": "ReplicaSet", "name": w.pick("a-1", "b-2"), "uid": w.pick("1", "2")}}
		content["spec"] = fields{"containers": []any{fields{"name": "app", "image": w.pick("x", "y")}}, "volumes": []any{fields{"name": "v"}}}
		content["status"] = fields{"phase": w.pick("Running", "Pending"), "podIP": "10.0.0.1", "conditions": []any{fields{"at": fmt.Sprint(w.Uint32())}}}
	case mesh.Deployment:
		content["spec"] = fields{"template": fields{"metadata": fields{"labels": fields{"app": w.pick("a", "b")}}}}
	case mesh.Service:
		content["spec"] = fields{"selector": fields{"app": w.pick("a", "b")}, "ports": []any{fields{"port": int64(80), "name": w.pick("http", "tcp")}}}
	case mesh.Gateway:
		content["spec"] = fields{"gatewayClassName": "istio-waypoint", "listeners": []any{fields{"name": "mesh", "port": int64(15008), "protocol": "HBONE"}}}
		content["status"] = fields{"addresses": []any{fields{"value": w.pick("1.2.3.4", "5.6.7.8")}}}
	case mesh.AuthorizationPolicy:
		content["spec"] = fields{"action": w.pick("ALLOW", "DENY"), "targetRefs": []any{fields{"kind": "Service", "group": "", "name": w.pick("a", "b")}}}
	}
	if w.IntN(8) == 0 {
		metadata["labels"] = w.pick("not", "labels")
	}
	if n.namespace != "" {
		metadata["namespace"] = n.namespace
	}
	metadata["name"] = n.name
	return n, content
}

// feed is how a Reflector of the resource tells the mirror; nil where none is running.
func (w *world) feed(s *stored) *feed {
	source := w.mirror.sources[sourceKey{s.GroupResource(), name{}}]
	if source == nil {
		return nil
	}
	return &feed{mirror: w.mirror, source: source, alike: w.alike}
}

func raw(content fields) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: runtime.DeepCopyJSON(content)}
}

// relist is what a Reflector does at first, and when it has missed something.
func (w *world) relist(s *stored) {
	f := w.feed(s)
	if f == nil {
		return
	}
	switch {
	case !s.installed:
		w.fail(f, apierrors.NewNotFound(s.GroupResource(), ""))
	case s.forbidden:
		w.fail(f, apierrors.NewForbidden(s.GroupResource(), "", nil))
	default:
		var list []any
		for _, content := range s.objects {
			list = append(list, raw(content))
		}
		w.must(f.Replace(list, ""))
	}
}

func (w *world) fail(f *feed, err error) {
	if w.mirror.fail(f.source, err) {
		w.rediscover()
	}
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

func (w *world) discovered() (out served) {
	for _, r := range resources {
		if s := w.served[r.GroupResource()]; s.installed {
			out.resources = append(out.resources, s.resource)
		}
	}
	return out
}

func (w *world) rediscover() {
	for _, s := range w.mirror.serve(w.discovered()) {
		w.relist(w.served[s.GroupResource()])
	}
}

// step is one thing that happens, and what a Reflector would tell of it.
func (w *world) step() string {
	s := w.any()
	silent := !s.installed || s.forbidden // nobody is told
	n, content := w.object(s)
	switch w.IntN(20) {
	default:
		if !s.installed {
			return "nothing"
		}
		_, was := s.objects[n]
		s.objects[n] = content
		switch {
		case silent:
		case was:
			w.must(w.feed(s).Update(raw(content)))
		default:
			w.must(w.feed(s).Add(raw(content)))
		}
		return "write"
	case 0, 1, 2, 3, 4:
		was, ok := s.objects[n]
		if !ok {
			return "nothing"
		}
		delete(s.objects, n)
		if !silent {
			w.must(w.feed(s).Delete(raw(was)))
		}
		return "delete"
	case 5, 6: // the watch broke, and much has happened by the time of the next list
		for range w.IntN(8) {
			n, content := w.object(s)
			delete(s.objects, n)
			if s.installed && w.IntN(2) == 0 {
				s.objects[n] = content
			}
		}
		w.relist(s)
		return "relist"
	case 7:
		s.forbidden = !s.forbidden
		w.relist(s)
		return "permission"
	case 8:
		s.installed = !s.installed
		s.objects = map[name]fields{}
		w.relist(s)
		w.rediscover()
		return "installation"
	case 9:
		versions := s.kind.Versions()
		s.Version = versions[w.IntN(len(versions))]
		w.rediscover()
		return "version"
	}
}

// listed is what List makes of the world.
func (w *world) listed() *Inventory {
	inv := newInventory()
	var lists []list
	for _, r := range w.discovered().resources {
		s := w.served[r.GroupResource()]
		l := list{resource: r, managed: map[id]managed{}}
		if s.forbidden {
			u := r.unread("it may not be listed")
			l.unread = &u
		} else {
			for _, n := range slices.SortedFunc(maps.Keys(s.objects), func(a, b name) int { return strings.Compare(a.namespace+"/"+a.name, b.namespace+"/"+b.name) }) {
				l.add(runtime.DeepCopyJSON(s.objects[n]))
			}
		}
		lists = append(lists, l)
	}
	inv.take(lists)
	return inv
}

func (w *world) compare(when string) {
	w.t.Helper()
	want := w.listed()
	fresh, watched, status := mesh.New(mesh.Options{}, want.Objects...), w.mirror.snapshot.Load(), w.mirror.Status()
	if diff := differ(fresh, watched); diff != "" {
		w.t.Fatalf("%s: objects (-listed +watched):\n%s", when, diff)
	}
	if diff := cmp.Diff(answersOf(fresh), answersOf(watched)); diff != "" {
		w.t.Fatalf("%s: answers (-listed +watched):\n%s", when, diff)
	}
	got := Inventory{Problems: status.Problems, Ignored: status.Ignored, Unread: status.Unread}
	if diff := cmp.Diff(Inventory{Problems: want.Problems, Ignored: want.Ignored, Unread: want.Unread}, got,
		cmpopts.IgnoreUnexported(Inventory{}), cmpopts.EquateEmpty()); diff != "" {
		w.t.Fatalf("%s: what was not read (-listed +watched):\n%s", when, diff)
	}
	total := 0
	for _, n := range status.Objects {
		total += n
	}
	if total != watched.Len() {
		w.t.Fatalf("%s: %d objects are counted, of %d", when, total, watched.Len())
	}
}

// differ is what a watch has otherwise than a list, but for what it leaves of the Content.
func differ(listed, watched *mesh.Snapshot) string {
	contents := func(s *mesh.Snapshot) (out []map[string]any) {
		for o := range s.Objects() {
			content := o.Content()
			if o.Kind.MadeByControllers() {
				content = mesh.Lean(o.Kind, content)
			}
			out = append(out, content)
		}
		return out
	}
	return cmp.Diff(slices.Collect(listed.Objects()), slices.Collect(watched.Objects()), cmpopts.IgnoreUnexported(mesh.Object{})) +
		cmp.Diff(contents(listed), contents(watched))
}

// answersOf are answers that a Snapshot remembers, which must not go stale.
func answersOf(s *mesh.Snapshot) (out []string) {
	for ns := range s.Namespaces() {
		out = append(out, fmt.Sprint(ns, s.Known(ns)))
		for _, w := range s.Workloads(ns) {
			out = append(out, fmt.Sprint("workload ", w.Name, w.Mode, w.Why))
		}
		for _, o := range s.List(mesh.Service, ns) {
			out = append(out, fmt.Sprint(o, s.Binding(o), s.PoliciesFor(o)))
		}
	}
	return out
}

// FuzzWatchedIsListed tells a mirror whatever can happen to a cluster, and compares it after each step with a List of that
// moment.
func FuzzWatchedIsListed(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		w := newWorld(t, seed)
		w.rediscover()
		for i := range 120 {
			what := w.step()
			w.compare(fmt.Sprintf("seed %d, step %d (%s)", seed, i, what))
		}
	})
}

// TestSubscribersMissNothing compares what a subscriber makes of the Changes, however seldom it asks, with the Snapshot.
func TestSubscribersMissNothing(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, seed)
		s := w.mirror.Subscribe()
		defer s.Close()
		known := map[id]*mesh.Object{}
		w.rediscover()
		for range 100 {
			before := w.mirror.snapshot.Load()
			w.step()
			if s.seen != nil && (w.mirror.snapshot.Load() == before || w.IntN(3) > 0) {
				continue
			}
			if w.mirror.snapshot.Load() == s.seen {
				continue
			}
			change, err := s.Next(t.Context())
			w.must(err)
			for was, is := range change.Objects() {
				key := idOf(cmpOr(is, was))
				if known[key] != was {
					t.Fatalf("seed %d: %s was %v to the subscriber and is told to have been %v", seed, key.name, known[key], was)
				}
				if known[key] = is; is == nil {
					delete(known, key)
				}
			}
			if len(known) != change.After.Len() {
				t.Fatalf("seed %d: the subscriber knows %d objects of %d", seed, len(known), change.After.Len())
			}
			for o := range change.After.Objects() {
				if known[idOf(o)] != o {
					t.Fatalf("seed %d: the subscriber does not know %s", seed, o)
				}
			}
		}
	}
}

func cmpOr(a, b *mesh.Object) *mesh.Object {
	if a != nil {
		return a
	}
	return b
}
