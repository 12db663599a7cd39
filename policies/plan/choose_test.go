package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// asking is a Service cart of a namespace that asks for a waypoint by a label.
func asking(ns, name, in string) string {
	return `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: ` + ns + `, labels: {istio.io/use-waypoint: ` + name + `, istio.io/use-waypoint-namespace: ` + in + `}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
}

// TestLabelOpensNothing: a waypoint is neither opened nor made for another namespace that asks for it by a label. A profile that shares
// it lets it in, and whoever makes the Gateway himself.
func TestLabelOpensNothing(t *testing.T) {
	shared := Profile{Name: "default", Granularity: Shared, SharedNamespace: "edge"}
	const theirs = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: b, namespace: edge}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: FROM}}}]}, status: {}}`
	blocked := func(at, in string) string {
		return "blocked: Service pay/cart asks by a label for waypoint " + at + " of another namespace, and a label opens none: whoever can write it would let himself in. Correct the label, or have the profile of namespace pay share a waypoint in namespace " + in + ", or make one there that lets it attach."
	}
	shop := []string{"waypoint shop/waypoint istio-waypoint", "Namespace shop: waypoint"}
	for name, tc := range map[string]struct {
		pay  Setting
		more []string
		want []string
	}{
		"of another namespace": {Setting{Mode: Observe}, []string{asking("pay", "waypoint", "shop")}, append(slices.Clone(shop), blocked("shop/waypoint", "shop"))},
		"though both are provided for": {Setting{Mode: Provision}, []string{asking("pay", "waypoint", "shop")},
			append(slices.Clone(shop), blocked("shop/waypoint", "shop"))},
		"where there is none":      {Setting{Mode: Observe}, []string{asking("pay", "mine", "edge")}, append(slices.Clone(shop), blocked("edge/mine", "edge"))},
		"which the profile shares": {Setting{Mode: Provision, Profile: shared}, []string{asking("pay", "waypoint", "edge")}, append([]string{"waypoint edge/waypoint istio-waypoint for [edge pay]"}, shop...)},
		"which the profile shares, by another name": {Setting{Mode: Provision, Profile: shared}, []string{asking("pay", "mine", "edge")}, append(slices.Clone(shop),
			"blocked: Service pay/cart asks by a label for waypoint edge/mine, and the one that WaypointProfile default shares is edge/waypoint. Correct the label.")},
		"whose owner lets it in": {Setting{Mode: Observe}, []string{asking("pay", "b", "edge"), strings.Replace(theirs, "FROM", "All", 1)},
			append([]string{"existing edge/b"}, shop...)},
		"whose owner does not": {Setting{Mode: Observe}, []string{asking("pay", "b", "edge"), strings.Replace(theirs, "FROM", "Same", 1)}, shop},
	} {
		t.Run(name, func(t *testing.T) {
			settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}, "pay": tc.pay}}
			var objects []*mesh.Object
			for _, text := range tc.more {
				objects = append(objects, parse(text))
			}
			s := two().Snapshot.Edited(objects, nil)
			if diff := cmp.Diff(tc.want, outline(Make(policies.NewView(s), settings, nil))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLabelOpensNothingMade: nor is a waypoint of ours that is there. Who was let in by a profile stays so while it is bound.
func TestLabelOpensNothingMade(t *testing.T) {
	s, managed := done(t)
	s = s.With(parse(asking("pay", "waypoint", "shop")))
	compare(t, Next(worldOf(s, managed, onlyShop, nil)))

	shared, managed, settings := sharing(t)
	shared = shared.With(parse(asking("pay", "waypoint", "edge")))
	settings.Namespaces["pay"] = Setting{Mode: Observe}
	if got := letIn(decode(Make(policies.NewView(shared), settings, managed).Waypoints[0].Manifest)); !slices.Equal(got, []string{"edge", "pay", "shop"}) {
		t.Errorf("of those who are bound these are let in: %v", got)
	}
}

// TestLabelBesideOursOpensNothing: beside a label of ours somebody says that the waypoint is another namespace's.
func TestLabelBesideOursOpensNothing(t *testing.T) {
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}, "pay": {Mode: Provision}}}
	s, managed := carriedOut(two().Snapshot, Make(two(), settings, nil))
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "l7"))
	s = s.With(labelled(s.Get(mesh.Namespace, "", "pay"), map[string]string{label.IoIstioUseWaypointNamespace.Name: "shop"}))
	for _, w := range Make(policies.NewView(s), settings, managed).Waypoints {
		if got := letIn(decode(w.Manifest)); len(got) > 0 {
			t.Errorf("%s lets in %v", w.Ref(), got)
		}
	}
}

// TestForeignNamespaceLabel: a label of somebody else's that names another namespace's waypoint, and no waypoint, counts as soon as ours
// stands beside it. So ours says the namespace too, and where the API server refuses that the order stops with what to commit.
func TestForeignNamespaceLabel(t *testing.T) {
	const (
		edge = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME, namespace: edge}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}]}, status: {addresses: [{type: IPAddress, value: 10.9.9.9}]}}`
		web  = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: a}]}}}}`
		who  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: who, namespace: shop}, spec: {selector: {matchLabels: {app: web}}, rules: [{from: [{source: {namespaces: [front]}}]}]}}`
	)
	for name, tc := range map[string]struct {
		on, at      string
		granularity Granularity
		more        []string // what makes the Services be labelled and not the Namespace
	}{
		"on the Namespace":              {on: "Namespace shop", at: "waypoint"},
		"on the Service":                {on: "Service shop/cart", at: "cart-waypoint", granularity: PerService},
		"on a Service of the Namespace": {on: "Service shop/cart", at: "waypoint", more: []string{web, who}},
	} {
		t.Run(name, func(t *testing.T) {
			s := two(append(tc.more, strings.Replace(edge, "NAME", tc.at, 1))...).Snapshot
			on := s.Get(mesh.Namespace, "", "shop")
			if strings.HasPrefix(tc.on, "Service") {
				on = s.Get(mesh.Service, "shop", "cart")
			}
			s = s.With(labelled(on, map[string]string{label.IoIstioUseWaypointNamespace.Name: "edge"}))
			settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Profile: Profile{Granularity: tc.granularity}}}}
			p := Make(policies.NewView(s), settings, nil)
			i := slices.IndexFunc(p.Labels, func(l Label) bool { return home(l.On) == "shop" })
			if i < 0 || p.Labels[i].On != on.Ref() || p.Labels[i].WaypointNamespace != "shop" || !slices.Contains(p.Labels[i].Binds, s.Get(mesh.Service, "shop", "cart").Ref()) {
				t.Fatalf("got %+v, blocked %+v", p.Labels, p.Blocked)
			}
			refused := func(e *Evidence) { e.Refused = map[mesh.Ref]string{refOf(on): "kubectl owns it"} }
			for _, step := range Next(worldOf(s, nil, settings, refused)).Steps() {
				s, _ = taken(s, Managed{}, step)
			}
			managed := Managed{RefOf(mesh.Gateway, "shop", tc.at): {ManagedByLabel}}
			stopped := Next(worldOf(s, managed, settings, refused))
			compare(t, stopped, "shop/"+tc.at+": stopped make-binding: the API server refused it: kubectl owns it")
			want := map[string]any{label.IoIstioUseWaypoint.Name: tc.at, label.IoIstioUseWaypointNamespace.Name: "shop"}
			if diff := cmp.Diff(want, stopped[0].Stopped[0].Manifest["metadata"].(map[string]any)["labels"]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			s, _, rested := rest(t, s, managed, settings, func(*mesh.Snapshot, *Evidence) {}, func(*mesh.Snapshot, Step) {})
			if b := s.Binding(s.Get(mesh.Service, "shop", "cart")); !b.Bound || b.Gateway.Key() != "shop/"+tc.at || !rested.Done() {
				t.Errorf("bound %v to %s/%s: %q", b.Bound, b.Namespace, b.Name, says(rested))
			}
		})
	}
}

// TestLabelBesideOurs: somebody names another namespace's waypoint beside a label of ours that binds. It is said, whatever else is
// planned, and nothing is made or opened there.
func TestLabelBesideOurs(t *testing.T) {
	s, managed := done(t)
	ns := labelled(s.Get(mesh.Namespace, "", "shop"), map[string]string{label.IoIstioUseWaypointNamespace.Name: "edge"})
	s = s.With(ns)
	refused := func(e *Evidence) { e.Refused = map[mesh.Ref]string{refOf(ns): "kubectl owns it"} }
	got := says(Next(worldOf(s, managed, onlyShop, refused)))
	if !slices.Contains(got, "shop/waypoint: stopped make-binding: the API server refused it: kubectl owns it") {
		t.Errorf("got %q", got)
	}
	setting := onlyShop.Namespaces["shop"]
	setting.Profile.GatewayClassName = "istio-agentgateway-waypoint"
	unmade := Settings{Namespaces: map[string]Setting{"shop": setting}}
	barred := s.Edited([]*mesh.Object{
		parse(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`),
		parse(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: except, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {notPrincipals: [cluster.local/ns/a/sa/a]}}]}]}}`)}, nil)
	for name, tc := range map[string]struct {
		snapshot *mesh.Snapshot
		settings Settings
	}{"planned": {s, onlyShop}, "none is made": {s, unmade}, "it must not be bound": {barred, onlyShop}} {
		for _, w := range Make(policies.NewView(tc.snapshot), tc.settings, managed).Waypoints {
			if w.Namespace == "edge" && (!w.Idle || len(letIn(decode(w.Manifest))) > 0) {
				t.Errorf("%s: %s is planned, and lets in %v", name, w.Ref(), letIn(decode(w.Manifest)))
			}
		}
	}
}

// TestUnmetNeed: a label is not planned for what it would not bind.
func TestUnmetNeed(t *testing.T) {
	const (
		entry  = `{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: api, namespace: shop}, spec: {hosts: [api.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}}`
		deny   = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: api, namespace: shop}, spec: {action: DENY, targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: api}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
		local  = `{apiVersion: v1, kind: ConfigMap, metadata: {name: istio, namespace: istio-system}, data: {mesh: "serviceEntryVisibility: {defaultVisibility: NAMESPACE}"}}`
		latest = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: istiod, namespace: istio-system, labels: {app: istiod}}, spec: {selector: {matchLabels: {app: istiod}}, template: {metadata: {labels: {app: istiod}}, spec: {containers: [{name: discovery, image: "docker.io/istio/pilot:1.32.0"}]}}}}`
	)
	shared := Setting{Mode: Provision, Profile: Profile{Granularity: Shared, SharedNamespace: "edge"}}
	want := []string{"waypoint edge/waypoint istio-waypoint for [edge shop]", "waypoint pay/waypoint istio-waypoint", "Namespace pay: waypoint", "Namespace shop: edge/waypoint",
		"blocked: ServiceEntry shop/api would not be bound to waypoint edge/waypoint by a label on Namespace shop: meshConfig.serviceEntryVisibility keeps it to its namespace, and so from waypoints of others. Have the profile make one in namespace shop."}
	settings := Settings{Namespaces: map[string]Setting{"shop": shared}}
	if diff := cmp.Diff(want, outline(Make(two(entry, deny, local, latest), settings, nil))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	alone := two(entry, deny, local, latest).Snapshot
	alone = alone.Without(alone.Get(mesh.AuthorizationPolicy, "shop", "l7"))
	if got := outline(Make(policies.NewView(alone), settings, nil)); len(got) != 3 || strings.Contains(got[0], "edge") {
		t.Errorf("of one need that cannot be met there is %q", got)
	}
}

// TestNames: a waypoint is named as istiod can name the Service that it makes of it, or it is said which name to correct.
func TestNames(t *testing.T) {
	stem := strings.Repeat("a", maxService)
	taken := mesh.New(mesh.Options{}, parse(`{apiVersion: v1, kind: Service, metadata: {name: `+stem+`, namespace: shop}}`))
	if got := freeName(taken, "shop", stem); len(got) != maxService || !strings.HasSuffix(got, "-2") {
		t.Errorf("the second one of the longest name is %q", got)
	}
	const (
		entry = `{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: NAME, namespace: shop}, spec: {hosts: [api.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}}`
		deny  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7, namespace: shop}, spec: {action: DENY, targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: NAME}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
		cart  = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: "NAME"}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
	)
	named := func(name string, texts ...string) (out []*mesh.Object) {
		for _, text := range texts {
			out = append(out, parse(strings.ReplaceAll(text, "NAME", name)))
		}
		return out
	}
	long, shortened := strings.Repeat("a.", 60)+"com", strings.Repeat("a-", 22)+"a-3ed3d356-waypoint"
	for name, tc := range map[string]struct {
		more []*mesh.Object
		want []string
	}{
		"dots":       {named("api.example.com", entry, deny), []string{"waypoint shop/api-example-com-0aeb3084-waypoint istio-waypoint", "ServiceEntry shop/api.example.com: api-example-com-0aeb3084-waypoint"}},
		"a digit":    {named("3scale", entry, deny), []string{"waypoint shop/s-3scale-f4134478-waypoint istio-waypoint", "ServiceEntry shop/3scale: s-3scale-f4134478-waypoint"}},
		"a long one": {named(long, entry, deny), []string{"waypoint shop/" + shortened + " istio-waypoint", "ServiceEntry shop/" + long + ": " + shortened}},
		"none for a label": {named("My_WP", cart), []string{
			`blocked: Service shop/cart asks for waypoint "My_WP", which nobody can run: that is no name that istiod can give a Service. Correct the name.`}},
		"an empty label": {named("", cart), []string{
			`blocked: Service shop/cart asks for waypoint "", which nobody can run: that is no name that istiod can give a Service. Correct the name.`}},
		"one that is taken": {named("web", cart), []string{
			`blocked: Service shop/cart asks for waypoint "web", which nobody can run: a Deployment, Service or ServiceAccount of somebody else's has that name, which istiod would not take over. Correct the name.`}},
		"a good one": {named("mine", cart), []string{"waypoint shop/mine istio-waypoint"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := two().Snapshot
			s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "l7")).Edited(tc.more, nil)
			settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Profile: Profile{Granularity: PerService}}}}
			got := outline(Make(policies.NewView(s), settings, nil))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSharedByProfile: of two profiles that share a waypoint in one namespace each has its own, made by its own parameters, whoever comes
// and goes.
func TestSharedByProfile(t *testing.T) {
	profile := func(name string) Setting {
		return Setting{Mode: Provision, Profile: Profile{Name: name, Granularity: Shared, SharedNamespace: "edge", Parameters: map[string]string{"deployment": name}}}
	}
	observed := func(s Setting) Setting {
		s.Mode = Observe
		return s
	}
	own := Setting{Mode: Provision, Profile: Profile{Name: "own"}}
	for name, tc := range map[string]struct {
		shop, pay, edge Setting
		want            []string
	}{
		"two": {profile("small"), profile("big"), Setting{}, []string{
			"edge/waypoint-big [edge pay] by big Provision", "edge/waypoint-small [edge shop] by small Provision", "Namespace pay: edge/waypoint-big", "Namespace shop: edge/waypoint-small"}},
		"two of nearly one name": {profile("a.b"), profile("a-b"), Setting{}, []string{
			"edge/waypoint-a-b [edge pay] by a-b Provision", "edge/waypoint-a-b-108bf50c [edge shop] by a.b Provision", "Namespace pay: edge/waypoint-a-b", "Namespace shop: edge/waypoint-a-b-108bf50c"}},
		"the usual one and another": {profile("default"), profile("big"), Setting{}, []string{
			"edge/waypoint [edge shop] by default Provision", "edge/waypoint-big [edge pay] by big Provision", "Namespace pay: edge/waypoint-big", "Namespace shop: edge/waypoint"}},
		"the usual one beside one of the namespace's own": {profile("default"), profile("default"), own, []string{
			"edge/waypoint-default [edge pay shop] by default Provision", "Namespace pay: edge/waypoint-default", "Namespace shop: edge/waypoint-default"}},
		"one for those who have it made": {profile("small"), observed(profile("small")), Setting{}, []string{
			"edge/waypoint-small [edge pay shop] by small Provision", "Namespace pay: edge/waypoint-small", "Namespace shop: edge/waypoint-small"}},
		"nobody who needs it has it made": {observed(profile("small")), observed(profile("small")), profile("small"), []string{
			"edge/waypoint-small [edge pay shop] by small Observe", "Namespace pay: edge/waypoint-small", "Namespace shop: edge/waypoint-small"}},
		"where none is made": {profile("small"), observed(profile("small")), Setting{Mode: Require}, []string{
			"edge/waypoint-small [edge pay] by small Observe", "Namespace pay: edge/waypoint-small",
			"blocked: WaypointProfile small shares a waypoint in namespace edge, where none is made: a Guardrail with mode Require selects that. Make one there that lets namespace shop attach, or have no Guardrail require them there."}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Make(two(), Settings{Namespaces: map[string]Setting{"shop": tc.shop, "pay": tc.pay, "edge": tc.edge}}, nil)
			var got []string
			for _, w := range p.Waypoints {
				got = append(got, fmt.Sprintf("%s/%s %v by %s %s", w.Namespace, w.Name, letIn(decode(w.Manifest)), w.Parameters["data"].(map[string]any)["deployment"], w.mode))
			}
			for _, line := range outline(p) {
				if !strings.HasPrefix(line, "waypoint ") {
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// revised is an istiod with a revision.
const revised = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: istiod-canary, namespace: istio-system, labels: {app: istiod, istio.io/rev: canary}}, spec: {selector: {matchLabels: {app: istiod}}, template: {metadata: {labels: {app: istiod}}, spec: {containers: [{name: discovery, image: "docker.io/istio/pilot:1.31.0", env: [{name: REVISION, value: canary}]}]}}}}`

// ofRevision is a waypoint of namespace shop that a revision of Istio is to run.
func ofRevision(name, revision string) string {
	return `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: ` + name + `, namespace: shop, labels: {istio.io/rev: ` + revision + `}}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}}`
}

// TestExisting: of waypoints that are there only those are planned onto that serve Services, with Istio's own policies, and by this
// control plane.
func TestExisting(t *testing.T) {
	const (
		gateway = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: shop META}, spec: {gatewayClassName: CLASS, listeners: [LISTENERS]}}`
		hbone   = `{name: mesh, port: 15008, protocol: HBONE}`
		tag     = `{apiVersion: v1, kind: Service, metadata: {name: istiod-revision-tag-prod, namespace: istio-system, labels: {istio.io/tag: prod, istio.io/rev: canary}}, spec: {ports: [{port: 15012}]}}`
	)
	of := func(meta, class, listeners string) string {
		return strings.NewReplacer("META", meta, "CLASS", class, "LISTENERS", listeners).Replace(gateway)
	}
	made := []string{"waypoint shop/waypoint-2 istio-waypoint", "Namespace shop: waypoint-2"}
	used := []string{"existing shop/waypoint", "Namespace shop: waypoint"}
	for name, tc := range map[string]struct {
		more []string
		want []string
	}{
		"as istioctl makes it":         {[]string{of("", "istio-waypoint", hbone)}, used},
		"on another port":              {[]string{of("", "istio-waypoint", "{name: mesh, port: 15009, protocol: HBONE}")}, made},
		"by another protocol":          {[]string{of("", "istio-waypoint", "{name: mesh, port: 15008, protocol: TCP}")}, made},
		"with another listener beside": {[]string{of("", "istio-waypoint", hbone+", {name: http, port: 80, protocol: HTTP}")}, made},
		"without a listener":           {[]string{of("", "istio-waypoint", "")}, made},
		"for workloads":                {[]string{of(", labels: {istio.io/waypoint-for: workload}", "istio-waypoint", hbone)}, made},
		"for nothing":                  {[]string{of(", labels: {istio.io/waypoint-for: none}", "istio-waypoint", hbone)}, made},
		"sandwiched":                   {[]string{of(`, annotations: {ambient.istio.io/waypoint-inbound-binding: PROXY}`, "istio-waypoint", hbone)}, made},
		"agentgateway":                 {[]string{of("", "istio-agentgateway-waypoint", hbone)}, made},
		"an ingress gateway":           {[]string{of("", "istio", "{name: http, port: 80, protocol: HTTP}")}, made},
		"of another revision":          {[]string{revised, ofRevision("waypoint", "other")}, made},
		"of this revision":             {[]string{revised, ofRevision("waypoint", "canary")}, used},
		"of a tag of it":               {[]string{revised, tag, ofRevision("waypoint", "prod")}, used},
		"of a revision, unseen":        {[]string{ofRevision("waypoint", "other")}, used},
	} {
		t.Run(name, func(t *testing.T) {
			s := two(tc.more...).Snapshot
			s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "l7"))
			p := Make(policies.NewView(s), Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}}}, nil)
			if diff := cmp.Diff(tc.want, outline(p)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNamedUnserved: a Gateway that istiod never serves as a waypoint is no answer to whoever names it, and it is said what to correct.
func TestNamedUnserved(t *testing.T) {
	const (
		gateway = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: b, namespace: shop}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15009, protocol: HBONE}]}, status: {STATUS}}`
		cart    = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: b}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		named   = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7, namespace: shop}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: b}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
		said    = ` Gateway shop/b, which never serves: it has not the one listener with which istiod serves a waypoint. Give it one of protocol HBONE on port 15008, and no other.`
	)
	for name, tc := range map[string]struct {
		more []string
		want string
	}{
		"a Service":              {[]string{strings.Replace(gateway, "STATUS", "", 1), cart}, "blocked: Service shop/cart asks for" + said},
		"a policy":               {[]string{strings.Replace(gateway, "STATUS", "", 1), cart, named}, "blocked: AuthorizationPolicy shop/l7 names" + said},
		"a policy, with address": {[]string{strings.Replace(gateway, "STATUS", "addresses: [{type: Hostname, value: b}]", 1), named}, "blocked: AuthorizationPolicy shop/l7 names" + said},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []*mesh.Object
			for _, text := range tc.more {
				objects = append(objects, parse(text))
			}
			s := two().Snapshot
			s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "l7")).Edited(objects, nil)
			if diff := cmp.Diff([]string{tc.want}, outline(Make(policies.NewView(s), Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}}}, nil))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
