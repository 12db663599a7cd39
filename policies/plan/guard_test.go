package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestGuardIsRefused: where a way to the pods is known that a guard would close there is none, and somebody is told; unless the
// way is an exception by name.
func TestGuardIsRefused(t *testing.T) {
	const (
		pods        = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
		scraped     = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}, annotations: {prometheus.io/scrape: "true"}}, spec: {containers: [{name: a, image: a}]}}}}`
		prometheus  = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: prometheus, namespace: MON}, spec: {selector: {matchLabels: {app: prometheus}}, template: {metadata: {labels: {app: prometheus}}, spec: {serviceAccountName: prom, containers: [{name: a, image: a}]}}}}`
		monitoring  = `{apiVersion: v1, kind: Namespace, metadata: {name: monitoring, labels: {istio.io/dataplane-mode: ambient}}}`
		unbound     = `{apiVersion: v1, kind: Service, metadata: {name: cart-all, namespace: shop, labels: {istio.io/use-waypoint: none}}, spec: {clusterIP: 10.96.0.20, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		other       = `{apiVersion: v1, kind: Service, metadata: {name: cart-b, namespace: shop}, spec: {clusterIP: 10.96.0.21, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		headless    = `{apiVersion: v1, kind: Service, metadata: {name: cart-pods, namespace: shop}, spec: {clusterIP: None, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		nodePort    = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {type: NodePort, clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		ingress     = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: front, namespace: edge}, spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]}}`
		route       = `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: in, namespace: shop}, spec: {parentRefs: [{name: front, namespace: edge}], rules: [{backendRefs: [{name: cart, port: 80}]}]}}`
		sidecars    = `{apiVersion: v1, kind: Namespace, metadata: {name: old, labels: {istio-injection: enabled}}}`
		caller      = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: client, namespace: old}, spec: {selector: {matchLabels: {app: client}}, template: {metadata: {labels: {app: client}}, spec: {serviceAccountName: client, containers: [{name: a, image: a}]}}}}`
		listsCart   = `{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: default, namespace: old}, spec: {egress: [{hosts: [shop/cart.shop.svc.cluster.local]}]}}`
		closed      = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: mine, namespace: shop}, spec: {rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/waypoint]}}]}]}}`
		scraper     = "cluster.local/ns/monitoring/sa/prom"
		front       = "cluster.local/ns/edge/sa/front-istio"
		client      = "cluster.local/ns/old/sa/client"
		unnamedSays = "by whom is not known. Name who scrapes as an exception."
	)
	in := strings.ReplaceAll
	for name, tc := range map[string]struct {
		more   []string
		except *Exception
		says   string // of the guard that is not there; "" where there is one
		lists  string // a way that is known
	}{
		"nothing else":                       {more: []string{pods}},
		"another Service over the pods":      {more: []string{pods, unbound}, says: "Service shop/cart-all is over the same pods and bound to no waypoint"},
		"another Service, excepted":          {more: []string{pods, unbound}, except: &Exception{Principals: []string{client}, Services: []string{"shop/cart-all"}, Reason: "batch"}, lists: "bound to no waypoint. It is an exception: batch."},
		"another Service, another excepted":  {more: []string{pods, unbound}, except: &Exception{Principals: []string{client}, Services: []string{"shop/cart"}}, says: "Service shop/cart-all is over"},
		"a headless Service over the pods":   {more: []string{pods, headless}, says: "Service shop/cart-pods is headless"},
		"a headless Service, excepted":       {more: []string{pods, headless}, except: &Exception{Principals: []string{client}, Services: []string{"shop/cart-pods"}, Reason: "peers"}, lists: "Service shop/cart-pods is headless"},
		"a NodePort":                         {more: []string{pods, nodePort}, says: "is of type NodePort"},
		"a LoadBalancer":                     {more: []string{pods, in(nodePort, "NodePort", "LoadBalancer")}, says: "is of type LoadBalancer"},
		"an ingress gateway":                 {more: []string{pods, ingress, route}, says: "leads from Gateway edge/front to Service shop/cart, and ingress gateways do not send through the waypoint. Let it come by the waypoint, or name " + front},
		"an ingress gateway, excepted":       {more: []string{pods, ingress, route}, except: &Exception{Principals: []string{front}, Reason: "the edge checks tokens"}, lists: "ingress gateways do not send through the waypoint. It is an exception: the edge checks tokens."},
		"an ingress gateway, its Service is": {more: []string{pods, ingress, route}, except: &Exception{Principals: []string{client}, Services: []string{"shop/cart"}}, says: "leads from Gateway edge/front"},
		"an ingress gateway to another Service over the pods": {more: []string{pods, other, ingress, in(route, "name: cart,", "name: cart-b,")},
			says: "Service shop/cart-b is over the same pods, and HTTPRoute shop/in leads from Gateway edge/front to Service shop/cart-b, and ingress gateways do not send through the waypoint."},
		"one that is sent through the waypoint":       {more: []string{pods, in(other, "namespace: shop", `namespace: shop, labels: {istio.io/ingress-use-waypoint: "true", istio.io/use-waypoint: waypoint}`), ingress, in(route, "name: cart,", "name: cart-b,")}},
		"another Service over the pods is a NodePort": {more: []string{pods, in(other, "clusterIP", "type: NodePort, clusterIP")}, says: "Service shop/cart-b is of type NodePort"},
		"a sidecar":                            {more: []string{pods, sidecars, caller, listsCart}, says: "has a sidecar"},
		"a sidecar, excepted":                  {more: []string{pods, sidecars, caller, listsCart}, except: &Exception{Principals: []string{client}, Reason: "to be moved."}, lists: "It is an exception: to be moved."},
		"a scraper":                            {more: []string{scraped, monitoring, in(prometheus, "MON", "monitoring")}, says: "probably by Deployment monitoring/prometheus. Name it as an exception."},
		"a scraper, excepted":                  {more: []string{scraped, monitoring, in(prometheus, "MON", "monitoring")}, except: &Exception{Principals: []string{scraper}, Reason: "metrics"}, lists: "metrics of its pods are read"},
		"a scraper outside the mesh":           {more: []string{scraped, in(prometheus, "MON", "edge")}, except: &Exception{Principals: []string{"cluster.local/ns/edge/sa/prom"}}, says: "Enrol it in the mesh"},
		"a scraper that is not seen":           {more: []string{scraped}, except: &Exception{Principals: []string{scraper}}, says: unnamedSays},
		"a scraper that is not seen, excepted": {more: []string{scraped}, except: &Exception{Principals: []string{scraper}, Services: []string{"shop/cart"}, Reason: "metrics"}, lists: "by whom is not known. It is an exception: metrics."},
		"ways that are closed already":         {more: []string{scraped, monitoring, in(prometheus, "MON", "monitoring"), sidecars, caller, listsCart, closed}},
	} {
		t.Run(name, func(t *testing.T) {
			setting := Setting{Mode: Provision, Bypass: Guard}
			if tc.except != nil {
				setting.Exceptions = []Exception{*tc.except}
			}
			p := Make(two(tc.more...), Settings{Namespaces: map[string]Setting{"shop": setting}}, nil)
			i := slices.IndexFunc(p.Policies, func(own Policy) bool { return own.Ref() == guardOf(RefOf(mesh.Service, "shop", "cart")) })
			told := slices.ContainsFunc(p.Notices, func(n Notice) bool { return n.Class == ClassGuard && strings.Contains(n.Why, tc.says) })
			if i >= 0 != (tc.says == "") || told != (tc.says != "") {
				t.Errorf("guarded %v, told %v: %v", i >= 0, told, p.Notices)
			}
			if listed := slices.ContainsFunc(p.Notices, func(n Notice) bool {
				return n.Class == ClassPath && strings.HasPrefix(n.Why, "known path that goes round: ") && strings.Contains(n.Why, cmp.Or(tc.lists, tc.says))
			}); listed != (tc.lists+tc.says != "") && !strings.HasPrefix(tc.says, "leads from") {
				t.Errorf("listed %v: %v", listed, p.Notices)
			}
			if i < 0 {
				return
			}
			want := []string{"cluster.local/ns/shop/sa/waypoint"}
			if tc.except != nil {
				want = sorted(append(want, tc.except.Principals...))
			}
			if got := guardedBut(p.Policies[i]); !slices.Equal(got, want) {
				t.Errorf("the guard lets in %v, want %v", got, want)
			}
		})
	}
}

// guardedBut is whom a guard lets in.
func guardedBut(p Policy) []string {
	return decode(p.Manifest).Spec.(*mesh.AuthorizationPolicySpec).Rules[0].From[0].Source.NotPrincipals
}

// TestExceptionsOfSeveral: of Guardrails that demand a guard only those are excepted that each of them excepts.
func TestExceptionsOfSeveral(t *testing.T) {
	one := []Exception{{Principals: []string{"a", "b"}, Services: []string{"shop/x", "shop/y"}, Reason: "one"}, {Principals: []string{"c"}, Reason: "c"}}
	two := []Exception{{Principals: []string{"b", "d"}, Services: []string{"shop/y"}, Reason: "two"}}
	for name, tc := range map[string]struct {
		a, b Setting
		want []Exception
	}{
		"both demand one":    {Setting{Bypass: Guard, Exceptions: one}, Setting{Pending: Guard, Exceptions: two}, []Exception{{Principals: []string{"b"}, Services: []string{"shop/y"}, Reason: "one"}}},
		"one excepts nobody": {Setting{Bypass: Guard, Exceptions: one}, Setting{Bypass: Guard}, nil},
		"the first demands":  {Setting{Bypass: Guard, Exceptions: one}, Setting{Exceptions: two}, one},
		"the second demands": {Setting{Exceptions: one}, Setting{Pending: Guard, Exceptions: two}, two},
		"the second demands, and the first excepts nobody": {Setting{}, Setting{Bypass: Guard, Exceptions: two}, two},
	} {
		if diff := gocmp.Diff(tc.want, tc.a.And(tc.b).Exceptions); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestHold: a Service whose owner agrees, or of which no endpoint is ready, is closed before anything else is made, and opened to
// others when its waypoint serves. One that becomes ready meanwhile stays closed until then.
func TestHold(t *testing.T) {
	const (
		pods   = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
		agreed = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, annotations: {waywarden.dev/hold: "no orders before the rules"}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
	)
	held, open := "hold make-gateway make-binding remove-guard", "make-gateway make-binding"
	for name, tc := range map[string]struct {
		more    []string
		pending Opening
		want    string
		later   string // what is there after the first step
	}{
		"agreed":                   {more: []string{pods, agreed}, pending: Guard, want: held},
		"agreed, and not demanded": {more: []string{pods, agreed}, want: open},
		"nobody agreed":            {more: []string{pods}, pending: Guard, want: open},
		"not ready":                {more: []string{pods, endpointSlice("shop", "cart", false)}, pending: Guard, want: held},
		"not ready, then ready":    {more: []string{pods, endpointSlice("shop", "cart", false)}, pending: Guard, want: held, later: endpointSlice("shop", "cart", true)},
		"not ready, not demanded":  {more: []string{pods, endpointSlice("shop", "cart", false)}, want: open},
		"ready":                    {more: []string{pods, endpointSlice("shop", "cart", true)}, pending: Guard, want: open},
		"another one not ready":    {more: []string{pods, endpointSlice("shop", "cart", true), endpointSlice("shop", "other", false)}, pending: Guard, want: open},
	} {
		t.Run(name, func(t *testing.T) {
			settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Pending: tc.pending}}}
			s, managed := two(tc.more...).Snapshot, Managed{}
			var rows []string
			for range 10 {
				steps := Next(worldOf(s, managed, settings, nil)).Steps()
				if len(steps) == 0 {
					break
				}
				if steps[0].Row == RemoveGuard {
					stale := worldOf(s, managed, settings, func(e *Evidence) {
						e.Written = map[mesh.Ref]time.Time{RefOf(mesh.Namespace, "", "shop"): e.Acknowledged}
					})
					if p := Next(stale); len(p.Steps()) > 0 || len(p) != 1 || len(p[0].Waiting) == 0 {
						t.Errorf("a ztunnel that does not know the label is not waited for: %+v", p)
					}
				}
				rows = append(rows, string(steps[0].Row))
				if s, managed = taken(s, managed, steps[0]); tc.later != "" && len(rows) == 1 {
					s = s.With(parse(tc.later))
				}
			}
			if got := strings.Join(rows, " "); got != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
			if own := s.List(mesh.AuthorizationPolicy, "shop"); len(own) != 1 {
				t.Errorf("left: %v", own)
			}
		})
	}
}

// TestGuardNamesAllWaypoints: during a move the guard lets in the waypoint that is left and the one that is to come.
func TestGuardNamesAllWaypoints(t *testing.T) {
	pods := `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
	s, managed := done(t, pods)
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Bypass: Guard,
		Profile: Profile{Name: "default", Granularity: PerService}}}}
	p := Make(policies.NewView(s), settings, managed)
	i := slices.IndexFunc(p.Policies, func(own Policy) bool { return own.Role == Guarding && own.For[0].Name == "cart" })
	if i < 0 {
		t.Fatalf("no guard: %v", p.Notices)
	}
	want := []string{"cluster.local/ns/shop/sa/cart-waypoint", "cluster.local/ns/shop/sa/waypoint"}
	if got := guardedBut(p.Policies[i]); !slices.Equal(got, want) {
		t.Errorf("lets in %v", got)
	}
}

// TestGuardNamesLeftWaypoint: a waypoint that drains is let in until it is gone, in whichever namespace it is, and only at what it
// may have served.
func TestGuardNamesLeftWaypoint(t *testing.T) {
	const pods = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: NS}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
	setting := Setting{Mode: Provision, Bypass: Guard, Profile: Profile{Name: "default"}}
	shared := setting
	shared.Profile.Granularity, shared.Profile.SharedNamespace = Shared, "edge"
	settings := Settings{Namespaces: map[string]Setting{"shop": shared, "edge": setting, "pay": setting}}
	s, managed := two(strings.Replace(pods, "NS", "shop", 1), strings.Replace(pods, "NS", "pay", 1)).Snapshot, Managed{}
	drains := func() bool {
		gw := s.Get(mesh.Gateway, "edge", "waypoint")
		return gw != nil && gw.Annotations[DrainingSinceAnnotation] != ""
	}
	for range 60 {
		steps := Next(worldOf(s, managed, settings, nil)).Steps()
		if len(steps) == 0 {
			if gw := s.Get(mesh.Gateway, "edge", "waypoint"); gw != nil {
				s = s.With(annotated(gw, MigrateAnnotation, "b"))
			}
		} else if s, managed = taken(s, managed, steps[0]); drains() {
			break
		}
	}
	if !drains() {
		t.Fatalf("no waypoint drains: %s", says(Next(worldOf(s, managed, settings, nil))))
	}
	guards := func() map[string][]string {
		out := map[string][]string{}
		for _, p := range Make(policies.NewView(s), settings, managed).Policies {
			if p.Role == Guarding && p.For[0].Name == "cart" {
				out[p.For[0].Namespace] = guardedBut(p)
			}
		}
		return out
	}
	want := map[string][]string{"shop": {"cluster.local/ns/edge/sa/b", "cluster.local/ns/edge/sa/waypoint"}, "pay": {"cluster.local/ns/pay/sa/waypoint"}}
	if diff := gocmp.Diff(want, guards()); diff != "" {
		t.Errorf("while it drains (-want +got):\n%s", diff)
	}
	s = s.Without(s.Get(mesh.Gateway, "edge", "waypoint"))
	want["shop"] = []string{"cluster.local/ns/edge/sa/b"}
	if diff := gocmp.Diff(want, guards()); diff != "" {
		t.Errorf("when it is gone (-want +got):\n%s", diff)
	}
}

// TestGuardNamesRoutedWaypoint: the waypoint of another Service by whose route calls come is let in, also where the route delegates to the
// one that sends them.
func TestGuardNamesRoutedWaypoint(t *testing.T) {
	const world = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: front, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: theirs}}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: theirs, namespace: front}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: desk, namespace: front}, spec: {selector: {app: desk}, ports: [{name: http, port: 80}]}}
`
	const sends = `---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: to-cart, namespace: shop}, spec: {HOSTS http: [{route: [{destination: {host: cart.shop.svc.cluster.local}}]}]}}
`
	const delegates = `---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: desk, namespace: front}, spec: {hosts: [desk], http: [{delegate: {name: to-cart, namespace: shop}}]}}
`
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Bypass: Guard, Profile: Profile{Name: "default"}}}}
	for name, routes := range map[string]string{
		"by itself":   strings.Replace(sends, "HOSTS", "hosts: [desk.front.svc.cluster.local],", 1),
		"by delegate": strings.Replace(sends, "HOSTS", "", 1) + delegates,
	} {
		t.Run(name, func(t *testing.T) {
			p := Make(policies.NewView(two(strings.Split(world+routes, "---\n")...).Snapshot), settings, nil)
			i := slices.IndexFunc(p.Policies, func(own Policy) bool { return own.Role == Guarding && own.For[0].Name == "cart" })
			if i < 0 {
				t.Fatalf("no guard: %v", p.Notices)
			}
			if diff := gocmp.Diff([]string{"cluster.local/ns/front/sa/theirs", "cluster.local/ns/shop/sa/waypoint"}, guardedBut(p.Policies[i])); diff != "" {
				t.Errorf("lets in (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMoveStopsForGatewayRefs: what names the old Gateway does not follow, so nothing moves.
func TestMoveStopsForGatewayRefs(t *testing.T) {
	s, managed := done(t)
	s = s.With(parse(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: at-gateway, namespace: shop}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`))
	settings := Settings{Namespaces: maps.Clone(onlyShop.Namespaces)}
	setting := settings.Namespaces["shop"]
	setting.Profile.Granularity = PerService
	settings.Namespaces["shop"] = setting
	for range 10 {
		steps := Next(worldOf(s, managed, settings, nil)).Steps()
		if len(steps) == 0 {
			break
		}
		for _, step := range steps {
			s, managed = taken(s, managed, step)
		}
	}
	if got := s.Get(mesh.Service, "shop", "cart").Labels[label.IoIstioUseWaypoint.Name]; got != "" {
		t.Errorf("Service cart has moved to %q", got)
	}
	if got := s.Get(mesh.Namespace, "", "shop").Labels[label.IoIstioUseWaypoint.Name]; got != "waypoint" || s.Get(mesh.Gateway, "shop", "waypoint") == nil {
		t.Errorf("Namespace shop asks for %q", got)
	}
}

// TestGuardedWhereItStays: a Service that is to move to another waypoint, and whose label is refused, stays bound and is guarded there
// meanwhile, by a guard that lets both waypoints in.
func TestGuardedWhereItStays(t *testing.T) {
	s, managed, _ := rested(two(cartPods).Snapshot, Managed{}, guardedShop(false), "")
	s = s.Without(find(s, cartGuard)) // as where its label was to go, and that was refused
	delete(managed, cartGuard)
	s = s.With(annotated(s.Get(mesh.Gateway, "shop", "waypoint"), MigrateAnnotation, "waypoint-b"))
	then, managed, rows := rested(s, managed, guardedShop(false), MakeBinding)
	if at := then.NamespaceLabels("shop")[label.IoIstioUseWaypoint.Name]; at != "waypoint" {
		t.Fatalf("it is bound to %q after %v", at, rows)
	}
	guard := find(then, cartGuard)
	if !managed.Made(guard) {
		t.Fatalf("it is not guarded after %v", rows)
	}
	got := guard.Spec.(*mesh.AuthorizationPolicySpec).Rules[0].From[0].Source.NotPrincipals
	if want := []string{"cluster.local/ns/shop/sa/waypoint", "cluster.local/ns/shop/sa/waypoint-b"}; !slices.Equal(got, want) {
		t.Errorf("let in are %q, want %q", got, want)
	}
}
