package inventory

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/waywarden/waywarden/policies/mesh"
)

// start runs a watch until the test ends.
func start(t *testing.T, url string, opts WatchOptions) *Live {
	t.Helper()
	live, err := Watch(&rest.Config{Host: url}, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- live.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	return live
}

// TestWatchOfAServerThatCannotStream watches the recorded answers, which know lists in pages and no watches: what is known
// is what was listed, with what may not be read.
func TestWatchOfAServerThatCannotStream(t *testing.T) {
	s := startAPIServer(t, nil)
	live := start(t, s.url, WatchOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := live.WaitForSync(ctx); err != nil {
		t.Fatal(err)
	}
	want := s.list(ListOptions{})
	if diff := differ(mesh.New(mesh.Options{}, want.Objects...), live.Snapshot()); diff != "" {
		t.Errorf("objects (-listed +watched):\n%s", diff)
	}
	status := live.Status()
	if diff := cmp.Diff(want.Unread, status.Unread); diff != "" {
		t.Errorf("unread (-listed +watched):\n%s", diff)
	}
	if err := live.Ready(); err != nil || !status.Synced || status.Heard.IsZero() {
		t.Errorf("ready %v, synced %v, heard %v", err, status.Synced, status.Heard)
	}
	if live.Snapshot().Known("shop") {
		t.Error("namespace shop counts as whole, though Gateways may not be listed")
	}
}

// TestWatchWaitsForACluster: one that does not answer is asked again, at the pace of the clock, and Ready says why.
func TestWatchWaitsForACluster(t *testing.T) {
	var asked, up atomic.Int32
	recorded := startAPIServer(t, nil)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api" {
			asked.Add(1)
		}
		if up.Load() == 0 {
			http.NotFound(rw, r)
			return
		}
		http.Redirect(rw, r, recorded.url+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	clock := clocktesting.NewFakeClock(time.Unix(1000, 0))
	live := start(t, server.URL, WatchOptions{Clock: clock})
	eventually(t, "the first question", func() bool { return asked.Load() > 0 && clock.HasWaiters() })
	before := asked.Load()
	err := live.Ready()
	if err == nil || !strings.Contains(err.Error(), "does not say what it serves") {
		t.Errorf("Ready: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := live.WaitForSync(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WaitForSync: %v", err)
	}
	if s := live.Snapshot(); s == nil || s.Len() != 0 || s.Known("shop") {
		t.Errorf("the Snapshot before anything is known: %v", s)
	}
	if live.Known() != nil {
		t.Error("what was not heard yet is said to be known")
	}
	if asked.Load() != before {
		t.Error("asked again before its time")
	}
	up.Store(1)
	clock.Step(firstDiscovery)
	eventually(t, "a Snapshot", func() bool { return live.Ready() == nil })
	if live.Known() != live.Snapshot() {
		t.Error("what is known is not said")
	}
	if heard := live.Status().Heard; !heard.Equal(clock.Now()) {
		t.Errorf("heard at %v, and it is %v", heard, clock.Now())
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

func TestSubscription(t *testing.T) {
	w := begun(t)
	s := w.mirror.Subscribe()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("before anything is known: %v", err)
	}
	w.listAll()
	first, err := s.Next(t.Context())
	if err != nil || first.Before != nil || first.After != w.mirror.snapshot.Load() {
		t.Fatalf("the first change: %+v, %v", first, err)
	}
	if _, err := s.Next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("when nothing has changed: %v", err)
	}
	told := make(chan Change)
	go func() {
		c, err := s.Next(t.Context())
		if err != nil {
			t.Error(err)
		}
		told <- c
	}()
	f := w.feed(w.served[groupResource(mesh.Service)])
	w.must(f.Add(raw(fields{"metadata": fields{"name": "new", "namespace": "shop"}})))
	c := <-told
	var names []string
	for was, is := range c.Objects() {
		if was != nil {
			t.Errorf("%s was there", was)
		}
		names = append(names, is.String())
	}
	if diff := cmp.Diff([]string{"Service shop/new"}, names); diff != "" || c.Before != first.After {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	s.Close()
	if len(w.mirror.subscriptions) != 0 {
		t.Error("a closed subscription is still told")
	}
}
