package plan

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// podsOf is a Deployment of namespace shop.
func podsOf(app string) string {
	return fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: %[1]s, namespace: shop}, spec: {selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {app: %[1]s}}, spec: {containers: [{name: a, image: a}]}}}}`, app)
}

// TestHoldOutlasts: a Service that was closed without agreement, and whose pods are ready now, is said to be shut as long as its
// waypoint is on its way, also by a write that is tried again; where that has stopped it is opened. One whose owner agreed is neither.
func TestHoldOutlasts(t *testing.T) {
	const (
		agreed = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, annotations: {waywarden.dev/hold: "no orders before the rules"}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
		deny   = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: deny, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {principals: [cluster.local/ns/dev/sa/dev]}}]}]}}`
		theirs = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: waywarden-twin-deny.cart, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}]}}`
	)
	pods := podsOf("cart")
	const noTwin = "shop/waypoint: stopped make-twin: AuthorizationPolicy shop/waywarden-twin-deny.cart is not made: one of that name is there that is somebody else's. Rename or delete it."
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Pending: Guard}}}
	waits := func(e *Evidence) { e.Waypoints[RefOf(mesh.Gateway, "shop", "waypoint")] = Serving{Why: "no pod"} }
	refused := func(e *Evidence) { e.Refused = map[mesh.Ref]string{RefOf(mesh.Gateway, "shop", "waypoint"): "quota"} }
	long := func(by time.Duration) func(*Evidence) {
		return func(e *Evidence) {
			refused(e)
			e.RefusedSince = map[mesh.Ref]time.Time{RefOf(mesh.Gateway, "shop", "waypoint"): noon.Add(-by)}
		}
	}
	for name, tc := range map[string]struct {
		more     []string
		ready    bool
		waypoint bool // is made
		evidence func(*Evidence)
		shut     bool
		says     []string
	}{
		"not ready":           {more: []string{pods, endpointSlice("shop", "cart", false)}, waypoint: true, evidence: waits, says: []string{"shop/waypoint: waits make-gateway: no pod"}},
		"ready":               {more: []string{pods, endpointSlice("shop", "cart", false)}, ready: true, waypoint: true, evidence: waits, shut: true, says: []string{"shop/waypoint: waits make-gateway: no pod"}},
		"ready, and agreed":   {more: []string{pods, agreed, endpointSlice("shop", "cart", false)}, ready: true, waypoint: true, evidence: waits, says: []string{"shop/waypoint: waits make-gateway: no pod"}},
		"ready, refused":      {more: []string{pods, endpointSlice("shop", "cart", false)}, ready: true, evidence: refused, shut: true, says: []string{"shop/waypoint: stopped make-gateway: the API server refused it: quota"}},
		"refused for a while": {more: []string{pods, endpointSlice("shop", "cart", false)}, ready: true, evidence: long(patience - time.Second), shut: true, says: []string{"shop/waypoint: stopped make-gateway: the API server refused it: quota"}},
		"refused for long": {more: []string{pods, endpointSlice("shop", "cart", false)}, ready: true, evidence: long(patience), shut: true, says: []string{"shop/waypoint: remove-guard Delete AuthorizationPolicy shop/waywarden-guard-cart",
			"shop/waypoint: stopped make-gateway: the API server refused it: quota"}},
		"agreed, refused for long":    {more: []string{pods, agreed, endpointSlice("shop", "cart", false)}, ready: true, evidence: long(time.Hour), says: []string{"shop/waypoint: stopped make-gateway: the API server refused it: quota"}},
		"not ready, refused for long": {more: []string{pods, endpointSlice("shop", "cart", false)}, evidence: long(time.Hour), says: []string{"shop/waypoint: stopped make-gateway: the API server refused it: quota"}},
		"agreed, and refused":         {more: []string{pods, agreed, endpointSlice("shop", "cart", false)}, ready: true, evidence: refused, says: []string{"shop/waypoint: stopped make-gateway: the API server refused it: quota"}},
		"not ready, stopped":          {more: []string{pods, deny, theirs, endpointSlice("shop", "cart", false)}, waypoint: true, says: []string{noTwin}},
		"ready, stopped":              {more: []string{pods, deny, theirs, endpointSlice("shop", "cart", false)}, ready: true, waypoint: true, shut: true, says: []string{"shop/waypoint: remove-guard Delete AuthorizationPolicy shop/waywarden-guard-cart", noTwin}},
		"agreed, and stopped":         {more: []string{pods, agreed, deny, theirs, endpointSlice("shop", "cart", false)}, ready: true, waypoint: true, says: []string{noTwin}},
	} {
		t.Run(name, func(t *testing.T) {
			s, managed := two(tc.more...).Snapshot, Managed{}
			for range map[bool]int{true: 2, false: 1}[tc.waypoint] { // the hold, the Gateway
				s, managed = taken(s, managed, Next(worldOf(s, managed, settings, nil)).Steps()[0])
			}
			if tc.ready {
				s = s.With(parse(endpointSlice("shop", "cart", true)))
			}
			p := Next(worldOf(s, managed, settings, tc.evidence))
			compare(t, p, tc.says...)
			if got := len(p[0].Shut) == 1; got != tc.shut {
				t.Errorf("shut: %v", p[0].Shut)
			}
			if found := slices.ContainsFunc(p.Findings(), func(f policies.Finding) bool { return f.Check == ShutCheck && f.Object.Name == "cart" }); found != tc.shut {
				t.Errorf("findings: %v", p.Findings())
			}
			if steps := p.Steps(); len(steps) == 1 { // opened, and not closed again
				s, managed = taken(s, managed, steps[0])
				compare(t, Next(worldOf(s, managed, settings, tc.evidence)), tc.says[len(tc.says)-1])
			}
		})
	}
}

// TestHoldsOfOthers: what stops one Service does not open another one that is held.
func TestHoldsOfOthers(t *testing.T) {
	const (
		opted = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: none}}}`
		other = `{apiVersion: v1, kind: Service, metadata: {name: other, namespace: shop}, spec: {clusterIP: 10.96.0.77, selector: {app: other}, ports: [{name: http, port: 80}]}}`
		l7    = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7other, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: other}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
		deny  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: deny, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: other}}, rules: [{from: [{source: {principals: [cluster.local/ns/dev/sa/dev]}}]}]}}`
		// theirs has the name of the twin of deny.
		theirs = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: waywarden-twin-deny.other, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}]}}`
	)
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Pending: Guard}}}
	s, managed := two(opted, podsOf("cart"), other, podsOf("other"), l7, deny, theirs, endpointSlice("shop", "cart", false), endpointSlice("shop", "other", true)).Snapshot, Managed{}
	for range 2 { // the hold, the Gateway
		s, managed = taken(s, managed, Next(worldOf(s, managed, settings, nil)).Steps()[0])
	}
	s = s.With(parse(endpointSlice("shop", "cart", true)))
	hold := guardOf(RefOf(mesh.Service, "shop", "cart"))
	p := Next(worldOf(s, managed, settings, func(e *Evidence) { e.Written = map[mesh.Ref]time.Time{hold: noon} }))
	compare(t, p, "shop/waypoint: waits make-guard: not every ztunnel and waypoint has acknowledged it",
		"shop/waypoint: stopped make-twin: AuthorizationPolicy shop/waywarden-twin-deny.other is not made: one of that name is there that is somebody else's. Rename or delete it.")
	if len(p[0].Shut) != 1 {
		t.Errorf("shut: %v", p[0].Shut)
	}
	s, _, _ = rest(t, s, managed, settings, func(*mesh.Snapshot, *Evidence) {}, func(s *mesh.Snapshot, step Step) {
		if bound := s.Binding(s.Get(mesh.Service, "shop", "cart")).Bound; !bound && find(s, hold) == nil {
			t.Errorf("%s %s opens a Service that is not bound", step.Row, step.Object)
		}
	})
	if !s.Binding(s.Get(mesh.Service, "shop", "cart")).Bound || find(s, hold) != nil {
		t.Error("the Service is not bound, or still held")
	}
}

// TestHoldsOnce: where the way to the waypoint has stopped, a Service is not closed anew each time that its pods fail.
func TestHoldsOnce(t *testing.T) {
	const mine = `{apiVersion: v1, kind: ConfigMap, metadata: {name: waypoint-parameters, namespace: shop}, data: {}}`
	for name, tc := range map[string]struct {
		more    []string
		refused map[mesh.Ref]string
		held    bool // closed before it stopped
		want    []Row
	}{
		"refused":                   {refused: map[mesh.Ref]string{RefOf(mesh.Gateway, "shop", "waypoint"): "quota"}},
		"refused, and held":         {refused: map[mesh.Ref]string{RefOf(mesh.Gateway, "shop", "waypoint"): "quota"}, held: true},
		"somebody else's":           {more: []string{mine}},
		"somebody else's, and held": {more: []string{mine}, held: true, want: []Row{RemoveGuard}},
		"on its way":                {want: []Row{Hold}},
		"on its way, and held so":   {held: true},
	} {
		t.Run(name, func(t *testing.T) {
			setting := Setting{Mode: Provision, Pending: Guard}
			if len(tc.more) > 0 {
				setting.Profile.Parameters = map[string]string{"deployment": "spec: {}"}
			}
			settings := Settings{Namespaces: map[string]Setting{"shop": setting}}
			s, managed := two(podsOf("cart"), endpointSlice("shop", "cart", false)).Snapshot, Managed{}
			if tc.held {
				s, managed = taken(s, managed, Next(worldOf(s, managed, settings, nil)).Steps()[0])
			}
			for _, more := range tc.more {
				s = s.With(parse(more))
			}
			var got []Row
			for i := range 6 {
				s = s.With(parse(endpointSlice("shop", "cart", i%2 == 1)))
				for _, step := range Next(worldOf(s, managed, settings, func(e *Evidence) { e.Refused = tc.refused })).Steps() {
					if step.Row == Hold || step.Row == RemoveGuard {
						got = append(got, step.Row)
						s, managed = taken(s, managed, step)
					}
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v", got)
			}
		})
	}
}
