package plan

import (
	"slices"
	"strings"
	"testing"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestLastAllowIsToldAtOnce: when the ALLOW is gone beside which an admission of ours stood, nobody else gets in to the pods. That is said
// before anything else is done, as before a label by which nobody would come to the pods directly any more.
func TestLastAllowIsToldAtOnce(t *testing.T) {
	s, managed := two(podsOf("cart"), letsInDev).Snapshot, Managed{}
	for range 20 {
		p := Next(worldOf(s, managed, onlyShop, nil))
		step := p.Steps()[0]
		if step.Row == MakeBinding {
			break
		}
		s, managed = taken(s, managed, step)
	}
	admission := RefOf(mesh.AuthorizationPolicy, "shop", "waywarden-admit-waypoint.cart")
	if find(s, admission) == nil {
		t.Fatal("there is no admission before the label")
	}
	told := func() bool {
		return slices.ContainsFunc(says(Next(worldOf(s, managed, onlyShop, nil))), func(text string) bool {
			return strings.HasPrefix(text, "shop/waypoint: stopped remove-admission: "+admission.String()+" stays: it is the last ALLOW")
		})
	}
	if told() {
		t.Error("it is told of, and is not the last")
	}
	for s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "allow")); ; {
		if !told() {
			t.Errorf("%q", says(Next(worldOf(s, managed, onlyShop, nil))))
		}
		steps := Next(worldOf(s, managed, onlyShop, nil)).Steps()
		if len(steps) == 0 {
			return
		}
		s, managed = taken(s, managed, steps[0])
	}
}

// TestAllowsGoFirst: of two twins that nothing asks for any more the ALLOW goes before the DENY, which keeps out whom it lets in.
func TestAllowsGoFirst(t *testing.T) {
	const (
		some  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: z, namespace: shop}, spec: {action: ALLOW, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {namespaces: [dev]}}]}]}}`
		other = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: a, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {principals: [cluster.local/ns/dev/sa/dev]}}]}]}}`
	)
	s, managed := done(t, podsOf("cart"), some, other)
	for _, name := range []string{"a", "z"} {
		s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", name))
	}
	var got []string
	for range 10 {
		steps := Next(worldOf(s, managed, onlyShop, nil)).Steps()
		if len(steps) == 0 {
			break
		}
		if steps[0].Row == RemoveTwin {
			got = append(got, steps[0].Object.Name)
		}
		s, managed = taken(s, managed, steps[0])
	}
	if want := []string{"waywarden-twin-z.cart", "waywarden-twin-a.cart"}; !slices.Equal(got, want) {
		t.Errorf("removed %q, want %q", got, want)
	}
}

// TestAskedForByOthersAlone: what is said of clients of a Service that somebody else has bound to a waypoint of ours stays said there also
// where the last need of that waypoint is there still, and cannot be met.
func TestAskedForByOthersAlone(t *testing.T) {
	s, managed := done(t, labelledSvc, podsOf("theirs"), keepsOutDev)
	ns := s.Get(mesh.Namespace, "", "shop")
	s = s.With(labelled(ns, nil, label.IoIstioUseWaypoint.Name)).With(parse(podsOf("cart"))).With(parse(keepsAllBut))
	delete(managed, refOf(ns))
	w := worldOf(s, managed, onlyShop, nil)
	if len(w.Plan.Blocked) == 0 {
		t.Fatalf("nothing is blocked: %+v", w.Plan.Labels)
	}
	if rows, left := toTheEnd(t, s, managed, onlyShop); left[RefOf(mesh.AuthorizationPolicy, "shop", twinOfDenied)] == nil {
		t.Errorf("the twin goes: %q", rows)
	}
}

// TestMovesAllThatItBinds: a Namespace does not move while the guard of a Service that it binds cannot let the new waypoint in, though the
// Service is to have a label of its own afterwards.
func TestMovesAllThatItBinds(t *testing.T) {
	const (
		deny = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: deny, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {principals: [cluster.local/ns/dev/sa/dev]}}]}]}}`
		web  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7-web, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
	)
	guarded := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Bypass: Guard}}}
	onward := func(s *mesh.Snapshot, managed Managed, change func(*Evidence)) (*mesh.Snapshot, Managed) {
		for range 30 {
			steps := Next(worldOf(s, managed, guarded, change)).Steps()
			if len(steps) == 0 {
				break
			}
			s, managed = taken(s, managed, steps[0])
		}
		return s, managed
	}
	s, managed := onward(two(podsOf("cart"), podsOf("web")).Snapshot, Managed{}, nil)
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7")).With(parse(deny)).With(parse(web))
	s = s.With(annotated(s.Get(mesh.Gateway, "shop", "waypoint"), MigrateAnnotation, "waypoint-b"))
	on := func(s *mesh.Snapshot) string { return s.NamespaceLabels("shop")[label.IoIstioUseWaypoint.Name] }
	guard := guardOf(RefOf(mesh.Service, "shop", "web"))
	refused, _ := onward(s, managed, func(e *Evidence) { e.Refused = map[mesh.Ref]string{guard: "a webhook lets no guards pass"} })
	if got := on(refused); got != "waypoint" {
		t.Errorf("the Namespace asks for %q, and a guard does not let that in", got)
	}
	if s, _ = onward(s, managed, nil); on(s) != "waypoint-b" {
		t.Errorf("the Namespace asks for %q, and every guard lets the new one in", on(s))
	}
}

// TestStaleTwinOfStoppedMove: a twin that nothing asks for any more goes also where its Service is to move to a waypoint that cannot be made:
// where the Service is meanwhile it would stop calls of which nothing is said.
func TestStaleTwinOfStoppedMove(t *testing.T) {
	s, managed := done(t, podsOf("cart"), letsInDev)
	s = s.With(annotated(s.Get(mesh.Gateway, "shop", "waypoint"), MigrateAnnotation, "waypoint-b"))
	refused := func(e *Evidence) {
		e.Refused = map[mesh.Ref]string{RefOf(mesh.Gateway, "shop", "waypoint-b"): "quota"}
	}
	onward := func() {
		for range 20 {
			steps := Next(worldOf(s, managed, onlyShop, refused)).Steps()
			if len(steps) == 0 {
				return
			}
			s, managed = taken(s, managed, steps[0])
		}
	}
	onward()
	if twin := s.Get(mesh.AuthorizationPolicy, "shop", twinOfAllow); twin == nil || twin.Annotations[WaypointAnnotation] != "shop/waypoint-b" {
		t.Fatalf("the twin is not written with the waypoint to which its Service is to move: %v", twin)
	}
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "allow"))
	onward()
	if s.Get(mesh.AuthorizationPolicy, "shop", twinOfAllow) != nil {
		t.Errorf("the twin stays: %q", says(Next(worldOf(s, managed, onlyShop, refused))))
	}
}

// TestStaleTwinGoesBeforeTheLabel: a twin that nothing asks for any more goes before what it is for is bound again, a ServiceEntry too.
func TestStaleTwinGoesBeforeTheLabel(t *testing.T) {
	for name, tc := range map[string]struct{ target, group string }{
		"Service":      {`{apiVersion: v1, kind: Service, metadata: {name: billing, namespace: shop}, spec: {clusterIP: 10.96.0.19, selector: {app: billing}, ports: [{name: http, port: 80}]}}`, `""`},
		"ServiceEntry": {`{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: billing, namespace: shop}, spec: {hosts: [billing.example.com], addresses: [10.9.9.9], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, location: MESH_INTERNAL, workloadSelector: {labels: {app: billing}}}}`, "networking.istio.io"},
	} {
		t.Run(name, func(t *testing.T) {
			l7 := `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7b, namespace: shop}, spec: {action: DENY, targetRefs: [{group: ` + tc.group + `, kind: ` + name + `, name: billing}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
			const allow = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: open, namespace: shop}, spec: {selector: {matchLabels: {app: billing}}, rules: [{from: [{source: {principals: [cluster.local/ns/dev/sa/dev, cluster.local/ns/shop/sa/waypoint]}}]}]}}`
			s, managed, _ := rested(two(tc.target, l7, allow, enrolledPod).Snapshot, Managed{}, onlyShop, "")
			ns := s.Get(mesh.Namespace, "", "shop")
			s = s.With(labelled(ns, nil, label.IoIstioUseWaypoint.Name)) // somebody took it off, and the policy is deleted
			delete(managed, refOf(ns))
			s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "open"))
			_, _, rows := rested(s, managed, onlyShop, "")
			twin, bound := slices.Index(rows, string(RemoveTwin)), slices.Index(rows, string(MakeBinding))
			if twin < 0 || bound < 0 || twin > bound {
				t.Errorf("the steps are %q", rows)
			}
		})
	}
}

const enrolledPod = `{apiVersion: v1, kind: Pod, metadata: {name: billing-1, namespace: shop, labels: {app: billing}, annotations: {ambient.istio.io/redirection: enabled}}, spec: {serviceAccountName: billing, containers: [{name: a}]}, status: {phase: Running, podIP: 10.2.0.9}}`
