package mesh_test

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies/mesh"
)

// answers is all that a Snapshot says, as text: objects, settings, workloads, bindings both ways,
// routes, policies and mTLS.
func answers(s *mesh.Snapshot) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%d objects, %+v", s.Len(), *s.Settings())
	for ns := range s.Namespaces() {
		line("namespace %s known %v", ns, s.Known(ns))
		for _, w := range s.Workloads(ns) {
			line("  workload %s of %s: %s, %s; mTLS %+v; waypoint %s", w.Name, w.Source, w.Mode, w.Why,
				s.EffectiveMTLS(ns, w.Labels), describe(s.WorkloadBinding(mesh.Pod, w)))
			line("    services %v", s.ServicesOf(w))
		}
	}
	for o := range s.Objects() {
		line("%s: policies %v", o, s.PoliciesFor(o))
		switch o.Kind {
		case mesh.Service, mesh.ServiceEntry:
			line("  %s; routes from %v to %v; hosts %v %v", describe(s.Binding(o)), s.RoutesFrom(o), s.RoutesTo(o),
				s.HostPolicies(mesh.VirtualService, o), s.HostsOf(o))
		case mesh.WorkloadEntry:
			line("  %s", describe(s.Binding(o)))
		case mesh.Gateway:
			line("  class %s, bound %v, asked for by %v", s.ClassOf(o), s.BoundTo(o), s.AskingFor(o))
			for _, w := range s.WorkloadsBoundTo(o) {
				line("  bound workload %s/%s", w.Namespace, w.Name)
			}
		}
	}
	return b.String()
}

func describe(b mesh.Binding) string {
	return fmt.Sprintf("%v %s %s/%s by %s ingress %v missing %q", b.Bound, b.Reason, b.Namespace, b.Name, b.By, b.Ingress, b.Missing)
}

func identity(o *mesh.Object) string { return o.Kind.Group() + " " + o.Ref().Kind + " " + o.Key() }

// TestWithIsNew compares a Snapshot made step by step, by With and Without, with one made at once
// of the same objects: no step may leave anything behind, forget anything, or depend on order.
func TestWithIsNew(t *testing.T) {
	for seed := range int64(300) {
		r := anyObject{rand.New(rand.NewSource(seed)), t}
		stepwise := mesh.New(mesh.Options{})
		current := map[string]*mesh.Object{}
		for step := range 40 {
			o := r.object()
			if r.Intn(4) == 0 {
				stepwise = stepwise.Without(o)
				delete(current, identity(o))
			} else {
				stepwise = stepwise.With(o)
				current[identity(o)] = o
			}
			if step%5 == 0 {
				answers(stepwise) // so that what it remembers of workloads is there to go stale
			}
		}
		var all []*mesh.Object
		for _, o := range current { // in any order
			all = append(all, o)
		}
		if diff := cmp.Diff(answers(mesh.New(mesh.Options{}, all...)), answers(stepwise)); diff != "" {
			t.Fatalf("seed %d: New and With differ (-New +With):\n%s", seed, diff)
		}
		for _, o := range all {
			stepwise = stepwise.Without(o)
		}
		if diff := cmp.Diff(answers(mesh.New(mesh.Options{})), answers(stepwise)); diff != "" {
			t.Fatalf("seed %d: something is left without any object:\n%s", seed, diff)
		}
	}
}

// TestEditedIsWith compares many changes at once with the same ones after another, and sees that neither the Snapshot of which
// they were made nor its answers change.
func TestEditedIsWith(t *testing.T) {
	for seed := range int64(300) {
		r := anyObject{rand.New(rand.NewSource(seed)), t}
		s := mesh.New(mesh.Options{})
		for range 30 {
			s = s.With(r.object())
		}
		before := answers(s)
		var with, without []*mesh.Object
		stepwise := s
		for range r.Intn(10) {
			without = append(without, r.object())
		}
		for range r.Intn(10) {
			with = append(with, r.object())
		}
		for _, o := range without {
			stepwise = stepwise.Without(o)
		}
		for _, o := range with {
			stepwise = stepwise.With(o)
		}
		if diff := cmp.Diff(answers(stepwise), answers(s.Edited(with, without))); diff != "" {
			t.Fatalf("seed %d: With and Edited differ (-With +Edited):\n%s", seed, diff)
		}
		if diff := cmp.Diff(before, answers(s)); diff != "" {
			t.Fatalf("seed %d: the Snapshot that is edited changes:\n%s", seed, diff)
		}
	}
}

func TestOrderOfInputDoesNotMatter(t *testing.T) {
	for seed := range int64(100) {
		r := anyObject{rand.New(rand.NewSource(seed)), t}
		var all []*mesh.Object
		seen := map[string]bool{}
		for range 40 {
			if o := r.object(); !seen[identity(o)] {
				seen[identity(o)] = true
				all = append(all, o)
			}
		}
		want := answers(mesh.New(mesh.Options{}, all...))
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if diff := cmp.Diff(want, answers(mesh.New(mesh.Options{}, all...))); diff != "" {
			t.Fatalf("seed %d: order matters:\n%s", seed, diff)
		}
	}
}

func TestUpdatesLeaveTheOldSnapshotAlone(t *testing.T) {
	for seed := range int64(50) {
		r := anyObject{rand.New(rand.NewSource(seed)), t}
		var all []*mesh.Object
		for range 30 {
			all = append(all, r.object())
		}
		s := mesh.New(mesh.Options{}, all...)
		want := answers(s)
		for range 10 {
			s.With(r.object())
			s.Without(all[r.Intn(len(all))])
		}
		if diff := cmp.Diff(want, answers(s)); diff != "" {
			t.Fatalf("seed %d: an update changed the Snapshot it was made from:\n%s", seed, diff)
		}
	}
}

// TestAnswersAreShared asks a Snapshot, and meshes as they would be, at once: whoever finds an answer first finds it for
// all, so what each says is laid beside a Snapshot that shares nothing.
func TestAnswersAreShared(t *testing.T) {
	for seed := range int64(20) {
		r := anyObject{rand.New(rand.NewSource(seed)), t}
		current := map[string]*mesh.Object{}
		s := mesh.New(mesh.Options{})
		for range 60 {
			o := r.object()
			s, current[identity(o)] = s.With(o), o
		}
		var group sync.WaitGroup
		for range 6 {
			would := r.object()
			all := maps.Clone(current)
			all[identity(would)] = would
			for _, ask := range []struct {
				s   *mesh.Snapshot
				all map[string]*mesh.Object
			}{{s, current}, {s.With(would), all}} {
				group.Go(func() {
					alone := mesh.New(mesh.Options{}, slices.Collect(maps.Values(ask.all))...)
					if diff := cmp.Diff(answers(alone), answers(ask.s)); diff != "" {
						t.Errorf("seed %d: an answer was that of another mesh (-alone +shared):\n%s", seed, diff)
					}
				})
			}
		}
		group.Wait()
	}
}

func TestTheLastOfTwoCounts(t *testing.T) {
	first := decode(t, `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}`)
	second := decode(t, `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`)
	s := mesh.New(mesh.Options{}, slices.Concat(first, second)...)
	if s.Len() != 1 || s.NamespaceLabels("shop")["istio.io/dataplane-mode"] != "" {
		t.Errorf("%d objects, labels %v", s.Len(), s.NamespaceLabels("shop"))
	}
}
