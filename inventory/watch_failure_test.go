package inventory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/waywarden/waywarden/policies/mesh"
)

// begun is a world that has been discovered, of which nothing has been listed.
func begun(t *testing.T) *world {
	w := newWorld(t, 1)
	for _, s := range w.served {
		n, content := name{"shop", "a"}, fields{"metadata": fields{"name": "a", "namespace": "shop"}}
		if !s.kind.Namespaced() {
			n, content = name{"", "shop"}, fields{"metadata": fields{"name": "shop"}}
		}
		s.objects[n] = content
	}
	w.mirror.serve(w.discovered())
	return w
}

func (w *world) listAll(but ...mesh.Kind) {
	for _, r := range resources {
		if !containsKind(but, r.kind) {
			w.relist(w.served[r.GroupResource()])
		}
	}
}

func containsKind(kinds []mesh.Kind, kind mesh.Kind) bool {
	for _, k := range kinds {
		if k == kind {
			return true
		}
	}
	return false
}

func (w *world) failKind(kind mesh.Kind, err error) bool {
	return w.mirror.fail(w.mirror.sources[sourceKey{groupResource(kind), name{}}], err)
}

func (w *world) awaited() string { return strings.Join(w.mirror.Status().Awaited, " ") }

// TestSubscribersHearWhatCanBeRead: that a kind can be read again is told, also where there is nothing of it.
func TestSubscribersHearWhatCanBeRead(t *testing.T) {
	w := begun(t)
	none := w.served[groupResource(mesh.ConfigMap)]
	none.objects = map[name]fields{}
	w.listAll()
	s := w.mirror.Subscribe()
	defer s.Close()
	next := func(unread int) {
		t.Helper()
		change, err := s.Next(t.Context())
		w.must(err)
		if len(change.Unread) != unread {
			t.Fatalf("unread: %v", change.Unread)
		}
	}
	next(0)
	snapshot := w.mirror.snapshot.Load()
	for range 2 {
		w.failKind(mesh.ConfigMap, apierrors.NewForbidden(none.GroupResource(), "", nil))
		next(1)
		w.relist(none)
		next(0)
		if now := w.mirror.snapshot.Load(); now.Len() != snapshot.Len() || !now.Reads(mesh.ConfigMap) {
			t.Fatalf("of %d objects there are %d, and ConfigMaps are read: %v", snapshot.Len(), now.Len(), now.Reads(mesh.ConfigMap))
		}
	}
	w.relist(none) // which says nothing new
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if change, err := s.Next(soon); err == nil {
		t.Errorf("nothing has changed, and it is told: %+v", change)
	}
}

func TestNothingIsKnownUntilEverythingIsListed(t *testing.T) {
	w := begun(t)
	w.listAll(mesh.Service)
	if s := w.mirror.snapshot.Load(); s.Len() != 0 || s.Known("shop") {
		t.Errorf("before Services are listed there are %d objects, and shop is known: %v", s.Len(), s.Known("shop"))
	}
	if w.awaited() != "services" {
		t.Errorf("awaited: %s", w.awaited())
	}
	w.listAll()
	if s := w.mirror.snapshot.Load(); s.Get(mesh.Service, "shop", "a") == nil || !s.Known("shop") {
		t.Errorf("after all is listed there are %d objects, and shop is known: %v", s.Len(), s.Known("shop"))
	}
}

// TestFailures says what each failure of a list leaves: of a kind that was never read, and of one that was.
func TestFailures(t *testing.T) {
	services := groupResource(mesh.Service)
	for _, c := range []struct {
		what          string
		err           error
		times         int
		settles       bool // so that the others need not wait
		unread        bool
		keeps, stales bool // what was known before
	}{
		{"may not", apierrors.NewForbidden(services, "", nil), 1, true, true, false, false},
		{"a broken conversion, once", apierrors.NewInternalError(errors.New("conversion")), 1, false, false, true, true},
		{"a broken conversion, again and again", apierrors.NewInternalError(errors.New("conversion")), patience, true, true, true, true},
		{"too many requests, again and again", apierrors.NewTooManyRequests("later", 1), patience + 5, false, false, true, true},
		{"no answer, again and again", errors.New("connection refused"), patience + 5, false, false, true, true},
		{"no such resource", apierrors.NewNotFound(services, ""), 1, true, false, true, true}, // until rediscovery
	} {
		t.Run(c.what, func(t *testing.T) {
			fresh := begun(t)
			fresh.listAll(mesh.Service)
			read := begun(t)
			read.listAll()
			for range c.times {
				fresh.failKind(mesh.Service, c.err)
				read.failKind(mesh.Service, c.err)
			}
			if settled := fresh.awaited() == ""; settled != c.settles {
				t.Errorf("never read: the others go on: %v", settled)
			}
			if unread := len(fresh.mirror.Status().Unread) > 0; unread != c.unread {
				t.Errorf("never read: unread: %v", fresh.mirror.Status().Unread)
			}
			s, status := read.mirror.snapshot.Load(), read.mirror.Status()
			if keeps := s.Get(mesh.Service, "shop", "a") != nil; keeps != c.keeps || s.Known("shop") != c.keeps {
				t.Errorf("read before: kept %v, shop known %v", keeps, s.Known("shop"))
			}
			if stale := len(status.Stale) == 1; stale != c.stales {
				t.Errorf("read before: stale: %+v", status.Stale)
			}
			fresh.listAll()
			read.listAll()
			for _, w := range []*world{fresh, read} {
				w.compare("listed after all")
				if stale := w.mirror.Status().Stale; len(stale) > 0 {
					t.Errorf("listed after all and stale: %+v", stale)
				}
			}
		})
	}
}

// TestNamespaceLabelsAreKnownLonger: Guardrails go on selecting by labels while nothing counts as absent, be it because of
// another kind or because Namespaces themselves may no longer be read.
func TestNamespaceLabelsAreKnownLonger(t *testing.T) {
	w := begun(t)
	if w.mirror.NamespaceLabels("shop") != nil {
		t.Error("before anything is listed labels are known")
	}
	w.listAll()
	relabel := func(env string) {
		s := w.served[groupResource(mesh.Namespace)]
		s.objects[name{"", "shop"}] = fields{"metadata": fields{"name": "shop", "labels": fields{"env": env}}}
		w.relist(s)
	}
	hold := func(when, env string) {
		t.Helper()
		if w.mirror.snapshot.Load().Known("shop") || w.mirror.NamespaceLabels("shop")["env"] != env {
			t.Errorf("%s: shop known %v, labels %v", when, w.mirror.snapshot.Load().Known("shop"), w.mirror.NamespaceLabels("shop"))
		}
	}
	relabel("prod")
	w.failKind(mesh.Service, apierrors.NewForbidden(groupResource(mesh.Service), "", nil))
	hold("Services may not be read", "prod")
	relabel("test")
	hold("a label changes meanwhile", "test")
	w.failKind(mesh.Namespace, apierrors.NewForbidden(groupResource(mesh.Namespace), "", nil))
	hold("Namespaces may not be read either", "test")
	w.listAll(mesh.Service)
	hold("they may again", "test")
	w.listAll()
	if w.mirror.NamespaceLabels("shop")["env"] != "test" || !w.mirror.snapshot.Load().Known("shop") {
		t.Errorf("everything is read again: labels %v", w.mirror.NamespaceLabels("shop"))
	}
}

// TestLastLabelsStand: where only Namespaces may not be read, the last that were read of them stand.
func TestLastLabelsStand(t *testing.T) {
	w := begun(t)
	w.listAll()
	w.failKind(mesh.Namespace, apierrors.NewForbidden(groupResource(mesh.Namespace), "", nil))
	if w.mirror.snapshot.Load().Known("shop") || w.mirror.NamespaceLabels("shop") == nil {
		t.Errorf("shop known %v, labels %v", w.mirror.snapshot.Load().Known("shop"), w.mirror.NamespaceLabels("shop"))
	}
}

// TestDiscoveryAloneDropsNothing: an API server that starts serves kinds before it says so.
func TestDiscoveryAloneDropsNothing(t *testing.T) {
	w := begun(t)
	w.listAll()
	policies := w.served[groupResource(mesh.AuthorizationPolicy)]
	policies.installed = false
	w.mirror.serve(w.discovered())
	if w.mirror.snapshot.Load().Get(mesh.AuthorizationPolicy, "shop", "a") == nil {
		t.Fatal("AuthorizationPolicies are gone because discovery did not name them")
	}
	if again := w.failKind(mesh.AuthorizationPolicy, apierrors.NewNotFound(policies.GroupResource(), "")); !again {
		t.Error("nobody is asked what is served, though a list was answered with 404")
	}
	w.mirror.serve(w.discovered())
	if w.mirror.snapshot.Load().Get(mesh.AuthorizationPolicy, "shop", "a") != nil || w.mirror.sources[sourceKey{policies.GroupResource(), name{}}] != nil {
		t.Error("AuthorizationPolicies are neither served nor listed, and still there")
	}
}

func TestAnotherVersionKeepsWhatIsKnown(t *testing.T) {
	w := begun(t)
	w.listAll()
	old := w.feed(w.served[groupResource(mesh.AuthorizationPolicy)])
	w.served[groupResource(mesh.AuthorizationPolicy)].Version = "v1beta1"
	follow := w.mirror.serve(w.discovered())
	if len(follow) != 1 || follow[0].Version != "v1beta1" {
		t.Fatalf("to follow: %v", follow)
	}
	was := w.mirror.snapshot.Load().Get(mesh.AuthorizationPolicy, "shop", "a")
	if was == nil || was.APIVersion != "security.istio.io/v1" {
		t.Fatalf("between two versions the policy is %v", was)
	}
	w.must(old.Delete(raw(fields{"metadata": fields{"name": "a", "namespace": "shop"}})))
	if w.mirror.snapshot.Load().Get(mesh.AuthorizationPolicy, "shop", "a") == nil {
		t.Error("a late word of the version that is no longer followed counts")
	}
	w.listAll()
	if is := w.mirror.snapshot.Load().Get(mesh.AuthorizationPolicy, "shop", "a"); is == nil || is.APIVersion != "security.istio.io/v1beta1" {
		t.Errorf("listed in another version the policy is %v", is)
	}
}

// TestUnheard: a kind that comes to be served counts as read once it has been listed, and no sooner; what else is known stays known.
func TestUnheard(t *testing.T) {
	w := begun(t)
	late := w.served[groupResource(mesh.AuthorizationPolicy)]
	late.installed = false
	w.mirror.serve(w.discovered())
	delete(w.mirror.sources, sourceKey{late.GroupResource(), name{}})
	w.listAll(mesh.AuthorizationPolicy)
	now := func() *mesh.Snapshot { return w.mirror.snapshot.Load() }
	if !now().Known("shop") || !now().Reads(mesh.AuthorizationPolicy) {
		t.Fatalf("shop is known: %v, and AuthorizationPolicies, which are not served, are read: %v", now().Known("shop"), now().Reads(mesh.AuthorizationPolicy))
	}
	late.installed = true
	if follow := w.mirror.serve(w.discovered()); len(follow) != 1 {
		t.Fatalf("%d sources are followed, want 1", len(follow))
	}
	_, _, gaps := w.mirror.Marked()
	if !now().Known("shop") || now().Reads(mesh.AuthorizationPolicy) || !strings.Contains(gaps.Unseen[""], "has not been listed yet") {
		t.Errorf("not listed yet: shop is known: %v, AuthorizationPolicies are read: %v, gaps: %+v", now().Known("shop"), now().Reads(mesh.AuthorizationPolicy), gaps)
	}
	w.relist(late)
	_, _, gaps = w.mirror.Marked()
	if !now().Reads(mesh.AuthorizationPolicy) || now().Get(mesh.AuthorizationPolicy, "shop", "a") == nil || len(gaps.Unseen) > 0 {
		t.Errorf("listed: read: %v, gaps: %+v", now().Reads(mesh.AuthorizationPolicy), gaps)
	}
	w.failKind(mesh.AuthorizationPolicy, apierrors.NewNotFound(late.GroupResource(), ""))
	read := []bool{now().Reads(mesh.AuthorizationPolicy)}
	for range 3 { // discovery goes on naming it: that is no reason to judge everything anew each time
		w.mirror.serve(w.discovered())
		read = append(read, now().Reads(mesh.AuthorizationPolicy))
		w.failKind(mesh.AuthorizationPolicy, apierrors.NewNotFound(late.GroupResource(), ""))
		read = append(read, now().Reads(mesh.AuthorizationPolicy))
	}
	if want := []bool{true, false, true, true, true, true, true}; !slices.Equal(read, want) {
		t.Errorf("named and not there, it is read: %v, want %v", read, want)
	}
}

// TestAResourceThatIsServedAndNotThere: discovery names it, and its list is answered with 404. It has no objects, keeps
// nobody waiting, and is not asked for in a loop.
func TestAResourceThatIsServedAndNotThere(t *testing.T) {
	w := begun(t)
	w.listAll()
	gr := groupResource(mesh.AuthorizationPolicy)
	again := 0
	for range 5 {
		if w.failKind(mesh.AuthorizationPolicy, apierrors.NewNotFound(gr, "")) {
			again++
		}
		w.mirror.serve(w.discovered())
	}
	if again != 1 {
		t.Errorf("rediscovery was asked for at once %d times", again)
	}
	if w.mirror.snapshot.Load().Get(mesh.AuthorizationPolicy, "shop", "a") != nil || w.awaited() != "" {
		t.Errorf("a policy is left, or awaited: %s", w.awaited())
	}
}

// TestSilentGroups: an API group that does not answer discovery leaves its kinds unread, unless they are watched already.
func TestSilentGroups(t *testing.T) {
	w := begun(t)
	now := w.discovered()
	gateways := resource{GroupVersionResource: w.served[groupResource(mesh.Gateway)].GroupVersionResource, kind: mesh.Gateway}
	silent := func(s served) served {
		out := served{unread: []Unread{gateways.unread("its API group does not answer: no")}}
		for _, r := range s.resources {
			if r.kind != mesh.Gateway {
				out.resources = append(out.resources, r)
			}
		}
		return out
	}
	late := newWorld(t, 1)
	late.mirror.serve(silent(now))
	late.listAll()
	if late.mirror.snapshot.Load().Whole() && late.mirror.snapshot.Load().Len() > 0 || len(late.mirror.Status().Unread) != 1 {
		t.Errorf("Gateways are unknown and the mesh is whole; unread %+v", late.mirror.Status().Unread)
	}
	w.listAll()
	w.mirror.serve(silent(now))
	if w.mirror.snapshot.Load().Get(mesh.Gateway, "shop", "a") == nil || len(w.mirror.Status().Unread) != 0 {
		t.Errorf("Gateways are watched, and unread because discovery is incomplete: %+v", w.mirror.Status().Unread)
	}
}

func TestWhatSaysNothingMakesNoSnapshot(t *testing.T) {
	w := small.watched(t)
	f := w.feed(w.served[groupResource(mesh.Pod)])
	content := pod(namespaceName(5), "app-7", 3, "10.0.0.1")
	w.must(f.Update(raw(content)))
	before := w.mirror.snapshot.Load()
	content["metadata"].(fields)["resourceVersion"] = "999"
	content["status"].(fields)["conditions"].([]any)[0].(fields)["lastTransitionTime"] = "2026-02-02T00:00:00Z"
	w.must(f.Update(raw(content)))
	if w.mirror.snapshot.Load() != before {
		t.Error("a heartbeat makes a Snapshot")
	}
	content["status"].(fields)["podIP"] = "10.0.0.2"
	w.must(f.Update(raw(content)))
	if w.mirror.snapshot.Load() == before {
		t.Error("another address makes no Snapshot")
	}
}

// TestPodsOfAnOwnerShare: equal labels, annotations and containers of siblings are the same memory, and what
// differs is not.
func TestPodsOfAnOwnerShare(t *testing.T) {
	w := newWorld(t, 1)
	w.mirror.serve(w.discovered())
	f := w.feed(w.served[groupResource(mesh.Pod)])
	one := f.item(raw(pod("shop", "cart", 1, "10.0.0.1"))).object
	two := f.item(raw(pod("shop", "cart", 2, "10.0.0.2"))).object
	other := pod("shop", "cart", 3, "10.0.0.3")
	other["metadata"].(fields)["labels"].(fields)["app"] = "other"
	three := f.item(raw(other)).object
	if &one.Spec.(*mesh.PodBody).Spec.Containers[0] != &two.Spec.(*mesh.PodBody).Spec.Containers[0] {
		t.Error("the containers are not shared")
	}
	two.Labels["probe"] = "x"
	if one.Labels["probe"] == "" {
		t.Error("the labels are not shared")
	}
	if three.Labels["probe"] != "" || three.Labels["app"] != "other" || cmp.Equal(three.Content(), one.Content()) {
		t.Error("a pod with other labels shares them")
	}
	if diff := cmp.Diff([]string{"10.0.0.1", "10.0.0.2"}, []string{one.Spec.(*mesh.PodBody).Status.PodIP, two.Spec.(*mesh.PodBody).Status.PodIP}); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

// TestGaps: what a Snapshot may lack is said with it, be it whole in the sense of names or not.
func TestGaps(t *testing.T) {
	w := begun(t)
	w.listAll()
	gaps := func() Gaps {
		_, _, out := w.mirror.Marked()
		return out
	}
	is := func(when string, want Gaps) {
		t.Helper()
		if diff := cmp.Diff(want, gaps()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	is("all is known", Gaps{})
	broken := w.served[groupResource(mesh.AuthorizationPolicy)]
	content := broken.objects[name{"shop", "a"}]
	broken.objects[name{"shop", "a"}] = fields{"metadata": fields{"name": "a", "namespace": "shop"}, "spec": "not one"}
	w.relist(broken)
	is("one is not well formed", Gaps{Unseen: map[string]string{"shop": "AuthorizationPolicy shop/a is not well formed"}})
	broken.objects[name{"shop", "a"}] = content
	w.relist(broken)
	w.failKind(mesh.ConfigMap, apierrors.NewTooManyRequests("later", 1))
	if got := gaps(); len(got.Unread) != 0 || !strings.Contains(got.Unseen[""], "configmaps") {
		t.Errorf("no news: %+v", got)
	}
	w.failKind(mesh.ConfigMap, apierrors.NewForbidden(groupResource(mesh.ConfigMap), "", nil))
	got := gaps()
	if snapshot := w.mirror.snapshot.Load(); !snapshot.Whole() || len(snapshot.List(mesh.ConfigMap, "shop")) != 0 {
		t.Fatal("the Snapshot has ConfigMaps that may not be listed, or is not whole without them")
	}
	if len(got.Unread) != 1 || got.Unread[0].Kind != "ConfigMap" || len(got.Unseen) != 0 {
		t.Errorf("may not be listed: %+v", got)
	}
	w.listAll()
	is("all is known again", Gaps{})
}
