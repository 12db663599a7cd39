package waypoints

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// proxies are pods that answer by HTTP what they count, by their addresses. One that is nil does not answer.
type proxies map[string]*counting

// scrape reads from servers of its own, one for each pod.
func (p proxies) scrape(t *testing.T) Scrape {
	t.Helper()
	return func(ctx context.Context, ip string) (io.ReadCloser, error) {
		c := p[ip]
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c == nil {
				http.Error(w, "gone", http.StatusServiceUnavailable)
				return
			}
			io.WriteString(w, c.text(t, plain))
		}))
		t.Cleanup(server.Close)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			return nil, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK {
			resp.Body.Close()
			return nil, fmt.Errorf("it answers %s", resp.Status)
		}
		return resp.Body, nil
	}
}

func objects(t *testing.T, text string) []*mesh.Object {
	t.Helper()
	var out []*mesh.Object
	for _, doc := range strings.Split(text, "\n---\n") {
		content := map[string]any{}
		if err := yaml.Unmarshal([]byte(doc), &content); err != nil {
			t.Fatal(err)
		}
		o, err := mesh.Decode(content)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o)
	}
	return out
}

const meteredMesh = `{apiVersion: v1, kind: Namespace, metadata: {name: istio-system}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}, annotations: {waywarden.dev/profile: default}}}
---
{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {serviceAccountName: cart, containers: [{name: a, image: a}]}}}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: cart}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: ztunnel-1, namespace: istio-system, labels: {app: ztunnel}}, spec: {containers: [{name: a, image: a}]}, status: {phase: Running, podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: ztunnel-2, namespace: istio-system, labels: {app: ztunnel}}, spec: {containers: [{name: a, image: a}]}, status: {phase: Running, podIP: 10.0.0.2}}`

const meteredGateway = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: shop, labels: {app.kubernetes.io/managed-by: waywarden}, annotations: {waywarden.dev/profile: default%s}}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}, status: {addresses: [{type: Hostname, value: w}]}}`

// metered is a mesh with a waypoint of ours, in which a guard is about to be set, or with annotations that is drained.
func metered(t *testing.T, annotations string, setting plan.Setting, now time.Time) plan.World {
	t.Helper()
	s := mesh.New(mesh.Options{}, objects(t, meteredMesh+"\n---\n"+fmt.Sprintf(meteredGateway, annotations))...)
	w := plan.World{Settings: plan.Settings{Namespaces: map[string]plan.Setting{"shop": setting}}, Now: now,
		Evidence: plan.Evidence{Managed: plan.Managed{plan.RefOf(mesh.Gateway, "shop", "waypoint"): nil, plan.RefOf(mesh.Namespace, "", "shop"): {"istio.io/use-waypoint"}},
			Waypoints:   map[mesh.Ref]plan.Serving{plan.RefOf(mesh.Gateway, "shop", "waypoint"): {Ready: true}},
			Convergence: plan.Convergence{Acknowledged: now.Add(-time.Second), Since: now.Add(-time.Hour)}}}
	for range 2 {
		w.View = policies.NewView(s)
		w.Plan = plan.Make(w.View, w.Settings, w.Evidence.Managed)
		if steps := plan.Next(w).Steps(); annotations == "" && len(steps) == 1 && steps[0].Row == plan.MakeGateway { // as we would have made it
			steps[0].Manifest["status"] = s.Get(mesh.Gateway, "shop", "waypoint").Content()["status"]
			gw, err := mesh.Decode(steps[0].Manifest)
			if err != nil {
				t.Fatal(err)
			}
			s = s.With(gw)
		}
	}
	return w
}

var guarded = plan.Setting{Mode: plan.Provision, Bypass: plan.Guard, Exceptions: []plan.Exception{{Principals: []string{"cluster.local/ns/shop/sa/prometheus"}, Reason: "scrapes"}}}

// TestDirect: a guard waits until for five minutes nobody has come round the waypoint, as far as the ztunnels say.
func TestDirect(t *testing.T) {
	through := connection{"destination", waypoint, "shop/cart", "cart", cartPods, ""}
	past := connection{"destination", web, "shop/cart", "cart", cartPods, "-"}
	for name, tc := range map[string]struct {
		first, then proxies
		direct      bool   // whether somebody has come round between the two
		unmetered   string // why that is not known
	}{
		"nobody":                           {first: proxies{"10.0.0.1": newCounting().take(through, past), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(through, through, past), "10.0.0.2": newCounting()}},
		"somebody":                         {first: proxies{"10.0.0.1": newCounting().take(past), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(past), "10.0.0.2": newCounting().take(past)}, direct: true},
		"one that is open":                 {first: proxies{"10.0.0.1": newCounting().take(connection{"destination", web, "shop/cart", "cart", cartPods, ""}), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(connection{"destination", web, "shop/cart", "cart", cartPods, ""}), "10.0.0.2": newCounting()}, direct: true},
		"one that was open":                {first: proxies{"10.0.0.1": newCounting().take(connection{"destination", web, "shop/cart", "cart", cartPods, ""}), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(connection{"destination", web, "shop/cart", "cart", cartPods, "-"}), "10.0.0.2": newCounting()}, direct: true},
		"one that was denied":              {first: proxies{"10.0.0.1": newCounting(), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(connection{"destination", web, "shop/cart", "cart", cartPods, "DENY"}), "10.0.0.2": newCounting()}},
		"an exception":                     {first: proxies{"10.0.0.1": newCounting(), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(connection{"destination", "spiffe://cluster.local/ns/shop/sa/prometheus", "shop/cart", "cart", cartPods, ""}), "10.0.0.2": newCounting()}},
		"to other pods":                    {first: proxies{"10.0.0.1": newCounting(), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(connection{"destination", web, "shop/web", "web", web, ""}), "10.0.0.2": newCounting()}},
		"by a pod's address":               {first: proxies{"10.0.0.1": newCounting(), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(connection{"destination", "unknown", "unknown/unknown", "cart", cartPods, "-"}), "10.0.0.2": newCounting()}, direct: true},
		"what the caller's ztunnel counts": {first: proxies{"10.0.0.1": newCounting(), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(connection{"source", web, "shop/cart", "waypoint", waypoint, "-"}), "10.0.0.2": newCounting()}},
		"a ztunnel started anew":           {first: proxies{"10.0.0.1": newCounting().take(past, past), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(past), "10.0.0.2": newCounting()}, direct: true},
		"a ztunnel does not answer":        {first: proxies{"10.0.0.1": newCounting(), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(through)}, unmetered: "the ztunnel at 10.0.0.2 was not read: it answers 503"},
		"another ztunnel does not answer":  {first: proxies{"10.0.0.1": newCounting(), "10.0.0.2": newCounting()}, then: proxies{"10.0.0.1": newCounting().take(past)}, direct: true, unmetered: "the ztunnel at 10.0.0.2 was not read: it answers 503"},
	} {
		t.Run(name, func(t *testing.T) {
			svc := plan.RefOf(mesh.Service, "shop", "cart")
			m, clock := newMeters(tc.first.scrape(t), noon)
			w := metered(t, "", guarded, noon)
			m.look(&w, nil)
			if p := plan.Next(w); len(p) != 1 || len(p[0].Waiting) != 1 || p[0].Waiting[0].Row != plan.MakeGuard {
				t.Fatalf("the guard does not wait for the first reading: %+v", p)
			}
			m.readNow(t)
			w = metered(t, "", guarded, noon)
			m.look(&w, nil)
			if !w.Evidence.Direct[svc].Equal(noon) || !w.Evidence.Metered.Equal(noon) {
				t.Fatalf("of what was before the first reading something is known: %s, as of %s", w.Evidence.Direct[svc], w.Evidence.Metered)
			}
			if p := plan.Next(w); len(p) != 1 || len(p[0].Waiting) != 1 || p[0].Waiting[0].Row != plan.MakeGuard || !p[0].Waiting[0].Until.Equal(noon.Add(5*time.Minute)) {
				t.Fatalf("the guard does not wait: %+v", p)
			}
			later := noon.Add(6 * time.Minute)
			w = metered(t, "", guarded, later)
			m.look(&w, nil)
			if p := plan.Next(w); len(p) != 1 || len(p[0].Waiting) != 1 || !p[0].Waiting[0].Until.After(later) {
				t.Fatalf("the guard does not wait for a reading that is of later: %+v", p)
			}
			m.reader.scrape = tc.then.scrape(t)
			clock.SetTime(later)
			m.readNow(t)
			w = metered(t, "", guarded, later)
			m.look(&w, nil)
			if got := w.Evidence.Direct[svc]; got.Equal(later) != tc.direct || !strings.HasPrefix(w.Evidence.Unmetered, tc.unmetered) || (tc.unmetered == "") != (w.Evidence.Unmetered == "") {
				t.Errorf("somebody came round at %s, not known: %q", got, w.Evidence.Unmetered)
			}
			steps := plan.Next(w).Steps()
			if made := len(steps) == 1 && steps[0].Row == plan.MakeGuard; made == tc.direct {
				t.Errorf("steps: %+v", steps)
			}
			if len(steps) == 1 && strings.Contains(steps[0].Why, "unverified") != (tc.unmetered != "") {
				t.Errorf("it is set because %s", steps[0].Why)
			}
		})
	}
}

// TestDirectOfMissed: a ztunnel that was not read once is held against what it counted before, not against nothing: what it let in at
// any time would begin the quiet anew.
func TestDirectOfMissed(t *testing.T) {
	past := connection{"destination", web, "shop/cart", "cart", cartPods, "-"}
	quiet, again := newCounting().take(past), newCounting().take(past, past)
	svc := plan.RefOf(mesh.Service, "shop", "cart")
	for name, tc := range map[string]struct {
		then   *counting
		direct bool
	}{"nobody since": {quiet, false}, "somebody while it was not read": {again, true}} {
		t.Run(name, func(t *testing.T) {
			px := proxies{"10.0.0.1": quiet, "10.0.0.2": newCounting()}
			m, clock := newMeters(px.scrape(t), noon)
			look := func() time.Time {
				w := metered(t, "", guarded, clock.Now())
				m.look(&w, nil)
				return w.Evidence.Direct[svc]
			}
			look()
			for _, pod := range []*counting{quiet, nil, nil} {
				px["10.0.0.1"] = pod
				m.readNow(t)
				if at := look(); !at.Equal(noon) {
					t.Fatalf("somebody came round at %s", at)
				}
				clock.Step(time.Minute)
			}
			px["10.0.0.1"] = tc.then
			m.readNow(t)
			if at := look(); at.Equal(clock.Now()) != tc.direct {
				t.Errorf("somebody came round at %s", at)
			}
		})
	}
}

// TestNoZtunnel: where no ztunnel is seen it is not known whether somebody comes round a waypoint, and not that nobody does.
func TestNoZtunnel(t *testing.T) {
	m, _ := newMeters(proxies{}.scrape(t), noon)
	for range 2 {
		w := metered(t, "", guarded, noon)
		s := w.View.Snapshot
		for o := range s.All(mesh.Pod) {
			s = s.Without(o)
		}
		w.View = policies.NewView(s)
		if m.look(&w, nil); m.judged != nil && w.Evidence.Unmetered != "no ztunnel is seen" {
			t.Errorf("not known: %q", w.Evidence.Unmetered)
		}
		m.readNow(t)
	}
	if m.judged == nil {
		t.Error("nothing was read")
	}
}

// TestDrained: a waypoint is drained when nothing passes it any more, by its pods or else by the ztunnels; where neither can be
// read, after a time.
func TestDrained(t *testing.T) {
	open, over := connection{"source", web, "shop/cart", "waypoint", waypoint, ""}, connection{"source", web, "shop/cart", "waypoint", waypoint, "-"}
	none := proxies{"10.0.0.1": newCounting().take(over), "10.0.0.2": newCounting().take(connection{"source", web, "shop/cart", "cart", cartPods, ""})}
	some := proxies{"10.0.0.1": newCounting().take(open, over), "10.0.0.2": newCounting().take(open)}
	at := func(z proxies, pod *counting) proxies {
		return proxies{"10.0.0.1": z["10.0.0.1"], "10.0.0.2": z["10.0.0.2"], "10.0.1.1": pod}
	}
	envoy := func(n float64) *counting {
		return newCounting().envoy(map[string]float64{"envoy_internal_main_internal": n, "0.0.0.0_15008": 4})
	}
	for name, tc := range map[string]struct {
		proxies proxies // nil where nothing is read
		pods    []string
		ingress bool
		n       int
		unknown string
	}{
		"by its pods":                      {proxies: at(some, envoy(0)), pods: []string{"10.0.1.1"}},
		"by its pods, open":                {proxies: at(none, envoy(2)), pods: []string{"10.0.1.1"}, n: 2},
		"by ztunnels":                      {proxies: at(none, newCounting()), pods: []string{"10.0.1.1"}},
		"by ztunnels, open":                {proxies: at(some, newCounting()), pods: []string{"10.0.1.1"}, n: 2},
		"a pod that does not answer":       {proxies: at(some, nil), pods: []string{"10.0.1.1"}, n: 2},
		"a pod that does not answer, none": {proxies: at(none, nil), pods: []string{"10.0.1.1"}, unknown: "its pod at 10.0.1.1 was not read: it answers 503"},
		"one pod of two":                   {proxies: at(none, envoy(2)), pods: []string{"10.0.1.1", "10.0.1.2"}, n: 2},
		"a ztunnel of two":                 {proxies: proxies{"10.0.0.1": some["10.0.0.1"], "10.0.1.1": newCounting()}, pods: []string{"10.0.1.1"}, n: 1},
		"no pod":                           {proxies: some},
		"a ztunnel does not answer":        {proxies: proxies{"10.0.0.1": newCounting(), "10.0.1.1": newCounting()}, pods: []string{"10.0.1.1"}, unknown: "its pods do not write downstream_cx_active, and the ztunnel at 10.0.0.2 was not read"},
		"ingress gateways come too":        {proxies: at(none, newCounting()), pods: []string{"10.0.1.1"}, ingress: true, unknown: "its pods do not write downstream_cx_active, and no ztunnel knows what ingress gateways"},
		"ingress gateways, by its pods":    {proxies: at(none, envoy(0)), pods: []string{"10.0.1.1"}, ingress: true},
		"nobody reads":                     {unknown: unmetered},
	} {
		t.Run(name, func(t *testing.T) {
			var m meters
			pods := func(string, string) []string { return tc.pods }
			w := metered(t, ", waywarden.dev/draining-since: "+noon.Format(time.RFC3339), plan.Setting{Mode: plan.Provision, Profile: plan.Profile{Name: "default", Ingress: tc.ingress}}, noon.Add(time.Minute))
			known := w.Evidence.Acknowledged
			if tc.proxies != nil {
				m, _ = newMeters(tc.proxies.scrape(t), noon)
				m.look(&w, pods)
				if got := w.Evidence.Waypoints[plan.RefOf(mesh.Gateway, "shop", "waypoint")]; got.Counted || got.Uncounted != "what proxies count is being read" {
					t.Errorf("before anything is read: %+v", got)
				}
				m.readNow(t)
				// A count does not become younger by what is acknowledged afterwards.
				w.Evidence.Acknowledged = known.Add(time.Second)
			}
			m.look(&w, pods)
			got := w.Evidence.Waypoints[plan.RefOf(mesh.Gateway, "shop", "waypoint")]
			if got.Counted != (tc.unknown == "") || got.Connections != tc.n || !strings.HasPrefix(got.Uncounted, tc.unknown) || tc.unknown == "" && got.Uncounted != "" || !got.Ready {
				t.Errorf("got %+v", got)
			}
			if got.Counted && !got.Acknowledged.Equal(known) {
				t.Errorf("it counts as of when all was acknowledged up to %s, and it was up to %s", got.Acknowledged, known)
			}
		})
	}
	m, _ := newMeters(some.scrape(t), noon)
	m.reader.ask(&asked{ztunnels: []string{"10.0.0.1"}})
	m.readNow(t)
	m.watched = map[mesh.Ref]time.Time{{}: noon}
	w := metered(t, "", plan.Setting{Mode: plan.Provision}, noon)
	if m.look(&w, nil); m.reader.once(t.Context()) || m.reader.last != nil || m.watched != nil {
		t.Error("something is read although nobody waits for it")
	}
}

// TestPodOfLater: a pod of a waypoint that came after a reading began is not taken to have no connection.
func TestPodOfLater(t *testing.T) {
	m, _ := newMeters(proxies{"10.0.1.1": newCounting().envoy(map[string]float64{"envoy_internal_main_internal": 0})}.scrape(t), noon)
	w := metered(t, ", waywarden.dev/draining-since: "+noon.Format(time.RFC3339), plan.Setting{Mode: plan.Provision}, noon)
	pods := []string{"10.0.1.1"}
	m.look(&w, func(string, string) []string { return pods })
	m.readNow(t)
	for _, tc := range []struct {
		pods    []string
		counted bool
	}{{[]string{"10.0.1.1"}, true}, {[]string{"10.0.1.1", "10.0.1.2"}, false}, {nil, true}} {
		w := metered(t, ", waywarden.dev/draining-since: "+noon.Format(time.RFC3339), plan.Setting{Mode: plan.Provision}, noon)
		pods = tc.pods
		m.look(&w, func(string, string) []string { return pods })
		if got := w.Evidence.Waypoints[plan.RefOf(mesh.Gateway, "shop", "waypoint")]; got.Counted != tc.counted {
			t.Errorf("with %s: %+v", tc.pods, got)
		}
	}
}

// newMeters reads by a clock that stands until it is set.
func newMeters(scrape Scrape, at time.Time) (meters, *clocktesting.FakeClock) {
	clock := clocktesting.NewFakeClock(at)
	return meters{reader: newReader(scrape, clock, func() {})}, clock
}

// readNow reads what was asked for.
func (m *meters) readNow(t *testing.T) {
	t.Helper()
	if !m.reader.once(t.Context()) {
		t.Fatal("nothing is read")
	}
}
