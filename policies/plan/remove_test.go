package plan

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestRemoved: from the last need to nothing of ours, of a waypoint of ours and of one of somebody else's, which stays.
func TestRemoved(t *testing.T) {
	const clients = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: who, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {namespaces: [front]}}]}]}}`
	const pods = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
	const front = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: front, namespace: shop}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}}`
	for _, tc := range []struct {
		name     string
		more     []string
		settings Settings
		want     []string
	}{
		{"ours", nil, onlyShop, []string{"remove-retain", "remove-binding", "remove-drain", "remove-gateway", "remove-parameters", "remove-binding"}},
		{"ours, with policies beside it", []string{clients, pods}, onlyShop,
			[]string{"remove-retain", "remove-binding", "remove-drain", "remove-admission", "remove-twin", "remove-gateway", "remove-parameters", "remove-binding"}},
		{"somebody else's", []string{front}, onlyShop, []string{"remove-retain", "remove-binding"}},
		{"somebody else's, with policies beside it", []string{clients, pods, front}, onlyShop,
			[]string{"remove-retain", "remove-binding", "remove-drain", "remove-admission", "remove-twin"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, managed := done(t, tc.more...)
			rows, left := toTheEnd(t, s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7")), managed, tc.settings)
			if diff := cmp.Diff(tc.want, rows); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// draining is a mesh with a waypoint that is drained, long after its time was up.
func draining(t *testing.T) (s *mesh.Snapshot, managed Managed, now time.Time) {
	t.Helper()
	s, managed = done(t)
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7"))
	now = noon
	for range 3 { // it is written down that nothing needs it, it is released, and that is written down
		step := Next(later(worldOf(s, managed, onlyShop, func(e *Evidence) { e.Acknowledged = now }), now)).Steps()[0]
		s, managed = taken(s, managed, step)
		now = now.Add(2 * time.Hour)
	}
	return s, managed, now
}

// TestCountedTooEarly: that nothing is open says nothing where counting began before every ztunnel had acknowledged that nothing is
// bound: one that was behind may have opened a connection since.
func TestCountedTooEarly(t *testing.T) {
	s, managed, now := draining(t)
	released := s.Get(mesh.Gateway, "shop", "waypoint").Annotations[DrainingSinceAnnotation]
	at, err := time.Parse(time.RFC3339Nano, released)
	if err != nil {
		t.Fatal(err)
	}
	for counted, want := range map[time.Time]string{
		at:                      "shop/waypoint: waits remove-drain: connections through it were last counted before every ztunnel had acknowledged that nothing is bound",
		at.Add(time.Nanosecond): "shop/waypoint: remove-gateway Delete Gateway shop/waypoint",
	} {
		compare(t, Next(later(worldOf(s, managed, onlyShop, func(e *Evidence) {
			e.Acknowledged = now
			e.Waypoints[RefOf(mesh.Gateway, "shop", "waypoint")] = Serving{Ready: true, Counted: true, Acknowledged: counted}
		}), now)), want)
	}
}

// TestCountedFirst: what nobody has counted yet, and somebody is at, is not taken for what nobody can count, however long ago its time
// was up.
func TestCountedFirst(t *testing.T) {
	s, managed, now := draining(t)
	for _, tc := range []struct {
		serving Serving
		want    string
	}{
		{Serving{Counting: true, Uncounted: "its pods are being read"}, "shop/waypoint: waits remove-drain: connections through it are counted first: its pods are being read"},
		{Serving{Uncounted: "its pods are not read"}, "shop/waypoint: remove-gateway Delete Gateway shop/waypoint"},
	} {
		compare(t, Next(later(worldOf(s, managed, onlyShop, func(e *Evidence) {
			e.Acknowledged = now
			e.Waypoints[RefOf(mesh.Gateway, "shop", "waypoint")] = tc.serving
		}), now)), tc.want)
	}
}

// TestUncountedGoesFirst: where only the time of a waypoint is over, what is open through it ends with its Gateway, and what is said of
// clients there goes after that, when every proxy knows.
func TestUncountedGoesFirst(t *testing.T) {
	const clients = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: who, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {namespaces: [front]}}]}]}}`
	s, managed := done(t, clients, podsOf("cart"))
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7"))
	var rows []string
	now := noon
	for range 40 {
		uncounted := func(e *Evidence) {
			e.Acknowledged = now
			for gw := range e.Waypoints {
				e.Waypoints[gw] = Serving{Ready: true, Uncounted: "its pods do not say"}
			}
		}
		steps := Next(later(worldOf(s, managed, onlyShop, uncounted), now)).Steps()
		now = now.Add(30 * time.Minute)
		if len(steps) > 0 {
			rows = append(rows, string(steps[0].Row))
			s, managed = taken(s, managed, steps[0])
		}
	}
	want := []string{"remove-retain", "remove-binding", "remove-drain", "remove-gateway", "remove-drain", "remove-twin", "remove-parameters", "remove-binding"}
	if diff := cmp.Diff(want, rows); diff != "" || len(managed) > 0 {
		t.Errorf("(-want +got):\n%s\nleft: %v", diff, managed)
	}
}

func later(w World, now time.Time) World {
	w.Now = now
	return w
}

// toTheEnd takes all steps, and says their rows and what is ours then.
func toTheEnd(t *testing.T, s *mesh.Snapshot, managed Managed, settings Settings) (rows []string, left Managed) {
	t.Helper()
	rows, left, _ = onwards(t, s, managed, settings)
	return rows, left
}

// onwards takes all steps, and says their rows, what is ours then, and the mesh.
func onwards(t *testing.T, s *mesh.Snapshot, managed Managed, settings Settings) (rows []string, left Managed, then *mesh.Snapshot) {
	t.Helper()
	now := noon
	for range 40 {
		p := Next(later(worldOf(s, managed, settings, func(e *Evidence) { e.Acknowledged = now }), now))
		if len(p.Steps()) == 0 {
			if p.Done() {
				break
			}
			now = now.Add(30 * time.Minute)
			continue
		}
		step := p.Steps()[0]
		rows = append(rows, string(step.Row))
		if step.Action == Delete && step.Preconditions.UID != find(s, step.Object).UID {
			t.Errorf("%s is deleted whatever it is", step.Object)
		}
		s, managed = taken(s, managed, step)
		now = now.Add(time.Second)
	}
	return rows, managed, s
}

// taken is the mesh after a step.
func taken(s *mesh.Snapshot, managed Managed, step Step) (*mesh.Snapshot, Managed) {
	managed = maps.Clone(managed)
	stored := find(s, step.Object)
	switch step.Action {
	case Apply:
		o := decode(step.Manifest)
		for _, key := range []string{MigrateAnnotation, StepsAnnotation, GoAnnotation} {
			if stored != nil && stored.Annotations[key] != "" {
				o = annotated(o, key, stored.Annotations[key])
			}
		}
		managed[step.Object] = slices.Sorted(maps.Keys(o.Labels))
		return s.With(o), managed
	case Delete:
		delete(managed, step.Object)
		return s.Without(stored), managed
	}
	labels, _ := step.Manifest["metadata"].(map[string]any)["labels"].(map[string]any)
	o := labelled(stored, stringMap(labels), managed[step.Object]...)
	annotations, _ := step.Manifest["metadata"].(map[string]any)["annotations"].(map[string]any)
	o.Annotations = stringMap(annotations)
	if delete(managed, step.Object); len(labels)+len(annotations) > 0 {
		managed[step.Object] = slices.Sorted(maps.Keys(labels))
	}
	return s.With(o), managed
}

// TestForeignLabelKeeps: a waypoint that somebody else's label asks for is in use.
func TestForeignLabelKeeps(t *testing.T) {
	s, managed := done(t, `{apiVersion: v1, kind: Service, metadata: {name: theirs, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}, spec: {clusterIP: 10.96.0.12, selector: {app: theirs}, ports: [{name: http, port: 80}]}}`)
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7"))
	got := says(Next(worldOf(s, managed, onlyShop, nil)))
	if len(got) != 1 || !strings.Contains(got[0], "Service shop/theirs asks for it by a label of somebody else's") {
		t.Errorf("got %q", got)
	}
}

// TestRolledOut: the ReplicaSet of a rollout that is over keeps no waypoint, whatever label its pods had; its Deployment does, and one that
// is nobody's.
func TestRolledOut(t *testing.T) {
	const (
		asks       = `spec: {selector: {matchLabels: {app: batch}}, template: {metadata: {labels: {app: batch, istio.io/use-waypoint: waypoint}}, spec: {containers: [{name: a, image: a}]}}}}`
		deployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: batch, namespace: shop}, `
		changed    = deployment + `spec: {selector: {matchLabels: {app: batch}}, template: {metadata: {labels: {app: batch}}, spec: {containers: [{name: a, image: a}]}}}}`
		old        = `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: batch-1, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: batch, uid: u1, controller: true}]}, ` + asks
	)
	for name, c := range map[string]struct {
		objects []string
		keeps   string
	}{
		"its Deployment asks no more": {[]string{changed, old}, ""},
		"its Deployment asks":         {[]string{deployment + asks, old}, "Deployment shop/batch"},
		"its Deployment is gone":      {[]string{old}, "ReplicaSet shop/batch-1"},
	} {
		s, managed := done(t, c.objects...)
		s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7"))
		p := Next(worldOf(s, managed, onlyShop, nil))
		got := ""
		if len(p) == 1 && len(p[0].Stopped) > 0 {
			got = p[0].Stopped[0].Object.String()
		}
		if got != c.keeps {
			t.Errorf("%s: kept by %q: %+v", name, got, p)
		}
	}
}

// TestUnseen: what nothing seems to need stays as long as something may be there that is not seen, near it or anywhere.
func TestUnseen(t *testing.T) {
	s, managed := done(t)
	for _, policy := range s.List(mesh.AuthorizationPolicy, "shop") {
		s = s.Without(policy)
	}
	for ns, stays := range map[string]bool{"": true, "shop": true, "istio-system": true, "elsewhere": false} {
		p := Next(worldOf(s, managed, onlyShop, func(e *Evidence) { e.Unseen = map[string]string{ns: "HTTPRoute a is not well formed"} }))
		if stays {
			compare(t, p, "shop/waypoint: waits remove-retain: nothing is taken away while something may be there that is not seen: HTTPRoute a is not well formed")
		} else {
			compare(t, p, "shop/waypoint: remove-retain Apply Gateway shop/waypoint")
		}
	}
}

// TestUnseenGuard: a guard that nothing seems to ask for stays over what is bound while its reason may be there.
func TestUnseenGuard(t *testing.T) {
	pods := `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
	guarded := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Bypass: Guard}}}
	s, managed := two(pods).Snapshot, Managed{}
	for range 10 {
		for _, step := range Next(worldOf(s, managed, guarded, nil)).Steps() {
			s, managed = taken(s, managed, step)
		}
	}
	guard := guardOf(RefOf(mesh.Service, "shop", "cart"))
	if find(s, guard) == nil {
		t.Fatal("no guard was set")
	}
	open := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}}}
	removes := func(change func(*Evidence)) bool {
		return slices.ContainsFunc(Next(worldOf(s, managed, open, change)).Steps(), func(step Step) bool { return step.Object == guard })
	}
	if removes(func(e *Evidence) { e.Unseen = map[string]string{"shop": "a"} }) || !removes(nil) {
		t.Error("a guard goes although its reason may not be seen, or stays although all is")
	}
}
