package plan

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// unexplainable is a plan with a label on each of some Namespaces, and in each a change that nobody can explain.
func unexplainable(namespaces ...string) *maker {
	empty := mesh.New(mesh.Options{})
	m := &maker{stored: empty, snapshot: empty}
	for _, ns := range namespaces {
		need := Need{Target: policies.Target{Kind: "Service", Namespace: ns, Name: "cart"}, Policy: RefOf(mesh.AuthorizationPolicy, ns, "l7")}
		m.plan.Waypoints = append(m.plan.Waypoints, Waypoint{Namespace: ns, Name: "waypoint", Needs: []Need{need}})
		m.plan.Labels = append(m.plan.Labels, Label{On: RefOf(mesh.Namespace, "", ns), Value: "waypoint", Binds: []mesh.Ref{RefOf(mesh.Service, ns, "cart")}, Needs: []Need{need}})
		m.plan.Changes = append(m.plan.Changes, unexplainedAt("Service", ns, "cart"))
	}
	return m
}

func unexplainedAt(kind, ns, name string) Change {
	return Change{Object: RefOf(mesh.AuthorizationPolicy, ns, "who"), Target: policies.Target{Kind: kind, Namespace: ns, Name: name},
		After: []State{{Verdict: policies.NotEnforced}}, Turn: Weaker}
}

// TestUnexplained: what nobody can explain is taken out at one go, one label for each change, and of no more than that.
func TestUnexplained(t *testing.T) {
	for name, tc := range map[string]struct {
		changes []Change
		want    []string // Namespaces that are still to be labelled
	}{
		"nothing":                         {nil, []string{"a", "b", "c"}},
		"by what is bound":                {[]Change{unexplainedAt("Service", "a", "cart"), unexplainedAt("Service", "c", "cart")}, []string{"b"}},
		"by the namespace":                {[]Change{unexplainedAt("Namespace", "", "b")}, []string{"a", "c"}},
		"two of one label":                {[]Change{unexplainedAt("Service", "a", "cart"), unexplainedAt("Namespace", "", "a")}, []string{"b", "c"}},
		"one that another may be gone by": {[]Change{unexplainedAt("Service", "b", "cart"), unexplainedAt(policies.ScopeMesh, "", "")}, []string{"a", "c"}},
		"of the mesh":                     {[]Change{unexplainedAt(policies.ScopeMesh, "", "")}, []string{"b", "c"}},
		"elsewhere":                       {[]Change{unexplainedAt("Service", "d", "cart")}, []string{"a", "b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := unexplainable("a", "b", "c")
			m.plan.Changes = tc.changes
			if changed := m.unexplained(m.stored); changed != (len(tc.want) < 3) {
				t.Errorf("the plan has changed: %v", changed)
			}
			var labels, waypoints []string
			for _, l := range m.plan.Labels {
				labels = append(labels, l.On.Name)
			}
			for _, w := range m.plan.Waypoints {
				waypoints = append(waypoints, w.Namespace)
			}
			if diff := cmp.Diff(tc.want, labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, waypoints); diff != "" {
				t.Errorf("waypoints (-want +got):\n%s", diff)
			}
			if blocked := len(m.plan.Blocked); blocked != 3-len(tc.want) {
				t.Errorf("%d needs are blocked", blocked)
			}
		})
	}
}

// TestOrigins: a change comes with the label that binds what it is about, with the waypoint where that is asked for already, and else
// with a label near it.
func TestOrigins(t *testing.T) {
	const (
		asks = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop, labels: {istio.io/use-waypoint: mine}}, spec: {clusterIP: 10.96.0.11, selector: {app: web}, ports: [{name: http, port: 80}]}}`
		pods = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: a}]}}}}`
		l7   = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: web, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
		at   = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: at, namespace: shop}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: mine}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
	)
	view := two(asks, pods, l7, at)
	p := Make(view, Settings{Default: Setting{Profile: Profile{Granularity: PerService}}}, nil)
	service := func(name string) policies.Target {
		return policies.Target{Kind: "Service", Namespace: "shop", Name: name}
	}
	got := map[string]string{}
	changes, _ := p.Origins(view.Snapshot)
	for i, c := range p.Changes {
		if c.Object.Namespace == "shop" {
			got[c.Object.Name+" at "+c.Target.String()] = changes[i].String()
		}
	}
	if diff := cmp.Diff(map[string]string{"l7 at Service shop/cart": "Service shop/cart", "web at Service shop/web": "Gateway shop/mine", "at at Gateway shop/mine": "Gateway shop/mine"}, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	after, by := p.Apply(view.Snapshot), sourcesOf(p.Labels)
	for _, tc := range []struct {
		at   policies.Target
		want string
	}{
		{service("cart"), "Service shop/cart"},
		{service("web"), "Gateway shop/mine"},
		{service("another"), "Service shop/cart"},
		{policies.Target{Kind: "Service", Namespace: "elsewhere", Name: "another"}, ""},
	} {
		if ref := p.origin(after, by, Change{Target: tc.at}); ref != (mesh.Ref{}) && ref.String() != tc.want || ref == (mesh.Ref{}) && tc.want != "" {
			t.Errorf("%s comes with %s, want %q", tc.at, ref, tc.want)
		}
	}
}

// BenchmarkUnexplained: changes that nobody can explain in each of so many namespaces, taken out of a plan.
func BenchmarkUnexplained(b *testing.B) {
	for _, n := range []int{500, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			names := make([]string, n)
			for i := range names {
				names[i] = fmt.Sprintf("team-%04d", i)
			}
			for b.Loop() {
				m := unexplainable(names...)
				if passes := taking(m); passes != 1 || len(m.plan.Labels)+len(m.plan.Waypoints) > 0 {
					b.Fatalf("%d passes, %d labels", passes, len(m.plan.Labels))
				}
			}
		})
	}
}

// taking is how often the mesh is looked at anew until nothing is taken out any more, with changes that go with the labels.
func taking(m *maker) int {
	passes := 0
	for m.unexplained(m.stored) {
		passes++
		if len(m.plan.Labels) == 0 {
			m.plan.Changes = nil
		}
	}
	return passes
}
