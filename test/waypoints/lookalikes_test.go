//go:build cluster

package waypoints

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// lookAlikes have the labels, annotations and roles of what is ours and say that they are for our waypoint, and were written by somebody
// else. The Gateway is for nothing, so that another one has to be made beside it.
const lookAlikes = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  {name: copy, namespace: shop, labels: {app.kubernetes.io/managed-by: waywarden, istio.io/waypoint-for: none},
   annotations: {waywarden.dev/profile: default, waywarden.dev/unneeded-since: "2020-01-01T00:00:00Z", waywarden.dev/draining-since: "2020-01-01T00:00:00Z"}}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: copy, namespace: shop, labels: {app.kubernetes.io/managed-by: waywarden}, annotations: {waywarden.dev/profile: default, waywarden.dev/waypoint: shop/waypoint}}
data: {color: blue}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: copy-twin, namespace: shop, labels: {app.kubernetes.io/managed-by: waywarden}, annotations: {waywarden.dev/profile: default, waywarden.dev/role: twin, waywarden.dev/waypoint: shop/waypoint, waywarden.dev/for: shop/cart, waywarden.dev/of: shop/gone}}
spec: {action: DENY, rules: [{to: [{operation: {ports: ["9999"]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: copy-guard, namespace: shop, labels: {app.kubernetes.io/managed-by: waywarden}, annotations: {waywarden.dev/profile: default, waywarden.dev/role: guard, waywarden.dev/waypoint: shop/waypoint, waywarden.dev/for: shop/cart}}
spec: {action: DENY, rules: [{to: [{operation: {ports: ["9998"]}}]}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: copy, namespace: shop, labels: {gateway.networking.k8s.io/gateway-name: waypoint, app.kubernetes.io/managed-by: waywarden}}
spec: {minAvailable: 1, selector: {matchLabels: {gateway.networking.k8s.io/gateway-name: waypoint}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: copy, namespace: shop, labels: {gateway.networking.k8s.io/gateway-name: waypoint, app.kubernetes.io/managed-by: waywarden}}
spec: {minReplicas: 1, maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: cart}}
---
apiVersion: v1
kind: Service
metadata: {name: copy, namespace: shop, labels: {istio.io/use-waypoint: none}, annotations: {waywarden.dev/profile: default}}
spec: {selector: {app: copy}, ports: [{name: http, port: 80}]}
`

// TestLookAlikes: what looks like ours and is not is never touched, while a waypoint is made, changed and taken away beside it.
func TestLookAlikes(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s, replicas: 2, disruptionBudget: {minAvailable: 1}}") + "---" + fmt.Sprintf(guardrail, ", bypass: Guard") + "---" + fmt.Sprintf(shop, "shop") + "---" + lookAlikes)
	theirs := func() map[string]string {
		out := map[string]string{}
		for r, names := range map[schema.GroupVersionResource][]string{gateways: {"copy"}, configMaps: {"copy"}, policies: {"copy-twin", "copy-guard"},
			budgets: {"copy"}, autoscalers: {"copy"}, services: {"copy"}} {
			for _, name := range names {
				o := w.get(r, "shop", name)
				if o == nil {
					out[r.Resource+" "+name] = "gone"
					continue
				}
				out[r.Resource+" "+name] = fmt.Sprint(o.GetUID(), o.GetGeneration(), o.GetLabels(), o.GetAnnotations(), field(o, "spec"), field(o, "data"))
			}
		}
		return out
	}
	before := w.settledInventory("shop")
	were := theirs()
	w.apply(fmt.Sprintf(denyGet, "shop"))
	w.takesEffect("shop")
	w.until("what istiod made of the parameters, and the guard, is there", 30*time.Second, func() bool {
		return w.get(budgets, "shop", "waypoint") != nil && w.inventory("shop")["AuthorizationPolicy waywarden-guard-cart"] != ""
	})
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s}"))
	w.until("what istiod leaves behind is gone, of ours", 30*time.Second, func() bool { return w.get(budgets, "shop", "waypoint") == nil })
	w.delete(policies, "shop", "deny-get")
	w.leaves("shop", before)
	if diff := cmp.Diff(were, theirs()); diff != "" {
		t.Errorf("look-alikes were touched (-before +after):\n%s", diff)
	}
	for _, c := range writes(r.since(time.Time{})) {
		if path, _, _ := strings.Cut(c.path, "?"); strings.Contains(path, "/copy") {
			t.Errorf("it was tried to write a look-alike: %s", c)
		}
	}
}

// theirWaypoint is one that somebody made by hand, and says to be ours.
const theirWaypoint = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: by-hand, namespace: shop, labels: {app.kubernetes.io/managed-by: waywarden, istio.io/waypoint-for: service}, annotations: {waywarden.dev/profile: default}}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
`

// TestTheirWaypoint: a waypoint that somebody made is used before one is made, and is neither written nor taken away, whatever it says
// about itself; what we bound to it is bound no longer when nothing needs it.
func TestTheirWaypoint(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s, replicas: 2}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + "---" + theirWaypoint)
	w.until("it is programmed", 30*time.Second, func() bool { return condition(w.get(gateways, "shop", "by-hand"), "Programmed") == "True" })
	before := w.settledInventory("shop")
	w.apply(fmt.Sprintf(denyGet, "shop"))
	w.takesEffect("shop")
	w.until("the Service is bound to it", 20*time.Second, func() bool { return w.boundTo("shop", "cart", "shop/by-hand") })
	if w.get(gateways, "shop", "waypoint") != nil {
		t.Error("another waypoint was made")
	}
	w.delete(policies, "shop", "deny-get")
	w.leaves("shop", before)
	for _, c := range writes(r.since(time.Time{})) {
		if strings.Contains(c.path, "/by-hand") {
			t.Errorf("it was tried to write somebody's waypoint: %s", c)
		}
	}
}
