package waypoints

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestFence: whoever has not run for a while writes nothing, until its election has had the time to say who leads.
func TestFence(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var f fence
	step := func(d time.Duration) time.Duration {
		at = at.Add(d)
		if until := f.shut(at); !until.IsZero() {
			return until.Sub(at)
		}
		return 0
	}
	for _, tc := range []struct{ passes, shut time.Duration }{
		{0, 0}, {time.Second, 0}, {asleep, 0}, // busy, and not stopped
		{asleep + 1, doubt}, {time.Second, doubt - time.Second}, {time.Second, doubt - 2*time.Second},
		{asleep + 1, doubt}, // stopped again
		{asleep, doubt - asleep}, {asleep, doubt - 2*asleep}, {asleep, doubt - 3*asleep}, {asleep, doubt - 4*asleep}, {asleep, 0}, {time.Second, 0},
	} {
		if got := step(tc.passes); got != tc.shut {
			t.Errorf("%s later it is shut for %s, want %s", tc.passes, got, tc.shut)
		}
	}
}

// TestFenceOfWhatIsTold: what is said of waypoints, on them and on profiles, is not written either by whoever has stood still since it
// was decided, and is tried again.
func TestFenceOfWhatIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		stands time.Duration
		writes int // conditions, the annotation and two statuses, the second one where nothing can be read
	}{"it runs": {asleep, 4}, "it stood still": {asleep + 1, 0}} {
		t.Run(name, func(t *testing.T) {
			var writes atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					writes.Add(1)
				}
				w.Header().Set("Content-Type", "application/json")
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				if r.Header.Get("Content-Type") == "application/merge-patch+json" {
					body = []byte(`{"apiVersion": "waywarden.dev/v1alpha1", "kind": "WaypointProfile", "metadata": {"name": "default"}}`)
				}
				w.Write(body)
			}))
			defer server.Close()
			scheme := runtime.NewScheme()
			if err := v1alpha1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			mapper := apimeta.NewDefaultRESTMapper(nil)
			mapper.Add(v1alpha1.GroupVersion.WithKind("WaypointProfile"), apimeta.RESTScopeRoot)
			config := &rest.Config{Host: server.URL}
			writer, err := client.New(config, client.Options{Scheme: scheme, Mapper: mapper})
			if err != nil {
				t.Fatal(err)
			}
			clock := clocktesting.NewFakeClock(noon)
			c, err := New(Options{Config: config, Client: writer, Clock: clock, Log: logr.Discard()})
			if err != nil {
				t.Fatal(err)
			}
			ref := plan.RefOf(mesh.Gateway, "shop", "waypoint")
			s := mesh.New(mesh.Options{}, objects(t, `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: shop, labels: {app.kubernetes.io/managed-by: waywarden}, annotations: {waywarden.dev/profile: default}}, spec: {gatewayClassName: istio-waypoint}}`)...)
			c.planned.managed = plan.Managed{ref: nil}
			rules := &Rules{Profiles: []*v1alpha1.WaypointProfile{{ObjectMeta: metav1.ObjectMeta{Name: "default", ResourceVersion: "1"}}}}
			c.fence.shut(clock.Now())
			clock.Step(tc.stands)
			again := c.tell(t.Context(), rules, nil, s, plan.Progress{{Waypoint: ref}})
			clock.Step(statusPace)
			c.blind(t.Context(), rules, []inventory.Unread{{Resource: "gateways", Why: "forbidden"}})
			if got := int(writes.Load()); got != tc.writes || again.IsZero() != (tc.writes > 0) {
				t.Errorf("%d writes, again at %s", got, again)
			}
		})
	}
}

// TestFenceOfEvents: what is to be said in Events is not said by whoever has stood still since, and is when it may write again.
func TestFenceOfEvents(t *testing.T) {
	posted := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/events") {
			posted <- string(body)
		}
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusCreated)
		w.Write(body)
	}))
	defer server.Close()
	clock := clocktesting.NewFakeClock(noon)
	c, err := New(Options{Config: &rest.Config{Host: server.URL}, Clock: clock, Log: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.events.broadcaster.StartRecordingToSinkWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.events.broadcaster.Shutdown()
	s := mesh.New(mesh.Options{})
	taken := func(name string) {
		ref := plan.RefOf(mesh.Gateway, "shop", name)
		c.announce(s, &plan.Course{Waypoint: ref, Step: &plan.Step{Action: plan.Apply, Row: plan.MakeGateway, Object: ref, Why: "it is needed"}}, nil)
	}
	expect := func(name string, within time.Duration) {
		t.Helper()
		select {
		case body := <-posted:
			if !strings.Contains(body, "Gateway shop/"+name) {
				t.Errorf("posted is %s", body)
			}
		case <-time.After(within):
			t.Errorf("nothing is posted of %s", name)
		}
	}
	c.fence.shut(clock.Now())
	taken("a")
	expect("a", 10*time.Second)
	clock.Step(asleep + 1)
	taken("b")
	select {
	case body := <-posted:
		t.Errorf("whoever stood still posts %s", body)
	case <-time.After(time.Second):
	}
	for range int(doubt/pulse) + 1 { // it is seen to run, and still leads
		clock.Step(pulse)
		c.fence.shut(clock.Now())
	}
	expect("b", 20*time.Second) // it was put off for ten seconds
}
