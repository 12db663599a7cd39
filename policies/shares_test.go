package policies_test

import (
	"strings"
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

const twoWaypoints = `
apiVersion: v1
kind: Namespace
metadata:
  name: pay
  labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: first, istio.io/use-waypoint-canary: second}
  annotations: {istio.io/use-waypoint-canary-weight: "20"}
---
apiVersion: v1
kind: Service
metadata: {name: till, namespace: pay}
spec: {clusterIP: 10.96.0.77, selector: {app: till}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: till, namespace: pay}
spec: {selector: {matchLabels: {app: till}}, template: {metadata: {labels: {app: till}}, spec: {containers: [{name: a, image: a}]}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: first, namespace: pay}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: second, namespace: pay}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
`

const atGateway = `
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: at-NAME, namespace: pay}
spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: NAME}], rules: [{to: [{operation: {methods: [METHOD]}}]}]}
`

const names = `
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: who, namespace: pay}
spec: {action: ALLOW, selector: {matchLabels: {app: till}}, rules: [{from: [{source: {principals: [PRINCIPALS]}}]}]}
`

// TestTwoWaypoints: of a Service with a canary both waypoints send to the pods, and what names one of them is got round by the other.
func TestTwoWaypoints(t *testing.T) {
	at := func(name, method string) string {
		return strings.NewReplacer("NAME", name, "METHOD", method).Replace(atGateway)
	}
	const first, second = "cluster.local/ns/pay/sa/first", "cluster.local/ns/pay/sa/second"
	for name, tc := range map[string]struct {
		mesh, policy, says string
		version            string
		want               policies.Verdict
	}{
		"at the one":                {mesh: at("first", "PUT"), policy: "at-first", want: policies.Bypassable, says: "20% of the connections of Service pay/till take waypoint pay/second"},
		"at its canary":             {mesh: at("second", "PUT"), policy: "at-second", want: policies.Bypassable, says: "80% of the connections of Service pay/till take waypoint pay/first"},
		"at both":                   {mesh: at("first", "PUT") + at("second", "PUT"), policy: "at-first", want: policies.Enforced},
		"something else at other":   {mesh: at("first", "PUT") + at("second", "GET"), policy: "at-first", want: policies.Bypassable},
		"before there are any":      {mesh: at("first", "PUT"), policy: "at-first", version: "1.30", want: policies.Enforced},
		"only the one is let in":    {mesh: strings.ReplaceAll(names, "PRINCIPALS", first), policy: "who", want: policies.OverDenies, says: "behind waypoint pay/second"},
		"both are let in":           {mesh: strings.ReplaceAll(names, "PRINCIPALS", first+", "+second), policy: "who", want: policies.Enforced},
		"the canary is let in only": {mesh: strings.ReplaceAll(names, "PRINCIPALS", second), policy: "who", want: policies.OverDenies, says: "behind waypoint pay/first"},
	} {
		t.Run(name, func(t *testing.T) {
			s := mesh.New(mesh.Options{IstioVersion: tc.version}, objects(t, twoWaypoints+tc.mesh)...)
			effects := policies.Effects(s, s.Get(mesh.AuthorizationPolicy, "pay", tc.policy))
			if len(effects) != 1 || effects[0].Verdict != tc.want || !strings.Contains(effects[0].Message, tc.says) {
				t.Errorf("got %+v", effects)
			}
		})
	}
}
