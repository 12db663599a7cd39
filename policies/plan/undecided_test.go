package plan

import (
	"strings"
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestUndecided: a need for which no waypoint is made is found once, with the policy, the field, the cause and what to do, where waypoints are
// made; elsewhere it is no business of ours.
func TestUndecided(t *testing.T) {
	const (
		named  = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: no.such}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		except = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: except, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {notNamespaces: [a]}}]}]}}`
		gone   = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: at, namespace: shop}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: cart}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
		asking = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop, labels: {istio.io/use-waypoint: cart}}, spec: {clusterIP: 10.96.0.11, selector: {app: web}, ports: [{name: http, port: 80}]}}`
		byName = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {template: {spec: {}}}}`
	)
	for name, tc := range map[string]struct {
		more []string
		mode Mode
		want []string // message and remedy of each, in part
	}{
		"none":                        {mode: Provision},
		"a name that is none":         {more: []string{named}, mode: Provision, want: []string{`no waypoint is made for Service shop/cart: Service shop/cart asks for waypoint "no.such", which nobody can run`}},
		"a name that is somebody's":   {more: []string{gone, asking, byName}, mode: Provision, want: []string{`no waypoint is made for Gateway shop/cart: AuthorizationPolicy shop/at names waypoint "cart", which nobody can run`}},
		"a policy that would shut it": {more: []string{except, podsOf("cart")}, mode: Provision, want: []string{"no waypoint is made for Service shop/cart: AuthorizationPolicy shop/except"}},
		"where they are only told of": {more: []string{named}, mode: Observe},
		"where somebody else's":       {more: []string{named}, mode: Require},
	} {
		t.Run(name, func(t *testing.T) {
			settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: tc.mode}}}
			p := Make(two(tc.more...), settings, nil)
			found := p.Findings(settings)
			if len(found) != len(tc.want) || len(p.Undecided(settings)) != len(tc.want) {
				t.Fatalf("found %+v", found)
			}
			for i, f := range found {
				if f.Check != BlockedCheck || !strings.HasPrefix(f.Message, tc.want[i]) || !strings.HasSuffix(f.Message, ".") || f.Remedy == "" || f.Field != "spec.targetRefs[0]" ||
					f.Object.Kind != mesh.AuthorizationPolicy.String() || len(f.Namespaces) != 1 || f.Namespaces[0] != "shop" || len(f.Related) != 1 || f.Verdict != policies.NotEnforced {
					t.Errorf("found %+v", f)
				}
			}
		})
	}
}

// TestUndecidedStays: what is blocked is so as long as nobody decides, whatever of the plan is carried out meanwhile.
func TestUndecidedStays(t *testing.T) {
	const named = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: no.such}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
	const web = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7web, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}}}
	s, managed := two(named, web).Snapshot, Managed{}
	for i := range 3 {
		w := worldOf(s, managed, settings, nil)
		if found := w.Plan.Findings(settings); len(found) != 1 || found[0].Object.Name != "l7" {
			t.Errorf("after %d steps: %+v", i, found)
		}
		for _, step := range Next(w).Steps() {
			s, managed = taken(s, managed, step)
		}
	}
	if s.Get(mesh.Gateway, "shop", "waypoint") == nil {
		t.Error("the need that is not blocked is not met")
	}
}

// TestUndecidedWhereBound: of what is bound it is not said that there is no waypoint, where one more policy cannot be said there.
func TestUndecidedWhereBound(t *testing.T) {
	s, managed := done(t, podsOf("cart"))
	s = s.With(parse(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: nots, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {notPrincipals: [cluster.local/ns/dev/sa/dev]}}]}]}}`))
	p := Make(policies.NewView(s), onlyShop, managed)
	found := p.Findings(onlyShop)
	if len(found) == 0 {
		t.Fatal("nothing is found")
	}
	for _, f := range found {
		if !strings.HasPrefix(f.Message, "Service shop/cart stays at its waypoint as it is bound, where not all is said that has to be: AuthorizationPolicy shop/nots ") {
			t.Errorf("%s: %q", f.Object, f.Message)
		}
	}
}
