package plan

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// asksOf is a Guardrail over all namespaces.
func asksOf(name string, asks v1alpha1.GuardrailWaypoints) *v1alpha1.Guardrail {
	g := &v1alpha1.Guardrail{ObjectMeta: metav1.ObjectMeta{Name: name}}
	g.Spec.Checks = []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"*"}, Action: "Warn"}}
	g.Spec.Waypoints = &asks
	return g
}

// TestRulesWithoutProfile: of a Guardrail whose profile is not there the mode, the guards and the exceptions count; of several that are
// equally strict still the first by its name says by which profile.
func TestRulesWithoutProfile(t *testing.T) {
	base := v1alpha1.GuardrailWaypoints{Mode: "Provision", Profile: "default"}
	except := []v1alpha1.BypassException{{Principals: []v1alpha1.Principal{"cluster.local/ns/mon/sa/prom"}, Reason: "metrics"}}
	for name, tc := range map[string]struct {
		asks v1alpha1.GuardrailWaypoints
		as   string // name of the Guardrail
		want Setting
	}{
		"a guard":     {v1alpha1.GuardrailWaypoints{Mode: "Provision", Profile: "strict", Bypass: "Guard", BypassExceptions: except}, "b", Setting{Mode: Provision, Bypass: Guard, Profile: Profile{Name: "default"}}},
		"a hold":      {v1alpha1.GuardrailWaypoints{Mode: "Provision", Profile: "strict", Pending: "Guard"}, "b", Setting{Mode: Provision, Pending: Guard, Profile: Profile{Name: "default"}}},
		"Require":     {v1alpha1.GuardrailWaypoints{Mode: "Require", Profile: "strict"}, "b", Setting{Mode: Require, Profile: Profile{Name: "strict", Missing: true}}},
		"by its name": {v1alpha1.GuardrailWaypoints{Mode: "Provision", Profile: "strict"}, "0", Setting{Mode: Provision, Profile: Profile{Name: "strict", Missing: true}}},
	} {
		settings, missing := Rules([]*v1alpha1.Guardrail{asksOf("a", base), asksOf(tc.as, tc.asks)}, nil, two().Snapshot)
		got := settings.Namespaces["shop"]
		if missing[tc.as] != "strict" || got.Mode != tc.want.Mode || got.Bypass != tc.want.Bypass || got.Pending != tc.want.Pending || got.Profile.Name != tc.want.Profile.Name || got.Profile.Missing != tc.want.Profile.Missing {
			t.Errorf("%s: missing %v, and %+v", name, missing, got)
		}
		if excepted := len(got.Exceptions) == 1; excepted != (len(tc.asks.BypassExceptions) > 0) {
			t.Errorf("%s: exceptions %v", name, got.Exceptions)
		}
	}
}

// TestWithoutProfile: waypoints whose profile is deleted stay as they are, with what is bound to them, the label for ingress gateways and
// the guards, and what stands beside them is looked after; none is made.
func TestWithoutProfile(t *testing.T) {
	const (
		class = `{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: large}, spec: {controllerName: istio.io/mesh-controller}}`
		deny  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: evil, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {namespaces: [evil]}}]}]}}`
		why   = "WaypointProfile strict is not there, or not well formed. Make it, or have Guardrails name another one."
	)
	profile := &v1alpha1.WaypointProfile{ObjectMeta: metav1.ObjectMeta{Name: "strict"}, Spec: v1alpha1.WaypointProfileSpec{
		Granularity: v1alpha1.Shared, SharedNamespace: "edge", GatewayClassName: "large", Ingress: true, Labels: map[string]string{"team": "mesh"}}}
	guardrails := []*v1alpha1.Guardrail{asksOf("b", v1alpha1.GuardrailWaypoints{Mode: "Provision", Profile: "strict", Bypass: "Guard"})}
	s := two(class, cartPods, frontGateway, frontRoute).Snapshot
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "l7"))
	with, _ := Rules(guardrails, []*v1alpha1.WaypointProfile{profile}, s)
	without, _ := Rules(guardrails, nil, s)
	unmade := says(Next(worldOf(s, Managed{}, without, nil)))
	compare(t, Next(worldOf(s, Managed{}, without, nil)))
	if p := Make(policies.NewView(s), without, nil); len(p.Waypoints)+len(p.Labels) > 0 || len(p.Blocked) == 0 || p.Blocked[0].Why != why {
		t.Errorf("planned without a profile: %v, %v, blocked %v", p.Waypoints, unmade, p.Blocked)
	}
	made, managed, rows := rested(s, Managed{}, with, "")
	if !managed.Made(find(made, cartGuard)) || !slices.Contains(rows, string(MakeIngress)) || made.Get(mesh.Gateway, "edge", "waypoint-strict") == nil {
		t.Fatalf("made: %v", rows)
	}
	if p := Make(policies.NewView(made), without, managed); len(p.Blocked) > 0 {
		t.Errorf("blocked, and in force: %v", p.Blocked)
	}
	for name, tc := range map[string]struct {
		change func(*mesh.Snapshot) *mesh.Snapshot
		want   []string
	}{
		"nothing else": {change: func(s *mesh.Snapshot) *mesh.Snapshot { return s }},
		"a policy on clients": {change: func(s *mesh.Snapshot) *mesh.Snapshot {
			return s.Without(s.Get(mesh.HTTPRoute, "shop", "in")).With(parse(deny))
		},
			want: []string{"edge/waypoint-strict: make-twin Apply AuthorizationPolicy shop/waywarden-twin-evil.cart"}},
		"another namespace": {change: func(s *mesh.Snapshot) *mesh.Snapshot {
			return s.With(two().Get(mesh.AuthorizationPolicy, "pay", "l7"))
		}},
		"a label for one that is not there": {change: func(s *mesh.Snapshot) *mesh.Snapshot {
			return s.With(parse(`{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop, labels: {istio.io/use-waypoint: own}}, spec: {clusterIP: 10.96.0.11, selector: {app: web}, ports: [{name: http, port: 80}]}}`)).
				With(parse(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7-web, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`))
		}, want: []string{"edge/waypoint-strict: remove-guard Delete AuthorizationPolicy shop/waywarden-guard-web"}},
		"its Gateway is deleted": {change: func(s *mesh.Snapshot) *mesh.Snapshot {
			return s.Without(s.Get(mesh.Gateway, "edge", "waypoint-strict"))
		}, want: []string{"edge/waypoint-strict: remove-guard Delete AuthorizationPolicy shop/waywarden-guard-cart"}},
		"its Namespace is kept": {change: func(s *mesh.Snapshot) *mesh.Snapshot {
			return s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7")).With(annotated(s.Get(mesh.Namespace, "", "shop"), KeepAnnotation, "soon"))
		}},
		"nothing needs it": {change: func(s *mesh.Snapshot) *mesh.Snapshot { return s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7")) },
			want: []string{"edge/waypoint-strict: remove-retain Apply Gateway edge/waypoint-strict"}},
		"it is needed again": {change: func(s *mesh.Snapshot) *mesh.Snapshot {
			need := s.Get(mesh.AuthorizationPolicy, "shop", "l7")
			retain := Next(worldOf(s.Without(need), managed, without, nil)).Steps()[0]
			s, _ = taken(s, managed, retain)
			return s
		}, want: []string{"edge/waypoint-strict: keep Apply Gateway edge/waypoint-strict"}},
	} {
		t.Run(name, func(t *testing.T) {
			changed := tc.change(made)
			compare(t, Next(worldOf(changed, managed, without, nil)), tc.want...)
			then, left, rows := rested(changed, managed, without, "")
			for o := range then.All(mesh.Gateway) {
				if left.Made(o) && changed.Get(mesh.Gateway, o.Namespace, o.Name) == nil {
					t.Errorf("%s is made, after %v", o, rows)
				}
			}
			if gw := then.Get(mesh.Gateway, "edge", "waypoint-strict"); gw != nil && (classOf(gw) != "large" || gw.Spec.(*mesh.GatewayBody).Spec.Infrastructure.ParametersRef == nil) {
				t.Errorf("%s is not as it was made: %v", gw, gw.Content())
			}
		})
	}
}
