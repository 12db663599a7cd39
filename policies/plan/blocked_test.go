package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

const agreedCart = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, annotations: {waywarden.dev/hold: "no orders before the rules"}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`

// TestHoldsBlocked: where a need is blocked its target is closed until somebody decides, if its owner agreed, and told of; then it goes on
// as if it had never been blocked, or is opened where nothing asks for it any more.
func TestHoldsBlocked(t *testing.T) {
	const (
		except = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: except, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {notNamespaces: [a]}}]}]}}`
		opted  = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: none}, annotations: {waywarden.dev/hold: "no orders before the rules"}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		port   = `{apiVersion: v1, kind: Service, metadata: {name: cart-all, namespace: shop}, spec: {type: NodePort, clusterIP: 10.96.0.13, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		web    = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7web, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
	)
	labelled := strings.Replace(agreedCart, "namespace: shop,", "namespace: shop, labels: {istio.io/use-waypoint: wp},", 1)
	guard, held := Setting{Mode: Provision, Pending: Guard}, []Row{Hold}
	shared := guard
	shared.Profile.Granularity, shared.Profile.SharedNamespace = Shared, "edge"
	decided := func(s *mesh.Snapshot) *mesh.Snapshot {
		return s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "except"))
	}
	over := func(s *mesh.Snapshot) *mesh.Snapshot {
		return s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7"))
	}
	open := []string{podsOf("cart"), podsOf("web")}
	for name, tc := range map[string]struct {
		more    []string
		setting Setting
		want    []Row
		told    Class
		then    func(*mesh.Snapshot) *mesh.Snapshot
		later   []Row
	}{
		"agreed, then decided":     {more: []string{agreedCart, except}, setting: guard, want: held, told: ClassShut, then: decided, later: []Row{MakeGateway, MakeBinding, RemoveGuard}},
		"agreed, then over":        {more: []string{agreedCart, except}, setting: guard, want: held, told: ClassShut, then: over, later: []Row{RemoveGuard}},
		"agreed, shared":           {more: []string{agreedCart, except}, setting: shared, want: held, told: ClassShut, then: decided, later: []Row{Hold, MakeGateway, MakeBinding, RemoveGuard}},
		"agreed, beside another":   {more: []string{agreedCart, except, web}, setting: guard, want: []Row{Hold, MakeGateway, MakeBinding}, told: ClassShut, then: decided, later: []Row{MakeBinding, RemoveGuard}},
		"agreed, and a way in":     {more: []string{agreedCart, except, port}, setting: guard, told: ClassGuard, then: over},
		"agreed, labelled":         {more: []string{labelled, except}, setting: guard, want: held, told: ClassShut, then: decided, later: []Row{MakeGateway, RemoveGuard}},
		"agreed, labelled, over":   {more: []string{labelled, except}, setting: guard, want: held, told: ClassShut, then: over, later: []Row{RemoveGuard}},
		"agreed, and opted out":    {more: []string{opted, except}, setting: guard, then: over},
		"agreed, and not demanded": {more: []string{agreedCart, except}, setting: Setting{Mode: Provision}, then: over},
		"agreed, only observed":    {more: []string{agreedCart, except}, setting: Setting{Mode: Observe, Pending: Guard}, then: over},
		"nobody agreed":            {more: []string{except, endpointSlice("shop", "cart", false)}, setting: guard, then: over},
	} {
		t.Run(name, func(t *testing.T) {
			settings := Settings{Namespaces: map[string]Setting{"shop": tc.setting}}
			s := two(append(tc.more, open...)...).Snapshot
			p := Make(policies.NewView(s), settings, nil)
			told := slices.ContainsFunc(p.Notices, func(n Notice) bool { return n.Class == tc.told && n.On.Name == "cart" })
			if len(p.Blocked) == 0 || told != (tc.told != "") || tc.told == "" && slices.ContainsFunc(p.Notices, func(n Notice) bool { return n.Class == ClassShut }) {
				t.Errorf("blocked %v, told %v", p.Blocked, p.Notices)
			}
			rows, s, managed := until(s, Managed{}, settings, noon, noon.Add(20*time.Minute))
			if !slices.Equal(rows, tc.want) {
				t.Errorf("taken: %v", rows)
			}
			rows, s, managed = until(tc.then(s), managed, settings, noon.Add(20*time.Minute), noon.Add(time.Hour))
			if !slices.Equal(rows, tc.later) {
				t.Errorf("then: %v", rows)
			}
			if o := find(s, guardOf(RefOf(mesh.Service, "shop", "cart"))); o != nil {
				t.Errorf("the hold is left: %v", managed)
			}
		})
	}
}

// TestHoldOutlastsWaypoint: a Service that is held because its need is blocked stays so while the waypoint of its namespace goes.
func TestHoldOutlastsWaypoint(t *testing.T) {
	const web = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7web, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
	tcp := strings.Replace(agreedCart, "name: http", "name: tcp", 1) // a waypoint would deny everything there
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Pending: Guard}}}
	rows, s, managed := until(two(tcp, web, podsOf("cart"), podsOf("web")).Snapshot, Managed{}, settings, noon, noon.Add(20*time.Minute))
	if want := []Row{Hold, MakeGateway, MakeBinding}; !slices.Equal(rows, want) {
		t.Errorf("taken: %v", rows)
	}
	rows, s, managed = until(s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7web")), managed, settings, noon.Add(20*time.Minute), noon.Add(time.Hour))
	if want := []Row{Retain, RemoveBinding, Drain, RemoveGateway, RemoveBinding}; !slices.Equal(rows, want) {
		t.Errorf("then: %v", rows)
	}
	if len(managed) != 1 || find(s, guardOf(RefOf(mesh.Service, "shop", "cart"))) == nil {
		t.Errorf("left: %v", managed)
	}
	compare(t, Next(later(worldOf(s, managed, settings, nil), noon.Add(time.Hour))))
}

// TestHoldsTargets: a Service that is bound with the target of a need, by the label of their Namespace, is not held: nothing waits for it.
func TestHoldsTargets(t *testing.T) {
	const atGateway = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: at, namespace: shop}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: theirs}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
	unserved := []string{podsOf("cart"), podsOf("web"), endpointSlice("shop", "cart", false), endpointSlice("shop", "web", false)}
	for name, tc := range map[string]struct {
		more []string
		want string
	}{
		"of a Service":              {nil, "cart"},
		"of what passes a waypoint": {[]string{theirsReady, atGateway}, "cart web"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Pending: Guard, Bypass: Guard}}}
			var held []string
			for _, p := range Make(two(append(tc.more, unserved...)...), settings, nil).Policies {
				if p.Role == Guarding && p.Held != "" {
					held = append(held, p.For[0].Name)
				}
			}
			if got := strings.Join(held, " "); got != tc.want {
				t.Errorf("held: %s", got)
			}
		})
	}
}
