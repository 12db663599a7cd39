//go:build cluster

package waypoints

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/test/oracle"
)

const (
	// asking are pods without a Service that ask for a waypoint by a label of their own.
	asking = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: batch, namespace: shop}
spec:
  selector: {matchLabels: {app: batch}}
  template:
    metadata: {labels: {app: batch, istio.io/use-waypoint: waypoint}}
    spec: {containers: [{name: batch, image: batch, ports: [{containerPort: 8080}]}]}
`
	// denyPut names the waypoint for which they ask, which is not there.
	denyPut = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny-put, namespace: shop}
spec:
  action: DENY
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]
  rules: [{to: [{operation: {methods: [PUT]}}]}]
`
)

// TestTraffic: a waypoint is made for the traffic that it is needed for: for pods that ask for it and have no Service; for both where a
// Service needs it too, without another one being made; and istiod sends each sort there. It goes when nothing needs it and no pods ask for it.
func TestTraffic(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + "---" + asking)
	before := w.settledInventory("shop")
	serves := func() string { return w.get(gateways, "shop", "waypoint").GetLabels()[label.IoIstioWaypointFor.Name] }
	sentOf := func(pod string) string {
		for _, x := range w.sent().Workloads {
			if x.Namespace == "shop" && strings.HasPrefix(x.Name, pod) {
				return x.Waypoint.String()
			}
		}
		return "unknown"
	}
	accepted := func(policy string) bool {
		return condition(w.get(policies, "shop", policy), "WaypointAccepted") == "True"
	}

	w.apply(denyPut)
	w.until("the policy for the pods takes effect", time.Minute, func() bool { return accepted("deny-put") })
	w.until("the pods are sent to it", 20*time.Second, func() bool { return strings.HasPrefix(sentOf("batch"), "shop/waypoint.") })
	if to := w.sentTo("shop", "cart"); serves() != "workload" || to != oracle.Nothing {
		t.Errorf("it is for %s, and what is for the Service is sent to %s", serves(), to)
	}
	made := w.get(gateways, "shop", "waypoint")

	w.apply(fmt.Sprintf(denyGet, "shop"))
	w.takesEffect("shop")
	w.until("the Service is bound to it too", 20*time.Second, func() bool { return w.boundTo("shop", "cart", "shop/waypoint") })
	w.until("all is as planned", 20*time.Second, func() bool {
		return condition(w.get(gateways, "shop", "waypoint"), "waywarden.dev/AsPlanned") == "True" && w.get(gateways, "shop", "waypoint").GetAnnotations()["waywarden.dev/needs"] == "2"
	})
	if pod, svc := sentOf("batch"), w.sentTo("shop", "cart"); serves() != "all" || !strings.HasPrefix(pod, "shop/waypoint.") || pod != svc || !accepted("deny-put") {
		t.Errorf("it is for %s: what is for the pods is sent to %s, for the Service to %s, and the policy for the pods is accepted: %v", serves(), pod, svc, accepted("deny-put"))
	}
	if now := w.get(gateways, "shop", "waypoint"); now.GetUID() != made.GetUID() {
		t.Error("it was made anew")
	}
	if gw := w.get(gateways, "shop", "waypoint"); condition(gw, "Accepted") != "True" || condition(gw, "Programmed") != "True" {
		t.Errorf("istiod says of it: %s", field(gw, "status.conditions"))
	}
	w.inOrder(r, time.Time{}, "/gateways/waypoint", "/namespaces/shop?")

	w.delete(policies, "shop", "deny-put")
	w.until("one need is left", 20*time.Second, func() bool { return w.get(gateways, "shop", "waypoint").GetAnnotations()["waywarden.dev/needs"] == "1" })
	if !w.boundTo("shop", "cart", "shop/waypoint") {
		t.Error("the Service is bound no longer")
	}
	w.delete(policies, "shop", "deny-get")
	w.until("it is said that pods ask for it by a label of their own", time.Minute, func() bool {
		return w.says("shop", "Stopped", "batch", "asks for it by a label of somebody else's")
	})
	if w.get(gateways, "shop", "waypoint") == nil {
		t.Error("it is gone, and pods ask for it")
	}
	w.apply(strings.Replace(asking, ", istio.io/use-waypoint: waypoint", "", 1))
	w.leaves("shop", before)
}
