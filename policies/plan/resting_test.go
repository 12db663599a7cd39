package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestStaysInForce: a waypoint that nothing needs stays as long as anything there is in force for what is bound that would be less in
// force without it, and goes when that is over.
func TestStaysInForce(t *testing.T) {
	const (
		class    = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: class, namespace: NS}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}], rules: [{to: [{operation: {paths: [/admin]}}]}]}}`
		theirs   = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: theirs, namespace: shop}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}, status: {addresses: [{type: IPAddress, value: 10.9.9.9}]}}`
		atTheirs = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: at, namespace: shop}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: theirs}], rules: [{to: [{operation: {paths: [/admin]}}]}]}}`
		bound    = `{apiVersion: v1, kind: Service, metadata: {name: mine, namespace: shop, labels: {istio.io/use-waypoint: theirs}}, spec: {clusterIP: 10.96.0.12, selector: {app: mine}, ports: [{name: http, port: 80}]}}`
		apart    = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart, istio.io/dataplane-mode: none}}, spec: {containers: [{name: a, image: a}]}}}}`
	)
	inRoot := strings.Replace(class, "NS", "istio-system", 1)
	delete := func(ns, name string) func(*mesh.Snapshot) *mesh.Snapshot {
		return func(s *mesh.Snapshot) *mesh.Snapshot {
			return s.Without(s.Get(mesh.AuthorizationPolicy, ns, name))
		}
	}
	unneeded := delete("shop", "l7")
	unbound := func(s *mesh.Snapshot) *mesh.Snapshot {
		return s.With(labelled(s.Get(mesh.Namespace, "", "shop"), nil, label.IoIstioUseWaypoint.Name))
	}
	for name, tc := range map[string]struct {
		more   []string
		gone   func(*mesh.Snapshot) *mesh.Snapshot // what has the waypoint needed no more
		stays  string                              // what it stays for; "" where it goes
		settle func(*mesh.Snapshot) *mesh.Snapshot // what somebody does about that
	}{
		"the class is named":                    {more: []string{inRoot}, gone: unneeded, stays: "AuthorizationPolicy istio-system/class is in force there, as at all waypoints.", settle: delete("istio-system", "class")},
		"the class is named, and the label off": {more: []string{inRoot}, gone: unneeded, stays: "AuthorizationPolicy istio-system/class is in force there", settle: unbound},
		"the class is named in vain":            {more: []string{strings.Replace(class, "NS", "shop", 1)}, gone: unneeded},
		"somebody else's, the class is named":   {more: []string{inRoot, theirs}, gone: unneeded, stays: "waypoint shop/theirs stays: AuthorizationPolicy istio-system/class is in force there", settle: delete("istio-system", "class")},
		"somebody else's, that others use":      {more: []string{theirs, bound, atTheirs}, gone: unneeded, stays: "waypoint shop/theirs stays: AuthorizationPolicy shop/at is in force there.", settle: delete("shop", "at")},
		"its pods are captured no more": {gone: func(s *mesh.Snapshot) *mesh.Snapshot { return s.With(parse(apart)) },
			stays: "AuthorizationPolicy shop/l7 is in force there. Delete it, or bind it elsewhere.", settle: unneeded},
	} {
		t.Run(name, func(t *testing.T) {
			s, managed := done(t, append(tc.more, podsOf("cart"))...)
			s = tc.gone(s)
			rows, managed, s := onwards(t, s, managed, onlyShop)
			stopped := says(Next(later(worldOf(s, managed, onlyShop, nil), noon.Add(24*time.Hour))))
			if got := slices.Contains(rows, "remove-binding"); got != (tc.stays == "") {
				t.Fatalf("taken: %v, then %q", rows, stopped)
			}
			if tc.stays == "" {
				return
			}
			if !slices.ContainsFunc(stopped, func(text string) bool { return strings.Contains(text, tc.stays) }) {
				t.Errorf("got %q", stopped)
			}
			if _, left := toTheEnd(t, tc.settle(s), managed, onlyShop); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestFadingIsTold: what is never a need, and is carried out at a waypoint that goes, is told of as long as it is retained, and when it goes.
func TestFadingIsTold(t *testing.T) {
	const (
		logs = `{apiVersion: telemetry.istio.io/v1, kind: Telemetry, metadata: {name: logs, namespace: shop}, spec: {accessLogging: [{providers: [{name: envoy}]}]}}`
		pool = `{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: pool, namespace: shop}, spec: {host: "*.shop.svc.cluster.local", trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}}}}`
		mtls = `{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: pool, namespace: shop}, spec: {host: "*.shop.svc.cluster.local", trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}}`
	)
	for name, tc := range map[string]struct {
		more []string
		want string
	}{
		"nothing":                      {},
		"Telemetry":                    {[]string{logs}, "; what goes with it: Telemetry shop/logs"},
		"a default for hosts":          {[]string{pool}, "; what goes with it: DestinationRule shop/pool"},
		"a default that is so anyway":  {[]string{mtls}, ""},
		"both":                         {[]string{pool, logs}, "; what goes with it: DestinationRule shop/pool, Telemetry shop/logs"},
		"of a namespace that is apart": {[]string{strings.ReplaceAll(logs, "shop", "pay")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, managed := done(t, tc.more...)
			s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7"))
			retain := Next(worldOf(s, managed, onlyShop, nil)).Steps()[0]
			s, managed = taken(s, managed, retain)
			waits := Next(worldOf(s, managed, onlyShop, nil))[0].Waiting[0]
			release := Next(later(worldOf(s, managed, onlyShop, nil), noon.Add(2*time.Hour))).Steps()[0]
			for said, why := range map[string]string{
				retain.Why:  "nothing needs it any more",
				waits.Why:   "nothing needs it since 2026-01-01T12:00:00Z",
				release.Why: "nothing needs the waypoint any more",
			} {
				if said != why+tc.want {
					t.Errorf("said %q", said)
				}
			}
			if release.Row != RemoveBinding {
				t.Errorf("it does not go: %s", release.Row)
			}
		})
	}
}
