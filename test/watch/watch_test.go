//go:build cluster

package watch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/cluster"
)

// rounds of so many events each: after each round the watch is compared with a list.
const (
	rounds = 10
	events = 150
)

// seed is that of the environment, SEED, or a fixed one.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(1)
	if text := os.Getenv("SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("SEED: %v", err)
		}
		s = n
	}
	t.Logf("SEED=%d", s)
	return s
}

// world is the cluster to which things happen.
type world struct {
	generator
	*cluster.Cluster
	t       *testing.T
	written map[mesh.Kind]int
	edges   *edges
}

// edges are the connections of a watch, so that they can be cut.
type edges struct {
	sync.Mutex
	open []net.Conn
}

func (e *edges) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		e.Lock()
		e.open = append(e.open, c)
		e.Unlock()
	}
	return c, err
}

func (e *edges) cut() {
	e.Lock()
	defer e.Unlock()
	for _, c := range e.open {
		c.Close()
	}
	e.open = nil
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// client is the client of the objects of a kind, and the apiVersion in which it is served; nil where it is not.
func (w *world) client(kind mesh.Kind, group string) (dynamic.NamespaceableResourceInterface, string) {
	mapping, err := w.Mapper.RESTMapping(schema.GroupKind{Group: group, Kind: kind.String()})
	if err != nil {
		return nil, ""
	}
	return w.Dynamic.Resource(mapping.Resource), mapping.Resource.GroupVersion().String()
}

func at(client dynamic.NamespaceableResourceInterface, ns string) dynamic.ResourceInterface {
	if ns == "" {
		return client
	}
	return client.Namespace(ns)
}

// write makes an object, or makes it another.
func (w *world) write(kind mesh.Kind, group string) {
	client, apiVersion := w.client(kind, group)
	if client == nil {
		return
	}
	o, err := w.object(kind, apiVersion)
	w.must(err)
	_, err = at(client, o.GetNamespace()).Apply(w.t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "test", Force: true})
	if err != nil {
		w.t.Fatalf("%s %s: %v", kind, o.GetName(), err)
	}
	w.written[kind]++
}

// report writes a status, as a controller would.
func (w *world) report(kind mesh.Kind, text string) {
	client, apiVersion := w.client(kind, kind.Group())
	o, err := w.object(kind, apiVersion)
	w.must(err)
	patch, err := yaml.YAMLToJSON([]byte(w.choose(text)))
	w.must(err)
	_, err = at(client, o.GetNamespace()).Patch(w.t.Context(), o.GetName(), types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if !apierrors.IsNotFound(err) {
		w.must(err)
	}
}

func (w *world) remove(kind mesh.Kind) {
	client, apiVersion := w.client(kind, kind.Group())
	if client == nil || kind == mesh.Namespace {
		return
	}
	o, err := w.object(kind, apiVersion)
	w.must(err)
	err = at(client, o.GetNamespace()).Delete(w.t.Context(), o.GetName(), metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
	if !apierrors.IsNotFound(err) {
		w.must(err)
	}
}

// raze deletes a namespace with all that is in it, as the namespace controller would, and makes it anew.
func (w *world) raze(ns string) {
	namespaces, _ := w.client(mesh.Namespace, "")
	w.must(namespaces.Delete(w.t.Context(), ns, metav1.DeleteOptions{}))
	for _, kind := range mesh.Kinds() {
		if client, _ := w.client(kind, kind.Group()); client != nil && kind.Namespaced() {
			w.must(w.empty(client.Namespace(ns)))
		}
	}
	o, err := namespaces.Get(w.t.Context(), ns, metav1.GetOptions{})
	w.must(err)
	w.must(unstructured.SetNestedSlice(o.Object, nil, "spec", "finalizers"))
	_, err = namespaces.Update(w.t.Context(), o, metav1.UpdateOptions{}, "finalize")
	w.must(err)
	w.settle(ns)
}

func (w *world) empty(in dynamic.ResourceInterface) error {
	list, err := in.List(w.t.Context(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, o := range list.Items {
		if err := in.Delete(w.t.Context(), o.GetName(), metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
			return err
		}
	}
	return nil
}

// settle makes a namespace, if it is not there.
func (w *world) settle(ns string) {
	namespaces, _ := w.client(mesh.Namespace, "")
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": ns}}}
	_, err := namespaces.Create(w.t.Context(), o, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		w.must(err)
	}
}

// happen lets one thing happen.
func (w *world) happen() {
	kind := mesh.Kinds()[w.IntN(len(mesh.Kinds()))]
	switch n := w.IntN(100); {
	case n < 60:
		w.write(kind, kind.Group())
	case n < 80:
		w.remove(kind)
	case n < 97:
		kinds := []mesh.Kind{mesh.Pod, mesh.Gateway, mesh.AuthorizationPolicy, mesh.Deployment}
		kind = kinds[w.IntN(len(kinds))]
		w.report(kind, statuses[kind])
	case n < 98:
		w.raze(w.pick("shop", "bank"))
	default:
		w.edges.cut()
	}
}

// caughtUp waits until what is watched is what is listed.
func (w *world) caughtUp(when string, live *inventory.Live, cfg *rest.Config) {
	w.t.Helper()
	var diff string
	for deadline := time.Now().Add(45 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		listed, err := inventory.List(w.t.Context(), cfg, inventory.ListOptions{Evidence: evidence()})
		w.must(err)
		if diff = compare(listed, live); diff == "" {
			return
		}
	}
	w.t.Fatalf("%s: what is watched is not what is listed (-listed +watched):\n%s", when, diff)
}

func compare(listed *inventory.Inventory, live *inventory.Live) string {
	fresh, watched, status := mesh.New(mesh.Options{Unread: listed.Hidden()}, listed.Objects...), live.Snapshot(), live.Status()
	if diff := cmp.Diff(slices.Collect(fresh.Objects()), slices.Collect(watched.Objects()), cmpopts.IgnoreUnexported(mesh.Object{})); diff != "" {
		return "objects\n" + diff
	}
	if diff := cmp.Diff(contents(fresh), contents(watched)); diff != "" {
		return "Content\n" + diff
	}
	if diff := cmp.Diff(answers(fresh), answers(watched)); diff != "" {
		return "answers\n" + diff
	}
	want := inventory.Inventory{Problems: listed.Problems, Ignored: listed.Ignored, Unread: listed.Unread}
	got := inventory.Inventory{Problems: status.Problems, Ignored: status.Ignored, Unread: status.Unread}
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(want), cmpopts.EquateEmpty())
}

// contents are the objects as they were given, but for what controllers make, which a watch does not keep whole.
func contents(s *mesh.Snapshot) (out []map[string]any) {
	for o := range s.Objects() {
		if !slices.Contains([]mesh.Kind{mesh.Pod, mesh.ReplicaSet, mesh.Job, mesh.EndpointSlice}, o.Kind) {
			out = append(out, o.Content())
		}
	}
	return out
}

// answers are what a Snapshot says.
func answers(s *mesh.Snapshot) (out []string) {
	say := func(what ...any) { out = append(out, fmt.Sprintln(what...)) }
	for _, kind := range mesh.Kinds() {
		say(kind, s.Reads(kind))
	}
	for ns := range s.Namespaces() {
		say(ns, s.Known(ns))
		for _, w := range s.Workloads(ns) {
			say("workload", w.Name, w.Mode, w.Why, w.IPs, s.EffectiveMTLS(ns, w.Labels))
		}
	}
	for o := range s.Objects() {
		switch o.Kind {
		case mesh.Service, mesh.ServiceEntry, mesh.WorkloadEntry:
			b := s.Binding(o)
			say(o, b.Bound, b.Reason, b.Namespace, b.Name, b.By, b.Missing)
		}
		if o.Kind.IsPolicy() {
			for _, e := range policies.Effects(s, o) {
				say(o, e.Target, e.EnforcedBy, e.Verdict, e.Reason, e.Message)
			}
		}
	}
	return out
}

func (w *world) watch(cfg *rest.Config) *inventory.Live {
	w.t.Helper()
	live, err := inventory.Watch(cfg, inventory.WatchOptions{Rediscover: time.Second, Evidence: evidence})
	w.must(err)
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- live.Start(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	soon, stop := context.WithTimeout(w.t.Context(), time.Minute)
	defer stop()
	w.must(live.WaitForSync(soon))
	return live
}

// TestWatchedIsListed lets random things happen. It removes CRDs, so it never takes a cluster that was given.
func TestWatchedIsListed(t *testing.T) {
	w := &world{generator: generator{rand.New(rand.NewPCG(seed(t), 3))}, Cluster: cluster.Start(t, cluster.Own()), t: t,
		written: map[mesh.Kind]int{}, edges: &edges{}}
	w.reset()
	for _, ns := range spaces {
		w.settle(ns)
	}
	cfg := rest.CopyConfig(w.Config)
	cfg.Dial = w.edges.dial
	live := w.watch(cfg)
	for round := range rounds {
		for range events {
			w.happen()
		}
		w.caughtUp(fmt.Sprintf("round %d", round), live, w.Config)
	}
	t.Logf("%d objects in the end; written: %v", live.Snapshot().Len(), w.written)
	for kind := range specs {
		if client, _ := w.client(kind, kind.Group()); client != nil && w.written[kind] == 0 {
			t.Errorf("no %s was ever written", kind)
		}
	}
	t.Run("a second watch", func(t *testing.T) { w.in(t).caughtUp("at once", w.in(t).watch(w.Config), w.Config) })
	t.Run("kinds come and go", func(t *testing.T) { w.in(t).comeAndGo(live) })
	t.Run("permissions", func(t *testing.T) { w.in(t).permissions() })
}

func (w *world) in(t *testing.T) *world {
	sub := *w
	sub.t = t
	return &sub
}
