//go:build cluster

package istiod

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/oracle"
)

// fixedSeeds run in every `go test`, and show every known difference; SEEDS="7 8 9" runs others, and `make conformance` chooses one.
var fixedSeeds = []uint64{11, 27, 34}

func seeds(t *testing.T) (out []uint64, fixed bool) {
	for _, f := range strings.Fields(os.Getenv("SEEDS")) {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			t.Fatalf("SEEDS: %v", err)
		}
		out = append(out, n)
	}
	if len(out) > 0 {
		return out, false
	}
	return fixedSeeds, true
}

const namespaces = 24

func TestConformance(t *testing.T) {
	list, fixed := seeds(t)
	used := map[string]int{}
	total := 0
	for _, seed := range list {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { total += conform(t, seed, used) })
	}
	t.Logf("seeds %v: %d policies; known differences: %v", list, total, used)
	if !fixed || t.Failed() {
		return
	}
	for _, k := range known {
		if used[k.name] == 0 && !k.seldom {
			t.Errorf("the known difference %q has not been seen: remove it, or choose seeds that show it", k.name)
		}
	}
}

// rounds is how often a mesh is changed.
const rounds = 2

// conform holds Waywarden to istiod in one mesh: as it was made, and after each round of changes. It is how many
// policies there were, one that was changed counted once.
func conform(t *testing.T, seed uint64, used map[string]int) int {
	w := start(t)
	w.policies = map[string]bool{}
	m := Mesh{Objects: Generate(seed, namespaces)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	restore, err := w.providers(t.Context())
	must(err)
	t.Cleanup(func() {
		if err := restore(context.Background()); err != nil {
			t.Errorf("give the mesh back its providers: %v", err)
		}
	})
	must(w.applyInTurn(t.Context(), m.Objects))
	w.check(t, "as made", used)
	w.explain(t, seed, m, m)
	w.standing = time.Now()
	for n := range rounds {
		before := m
		var round Round
		round, m = Edit(seed, uint64(n+1), m)
		must(w.carryOut(t.Context(), round))
		w.edited = time.Now()
		must(w.settle(t.Context(), time.Second, time.Minute))
		must(w.touch(t.Context()))
		w.check(t, fmt.Sprintf("changed %d times", n+1), used)
		w.explain(t, seed, before, m)
	}
	return len(w.policies)
}

// minimising is how long the smallest mesh is looked for.
const minimising = 3 * time.Minute

// explain prints the smallest mesh that shows the first difference that is left unexplained, and ends the seed.
func (w *world) explain(t *testing.T, seed uint64, before, after Mesh) {
	if len(w.unexplained) == 0 {
		return
	}
	x := minimiser{world: w, disagree: w.disagreements, prefix: fmt.Sprintf("s%d-", seed), about: w.unexplained[0]}
	smallest, err := x.minimise(t.Context(), before, after, minimising)
	if err != nil {
		t.Fatalf("look for the smallest mesh that disagrees: %v", err)
	}
	t.Fatalf("%s\nthe smallest mesh that still disagrees, after %d attempts (%s):\n%s", x.about, smallest.Attempts, smallest.Note, smallest)
}

// start is a cluster in which the Gateways that are called so never become ready.
func start(t *testing.T) *world {
	return &world{Cluster: cluster.Start(t, cluster.WithIstiod(), cluster.Hold(func(p *unstructured.Unstructured) bool {
		return p.GetLabels()["gateway.networking.k8s.io/gateway-name"] == "unready"
	}))}
}

func (w *world) check(t *testing.T, when string, used map[string]int) {
	t.Helper()
	if err := w.settle(t.Context(), 3*time.Second, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	r, err := w.record(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, k := range []mesh.Kind{mesh.AuthorizationPolicy, mesh.PeerAuthentication} {
		for o := range r.Snapshot.All(k) {
			total++
			w.policies[o.String()] = true
		}
	}
	var compared []string
	unexplained := map[string]int{} // by what is said
	known := map[string]int{}
	for _, result := range r.All() {
		compared = append(compared, strconv.Itoa(result.Compared))
		for _, d := range result.Differences {
			if name := explained(found{r, d, w.history}); name != "" {
				used[name]++
				known[name]++
				continue
			}
			w.unexplained = append(w.unexplained, d)
			class := d.About
			if len(d.Ours)+len(d.Istiod) < 100 {
				class += ": " + d.Ours + " / " + d.Istiod
			}
			if unexplained[class]++; unexplained[class] <= shown {
				t.Errorf("%s\n%s%s", d, w.describe(t, d.Object), ours(r.Snapshot, d.Object))
			}
		}
	}
	t.Logf("%s: %d objects, %d policies, %d waypoints with %d chains, %d refused by the API server, compared %s; known: %v; unexplained: %v",
		when, r.Snapshot.Len(), total, len(r.Proxies), r.CountChains(), w.refused, strings.Join(compared, "+"), known, unexplained)
}

// disagreements are the differences that no known one explains.
func (w *world) disagreements(r oracle.Recording) []oracle.Difference {
	var out []oracle.Difference
	for _, result := range r.All() {
		for _, d := range result.Differences {
			if explained(found{r, d, w.history}) == "" {
				out = append(out, d)
			}
		}
	}
	return out
}

// shown is how many differences of the same kind are printed with their objects.
const shown = 3

// ours is what we say of a policy, and why.
func ours(s *mesh.Snapshot, o *mesh.Object) string {
	if !o.Kind.IsPolicy() {
		return ""
	}
	var out strings.Builder
	for _, e := range policies.Effects(s, o) {
		fmt.Fprintf(&out, "# %s: %s %s: %s\n", e.Target, e.Verdict, e.Reason, e.Message)
	}
	return out.String()
}

// describe is an object as it is written, with its Namespace's labels.
func (w *world) describe(t *testing.T, o *mesh.Object) string {
	get := func(resource schema.GroupVersionResource, ns, name string) map[string]any {
		u, err := w.Dynamic.Resource(resource).Namespace(ns).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return u.Object
	}
	content := get(schema.GroupVersionResource{Group: o.Kind.Group(), Version: "v1", Resource: o.Kind.Resource()}, o.Namespace, o.Name)
	if meta, ok := content["metadata"].(map[string]any); ok {
		content["metadata"] = map[string]any{"labels": meta["labels"], "annotations": meta["annotations"], "creationTimestamp": meta["creationTimestamp"]}
	}
	ns := get(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "", o.Namespace)
	if meta, ok := ns["metadata"].(map[string]any); ok {
		content["namespace labels"] = meta["labels"]
	}
	raw, err := yaml.Marshal(content)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
